"""Marks: one object, shown on the image by points, a box, a scribble or a mask."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
"""(x, y) in pixels of the original image; pixel centres lie at +0.5."""

Stroke = tuple[Point, ...] | NDArray[np.bool_]
"""Corner points of a line, one point being a dot; or drawn pixels [H, W]."""


@dataclass(frozen=True, slots=True)
class PointMark:
    """Clicks on one object.

    points  (x, y) of each click
    labels  one per click: 1 on the object, 0 on what does not belong to it; at least one is 1
    """

    points: tuple[Point, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BoxMark:
    """A box around one object: xyxy in pixels, right and bottom exclusive."""

    xyxy: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class ScribbleMark:
    """A stroke drawn somewhere on one object.

    stroke  corner points of a line, one point being a dot; or the drawn pixels, [H, W] bool at
            the size of the image, read-only, at least one of them True
    """

    stroke: Stroke

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ScribbleMark) and _same(self.stroke, other.stroke)

    def __hash__(self) -> int:
        return _hash(self.stroke)


@dataclass(frozen=True, slots=True, eq=False)
class MaskMark:
    """All pixels of one object.

    mask  [H, W] bool at the size of the image, read-only, at least one True
    """

    mask: NDArray[np.bool_]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MaskMark) and _same(self.mask, other.mask)

    def __hash__(self) -> int:
        return _hash(self.mask)


Mark = PointMark | BoxMark | ScribbleMark | MaskMark
"""One object, shown on the image."""


def _same(a: Stroke, b: Stroke) -> bool:
    return type(a) is type(b) and np.array_equal(a, b)


def _hash(value: Stroke) -> int:
    return hash(value if isinstance(value, tuple) else (value.shape, value.tobytes()))
