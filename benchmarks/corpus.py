"""Samples of the composed corpus per second, of one process.

    python benchmarks/corpus.py --root DIR [--kinds scenes expressions clips] [--count 300]

Single-threaded. A clip counts each frame made; two of every clip are, as training takes them. The
time of the process is what a core of its own would need; on a busy machine more passes by.
"""

import argparse
import os
import platform
import time
from pathlib import Path

import numpy as np
import torch

from glee.data.corpus.sources import open_source
from glee.data.schema import Samples

KINDS = ("scenes", "expressions", "photo-expressions", "clips")
FRAMES_OF_CLIP = 2
WARM_UP = 30


def measure(samples: Samples, count: int) -> tuple[float, float, float]:
    """Return images made per second of the process, and of the clock, and pixels of a side."""
    for index in range(WARM_UP):
        samples[index].frames[0]
    sides, images = [], 0
    busy, clock = time.process_time(), time.perf_counter()
    for index in range(WARM_UP, WARM_UP + count):
        frames = samples[index].frames
        for number in range(min(len(frames), FRAMES_OF_CLIP)):
            sides.append(np.sqrt(np.prod(frames[number].size)))
            images += 1
    return (
        images / (time.process_time() - busy),
        images / (time.perf_counter() - clock),
        float(np.mean(sides)),
    )


def main() -> None:
    """Print a line for each kind."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--root", type=Path, required=True, help="the folder with the packs")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--count", type=int, default=300)
    options = parser.parse_args()
    torch.set_num_threads(1)
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores{load}, 1 process")
    print(f"{'kind':18} {'images/s of CPU':>16} {'images/s':>9} {'pixels':>7} {'opening':>9}")
    for kind in options.kinds:
        start = time.perf_counter()
        samples = open_source(kind, options.root)
        opening = time.perf_counter() - start
        busy, clock, side = measure(samples, options.count)
        print(f"{kind:18} {busy:16.1f} {clock:9.1f} {side:7.0f} {opening:7.2f} s")


if __name__ == "__main__":
    main()
