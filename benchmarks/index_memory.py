"""Memory of an index of two million images, in the process that reads it and in its workers.

    python benchmarks/index_memory.py [--images 2000000] [--workers 4]

Writes an index of SA-1B's layout and one of shards to a temporary folder, reads each, forks
workers as a data loader does, and lets each look at a hundred thousand entries. Linux only: the
numbers come from /proc. "own" is what a worker does not share with the others.
"""

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from glee.data.readers.sa1b import read_sa1b
from glee.data.shards.manifest import INDEX, MANIFEST, NAMES, PLACE, Manifest
from glee.data.shards.read import read_shards

LOOKS = 100_000
PER_SHARD = 10_000
SAMPLE_BYTES = 400_000


def main() -> None:
    """Print a line for each index."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2_000_000)
    parser.add_argument("--workers", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_index(folder / "sa1b.json", options.images)
        write_shards_index(folder / "shards", options.images)
        print(f"{'':8} {'file':>9} {'read in':>9} {'memory':>9} {'own memory of each worker':>27}")
        measure("SA-1B", folder / "sa1b.json", read_sa1b_index, options.workers)
        measure("shards", folder / "shards" / INDEX, read_shards_index, options.workers)


def write_index(path: Path, images: int) -> None:
    """Write an index as the authors of GLEE have them: names and sizes of all images."""
    with path.open("w") as file:
        file.write('{"images": [')
        for n in range(images):
            entry = {"id": n, "file_name": f"sa_{n // 11186:06}/sa_{n}.jpg"}
            file.write(("," if n else "") + json.dumps(entry | {"height": 1500, "width": 2250}))
        file.write('], "annotations": [], "categories": [{"id": 1, "name": "object"}]}')


def write_shards_index(folder: Path, images: int) -> None:
    """Write a manifest and an index of shards that are not there."""
    folder.mkdir()
    places = np.zeros(images, dtype=PLACE)
    rows = np.arange(images)
    places["shard"], places["start"] = rows // PER_SHARD, rows % PER_SHARD * SAMPLE_BYTES
    places["json"], places["whole"] = 4096, SAMPLE_BYTES
    np.save(folder / INDEX, places)
    files = tuple(f"{n:06}.tar" for n in range(-(-images // PER_SHARD)))
    sizes = (PER_SHARD * SAMPLE_BYTES,) * len(files)
    manifest = Manifest(samples=images, files=files, sizes=sizes, sets=())
    (folder / MANIFEST).write_text(manifest.to_json())
    (folder / NAMES).write_text('"object"\n')


def read_sa1b_index(path: Path) -> Callable[[int], object]:
    """Read an index; return what looks an entry up."""
    samples = read_sa1b(path.parent, index=path)
    return lambda row: samples.files[row % len(samples)]


def read_shards_index(path: Path) -> Callable[[int], object]:
    """Read an index of shards; return what looks an entry up."""
    samples = read_shards(path.parent)
    return lambda row: int(samples.places[row % len(samples)]["start"])


def measure(
    name: str, path: Path, read: Callable[[Path], Callable[[int], object]], workers: int
) -> None:
    """Read an index in a new process, and look at it in some more."""
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    reader = context.Process(target=_read, args=(path, read, workers, results))
    reader.start()
    seconds, grown, own = results.get()
    reader.join()
    each = ", ".join(f"{value:.1f}" for value in own)
    print(
        f"{name:8} {path.stat().st_size / 2**20:6.0f} MB {seconds:7.1f} s {grown:6.0f} MB "
        f"{each:>24} MB"
    )


def _read(
    path: Path,
    read: Callable[[Path], Callable[[int], object]],
    workers: int,
    results: "multiprocessing.SimpleQueue[tuple[float, float, list[float]]]",
) -> None:
    before, start = _memory("Rss"), time.perf_counter()
    look = read(path)
    seconds, grown = time.perf_counter() - start, _memory("Rss") - before
    context = multiprocessing.get_context("fork")
    inner = context.SimpleQueue()
    each = [context.Process(target=_look, args=(look, seed, inner)) for seed in range(workers)]
    for one in each:
        one.start()
    own = [inner.get() for _ in each]
    for one in each:
        one.join()
    results.put((seconds, grown, own))


def _look(look: Callable[[int], object], seed: int, results: Any) -> None:
    before = _memory("Private_Dirty")
    rows = np.random.default_rng(seed).integers(0, 10**6, LOOKS).tolist()
    for row in rows:
        look(row)
    results.put(_memory("Private_Dirty") - before)


def _memory(kind: str) -> float:
    """Return memory of this process in MB, as the system counts it."""
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{kind}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"the system does not tell {kind}")


if __name__ == "__main__":
    main()
