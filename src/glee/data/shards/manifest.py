"""Manifest: what a folder of shards holds, and where each sample lies."""

import io
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT = "glee-shards-1"

MANIFEST, INDEX, NAMES = "shards.json", "index.npy", "names.jsonl"

PLACE = np.dtype(
    [("shard", "<i4"), ("start", "<i8"), ("json", "<i4"), ("whole", "<i8"), ("tall", "i1")]
)
"""A row of the index: number of the shard; first byte of the sample in it; bytes of its JSON with
its header, and of the whole sample; and whether it is higher than wide."""

BLOCK = 512
"""Tar files consist of blocks of so many bytes."""

PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")
"""What the name of a shard may be: a file of the same folder, nothing else."""

LARGEST_JSON, LARGEST_SAMPLE = 2**28, 2**34
"""Bytes that a damaged or hostile index cannot exceed."""

Places = NDArray[np.void]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a folder of shards holds.

    samples  how many there are
    files    names of the shards
    sizes    bytes of each
    sets     sets of names that samples share
    """

    samples: int
    files: tuple[str, ...]
    sizes: tuple[int, ...]
    sets: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        for file in self.files:
            if not PLAIN_NAME.fullmatch(file):
                raise ValueError(f"shard {file!r} must be the plain name of a file")
        if len(self.files) != len(self.sizes):
            raise ValueError(f"there are {len(self.sizes)} sizes for {len(self.files)} shards")

    def to_json(self) -> str:
        """Return the content of the file."""
        return json.dumps({"format": FORMAT} | asdict(self), indent=1)


def read_manifest(content: bytes, where: str) -> Manifest:
    """Read the content of a manifest; raises ValueError if it is none."""
    try:
        data: Any = json.loads(content)
        if data.pop("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        return Manifest(
            samples=int(data["samples"]),
            files=tuple(str(file) for file in data["files"]),
            sizes=tuple(int(size) for size in data["sizes"]),
            sets=tuple(tuple(str(name) for name in names) for names in data["sets"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{where} is no manifest of shards: {error}") from error


def check_places(places: NDArray[Any], manifest: Manifest, where: str) -> Places:
    """Return the index if all of it lies in the shards; raises ValueError if not."""
    if places.dtype != PLACE or places.shape != (manifest.samples,):
        raise ValueError(
            f"{where} must have {manifest.samples} rows of {PLACE}, got {places.shape} of "
            f"{places.dtype}"
        )
    shard = places["shard"].astype(np.int64)
    if len(places) and not 0 <= shard.min() <= shard.max() < len(manifest.files):
        raise ValueError(f"{where} names shards that {MANIFEST} does not have")
    sizes = np.array([*manifest.sizes, 0], dtype=np.int64)[shard]
    start, head, whole = (places[field].astype(np.int64) for field in ("start", "json", "whole"))
    wrong = (start < 0) | (head < BLOCK) | (whole < head) | (start > sizes - whole)
    wrong |= (head > LARGEST_JSON) | (whole > LARGEST_SAMPLE)
    if wrong.any():
        raise ValueError(f"{where}: sample {int(wrong.argmax())} does not lie inside its shard")
    return places


def read_places(content: bytes | Path, manifest: Manifest, where: str) -> Places:
    """Read the index: a file is mapped, so that processes share it, bytes are parsed.

    Raises ValueError if it is damaged.
    """
    try:
        match content:
            case Path():
                places = np.load(content, mmap_mode="r", allow_pickle=False)
            case bytes():
                places = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{where} is no index of shards: {error}") from error
    return check_places(places, manifest, where)
