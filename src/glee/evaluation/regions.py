"""Regions: what an object covers, as a box, a mask, a mask in every frame, or a box in some."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from glee.evaluation.arrays import FloatArray, IntArray, require_boxes, require_rows

Rle = dict[str, object]
"""A mask as pycocotools takes it: compressed counts, and size [height, width]."""

# Odd 64-bit factors: a sum of products of a box's bits with them tells boxes apart.
_MIXERS = np.array(
    [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93],
    dtype=np.uint64,
)


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """One box for each object.

    xywh  [N, 4] float64, left, top, width and height in pixels. Unlike elsewhere in this package,
          where boxes are xyxy, COCO's own format stays: its tools compare in these numbers, and
          left + width - left is not always width.

    Raises ValueError for numbers that are not finite and for negative sizes.
    """

    xywh: FloatArray

    def __post_init__(self) -> None:
        require_boxes("boxes", self.xywh)

    def __len__(self) -> int:
        return len(self.xywh)

    def take(self, rows: IntArray) -> "Boxes":
        """Return the boxes in `rows`, in that order."""
        return Boxes(self.xywh[rows])

    def areas(self) -> FloatArray:
        """Return [N] areas in pixels."""
        return self.xywh[:, 2] * self.xywh[:, 3]

    def fingerprints(self) -> IntArray:
        """Return [N] numbers that are equal for equal boxes and hardly ever for others."""
        # Adding 0 turns -0.0 into 0.0, which equals it but has other bits.
        mixed: IntArray = ((self.xywh + 0.0).view(np.uint64) * _MIXERS).sum(axis=1).view(np.int64)
        return mixed


@dataclass(frozen=True, slots=True, eq=False)
class Masks:
    """One mask for each object.

    counts  N compressed run lengths as COCO writes them, in ASCII
    sizes   [N, 2] int64, (height, width) of each mask in pixels
    """

    counts: Sequence[bytes]
    sizes: IntArray

    def __post_init__(self) -> None:
        require_rows("sizes", self.sizes, len(self.counts))

    def __len__(self) -> int:
        return len(self.counts)

    def take(self, rows: IntArray) -> "Masks":
        """Return the masks in `rows`, in that order."""
        return Masks([self.counts[row] for row in rows], self.sizes[rows])

    def rles(self) -> list[Rle]:
        """Return the masks as pycocotools takes them."""
        return [_rle(one, size) for one, size in zip(self.counts, self.sizes, strict=True)]

    def areas(self) -> FloatArray:
        """Return [N] areas in pixels."""
        pairs = zip(self.counts, self.sizes, strict=True)
        return mask_areas(_rle(counts, size) for counts, size in pairs)

    def fingerprints(self) -> IntArray:
        """Return [N] numbers that are equal for equal masks and hardly ever for others."""
        return np.fromiter(map(hash, self.counts), np.int64, len(self))


@dataclass(frozen=True, slots=True, eq=False)
class Tubes:
    """One mask in each frame for each object of a video.

    frames  N lists with the compressed run lengths of every frame of the video, None where the
            object is absent
    sizes   [N, 2] int64, (height, width) of each video in pixels
    """

    frames: Sequence[Sequence[bytes | None]]
    sizes: IntArray

    def __post_init__(self) -> None:
        require_rows("sizes", self.sizes, len(self.frames))

    def __len__(self) -> int:
        return len(self.frames)

    def take(self, rows: IntArray) -> "Tubes":
        """Return the tubes in `rows`, in that order."""
        return Tubes([self.frames[row] for row in rows], self.sizes[rows])

    def rles(self) -> list[list[Rle | None]]:
        """Return the masks of each frame as pycocotools takes them."""
        return [
            [None if one is None else _rle(one, size) for one in frames]
            for frames, size in zip(self.frames, self.sizes, strict=True)
        ]

    def areas(self) -> FloatArray:
        """Return [N] mean areas in pixels over the frames with any pixel; 0 without such frames."""
        means = np.zeros(len(self))
        for row, rles in enumerate(self.rles()):
            areas = mask_areas(one for one in rles if one is not None)
            if areas.any():
                means[row] = areas[areas > 0].mean()
        return means

    def fingerprints(self) -> IntArray:
        """Return [N] numbers that are equal for equal tubes and hardly ever for others."""
        return np.array([hash(tuple(frames)) for frames in self.frames], dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """Boxes in some frames for each object of a video.

    frames  N arrays [n] int64, the annotated frames (ids of images) that have a box, each once
    xywh    N arrays [n, 4] float64, left, top, width and height in pixels
    """

    frames: Sequence[IntArray]
    xywh: Sequence[FloatArray]

    def __post_init__(self) -> None:
        require_rows("xywh", self.xywh, len(self.frames))
        for row, (frames, boxes) in enumerate(zip(self.frames, self.xywh, strict=True)):
            require_boxes(f"xywh[{row}]", boxes)
            require_rows(f"xywh[{row}]", boxes, len(frames))
            if not len(frames) or len(np.unique(frames)) != len(frames):
                raise ValueError(f"track {row} needs one box a frame, got frames {frames.tolist()}")

    def __len__(self) -> int:
        return len(self.frames)

    def take(self, rows: IntArray) -> "Tracks":
        """Return the tracks in `rows`, in that order."""
        return Tracks([self.frames[row] for row in rows], [self.xywh[row] for row in rows])

    def areas(self) -> FloatArray:
        """Return [N] mean areas of the boxes in pixels."""
        # Python's sum keeps the order of TAO's toolkit: areas decide about ranges.
        return np.array([sum((one[:, 2] * one[:, 3]).tolist()) / len(one) for one in self.xywh])

    def lengths(self) -> FloatArray:
        """Return [N] numbers of frames with a box."""
        return np.array([len(one) for one in self.frames], dtype=np.float64)

    def fingerprints(self) -> IntArray:
        """Return [N] numbers that are equal for equal tracks and hardly ever for others."""
        pairs = zip(self.frames, self.xywh, strict=True)
        return np.array([hash((a.tobytes(), b.tobytes())) for a, b in pairs], dtype=np.int64)


Regions = Boxes | Masks | Tubes | Tracks


def _rle(counts: bytes, size: IntArray) -> Rle:
    return {"counts": counts, "size": size.tolist()}


def mask_areas(rles: Iterable[Rle]) -> FloatArray:
    """Return the [N] areas in pixels of masks as pycocotools takes them."""
    from pycocotools.mask import area  # noqa: PLC0415 - only when masks are compared

    areas, rest = [np.zeros(0)], iter(rles)
    # In batches, because pycocotools 2.0.11 keeps the number of masks in a byte.
    while batch := list(islice(rest, 255)):
        areas.append(area(batch))
    return np.concatenate(areas)
