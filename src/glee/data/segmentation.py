"""Segmentations as annotation files store them: checked, packed small, and as run lengths."""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from glee.ops.masks import Rle, encode_rle

Size = tuple[int, int]

POLYGON_NUMBERS = 6
"""Numbers of the smallest polygon: x and y of three points."""

DECIMALS = 3
"""To which coordinates are rounded: files have fewer, and those of float32 are this good."""

LONGEST_SIDE = 2**17
"""Pixels of the longest side that an image may have."""

LONGEST_OUTLINE = 2**21
"""Pixels around a polygon; pycocotools needs memory for each, and crashes without it."""

RUNS, POLYGONS = b"r", b"p"


def pack_segmentation(segmentation: Any) -> bytes:
    """Check a segmentation of COCO's JSON and make it small.

    segmentation  a list of polygons [x1, y1, x2, y2, ...] in pixels, or run lengths
                  {"size": [height, width], "counts": text or list}
    Returns what `unpack_segmentation` reads: float32 coordinates, or compressed run lengths.
    Raises ValueError, in a few words, for what is neither.
    """
    match segmentation:
        case {"size": [int(height), int(width)], "counts": str() | list() as counts}:
            if min(height, width) < 1 or max(height, width) > LONGEST_SIDE:
                raise ValueError("run lengths of a size that no image has")
            return RUNS + struct.pack("<II", height, width) + _compress(counts, (height, width))
        case [_, *_] if all(isinstance(ring, list) for ring in segmentation):
            return POLYGONS + b"".join(_pack_ring(ring) for ring in segmentation)
    raise ValueError("segmentation that is neither polygons nor run lengths")


def packed_size(packed: bytes) -> Size | None:
    """Return the (height, width) that packed run lengths have, None for polygons."""
    if packed[:1] != RUNS:
        return None
    height, width = struct.unpack_from("<II", packed, 1)
    return height, width


def unpack_segmentation(packed: bytes, size: Size) -> Rle:
    """Return run lengths for an image.

    packed  what `pack_segmentation` has made
    size    (height, width) of the image, at which polygons are drawn
    """
    from pycocotools.mask import frPyObjects, merge  # noqa: PLC0415 - only when masks are read

    if (own := packed_size(packed)) is not None:
        return Rle(size=list(own), counts=packed[9:].decode("ascii"))
    rings, place = [], 1
    while place < len(packed):
        (count,) = struct.unpack_from("<I", packed, place)
        values = np.frombuffer(packed, np.float32, count, place + 4)
        rings.append(values.astype(np.float64).round(DECIMALS).tolist())
        place += 4 + 4 * count
    drawn = merge(frPyObjects(rings, *size))
    return Rle(size=list(size), counts=drawn["counts"].decode("ascii"))


def masks_to_boxes(masks: Sequence[Rle]) -> NDArray[np.float32]:
    """Return the tightest box [N, 4] xyxy around each mask, zeros for an empty one."""
    from pycocotools.mask import toBbox  # noqa: PLC0415 - only when masks are read

    xywh = np.asarray(toBbox(list(masks)), dtype=np.float32).reshape(-1, 4)
    return np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)


def index_to_masks(index: NDArray[np.uint8], ids: Sequence[int]) -> tuple[Rle, ...]:
    """Return the mask of each object of an index picture.

    index  [H, W], the number of the object that covers each pixel
    ids    N numbers
    """
    numbers = torch.tensor(ids, dtype=torch.uint8)
    return tuple(encode_rle(torch.from_numpy(index) == numbers[:, None, None]))


def _pack_ring(ring: list[Any]) -> bytes:
    if len(ring) < POLYGON_NUMBERS:
        raise ValueError("polygon with fewer than three points")
    if len(ring) % 2:
        raise ValueError("polygon with an odd number of coordinates")
    try:
        values = np.array(ring, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError("polygon with a coordinate that is no number") from error
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError("polygon with a coordinate that is no number")
    points = values.reshape(-1, 2)
    if np.abs(points - np.roll(points, 1, axis=0)).max(1).sum() > LONGEST_OUTLINE:
        raise ValueError("polygon with an outline longer than any object's")
    return struct.pack("<I", len(ring)) + values.tobytes()


def _compress(counts: str | list[Any], size: Size) -> bytes:
    """Return compressed run lengths of counts, given compressed already or as a list."""
    if isinstance(counts, str):
        if not counts.isascii():
            raise ValueError("run lengths that are no run lengths")
        return counts.encode("ascii")
    from pycocotools.mask import frPyObjects  # noqa: PLC0415 - only when masks are read

    if not all(isinstance(run, int) and run >= 0 for run in counts):
        raise ValueError("run lengths that are no run lengths")
    if sum(counts) != size[0] * size[1]:
        raise ValueError("run lengths that do not fill their size")
    packed: bytes = frPyObjects({"size": list(size), "counts": counts}, *size)["counts"]
    return packed
