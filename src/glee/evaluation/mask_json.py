"""Masks of JSON files: polygons and run lengths, made sure of before pycocotools reads them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glee.evaluation.arrays import IntArray
from glee.evaluation.records import RecordError, is_number, shown
from glee.ops.run_lengths import find_unfilled

AT_ONCE = 4096
"""Masks that are looked through together."""

CORNERS = 3
"""A polygon has at least so many."""

LONGEST_OUTLINE = 2**22
"""Pixels along the corners of one polygon, for each of which pycocotools takes memory."""


def read_mask(segmentation: Any, size: IntArray, where: str) -> bytes:
    """Return the compressed run lengths of a mask given as such, as run lengths or as polygons.

    size  (height, width) of the image in pixels

    Compressed ones are returned unseen: `require_filled` looks through many at once.
    Raises RecordError if the mask has another size or another form.
    """
    height, width = int(size[0]), int(size[1])
    if isinstance(segmentation, list) and segmentation:
        return _read_polygons(segmentation, (height, width), where)
    if not isinstance(segmentation, Mapping) or not {"size", "counts"} <= set(segmentation):
        raise RecordError(where, "must have a mask as polygons or run lengths")
    if segmentation["size"] != [height, width]:
        raise RecordError(
            where,
            f"has a mask of size {shown(repr(segmentation['size']))}, but its image is "
            f"{[height, width]} (height, width); give masks in original pixels",
        )
    return read_counts(segmentation["counts"], (height, width), where)


def read_counts(counts: Any, size: tuple[int, int], where: str) -> bytes:
    """Return compressed run lengths, those that come so unseen; raise RecordError for others."""
    match counts:
        case str() if counts.isascii():
            return counts.encode("ascii")
        case bytes():
            return counts
        case list():
            return _pack(counts, size, where)
    raise RecordError(where, f"has a mask with counts {shown(repr(counts))}; give run lengths")


def require_filled(counts: Sequence[bytes], sizes: IntArray, where: Callable[[int], str]) -> None:
    """Raise RecordError for the first mask whose run lengths do not fill it.

    counts  N compressed run lengths
    sizes   [N, 2] (height, width) of each mask
    where   row to place in the file
    """
    for start in range(0, len(counts), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        wrong = find_unfilled(counts[rows], sizes[rows].prod(axis=1))
        if wrong is not None:
            row = start + wrong
            raise RecordError(
                where(row),
                f"has a mask whose run lengths do not fill its {sizes[row].tolist()} (height, "
                "width) pixels; the counts are damaged",
            )


def _pack(runs: list[Any], size: tuple[int, int], where: str) -> bytes:
    """Return run lengths in compressed form."""
    from pycocotools.mask import frPyObjects  # noqa: PLC0415 - only when masks are read

    height, width = size
    right = all(type(one) is int and one >= 0 for one in runs)
    if not right or sum(runs) != height * width:
        raise RecordError(
            where,
            f"has a mask with run lengths {shown(repr(runs))}, which must be whole numbers that "
            f"add up to the {height * width} pixels of {[height, width]} (height, width)",
        )
    packed: bytes = frPyObjects({"size": [height, width], "counts": runs}, height, width)["counts"]
    return packed


def _read_polygons(polygons: list[Any], size: tuple[int, int], where: str) -> bytes:
    from pycocotools.mask import frPyObjects, merge  # noqa: PLC0415 - only when masks are read

    for place, polygon in enumerate(polygons):
        right = isinstance(polygon, list) and len(polygon) % 2 == 0 and len(polygon) >= 2 * CORNERS
        if not right or not all(map(is_number, polygon)):
            raise RecordError(
                where,
                f"has polygon {place} {shown(repr(polygon))}; give x, y, x, y, ..., at least "
                f"{CORNERS} points of finite numbers",
            )
        corners = np.array(polygon, dtype=np.float64).reshape(-1, 2)
        if _outline(corners) > LONGEST_OUTLINE:
            raise RecordError(
                where, f"has polygon {place}, whose outline is too long for {list(size)} pixels"
            )
    packed: bytes = merge(frPyObjects(polygons, *size))["counts"]
    return packed


def _outline(corners: NDArray[np.float64]) -> float:
    """Return the length of a polygon [P, 2], and how far it lies from the picture's corner."""
    steps = np.abs(corners - np.roll(corners, 1, axis=0)).max(axis=1).sum()
    return float(steps + np.abs(corners).max())
