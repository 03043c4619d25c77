"""Reading marks: what a user gives for an object becomes a mark, or an error that names it."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from glee.prompts.entries import Entries, list_entries, plain
from glee.prompts.marks import BoxMark, Point, PointMark, ScribbleMark

WHITE = 255  # how image files say True


def read_points(points: Entries, labels: Entries | None) -> list[PointMark]:
    """Read the arguments `points` and `point_labels`, an object for each entry."""
    entries = list_entries("points", points)
    if labels is None:
        return [_point_mark(name, entry) for name, entry in entries]
    rows = list_entries("point_labels", labels)
    _require_labels("points", entries, "point_labels", rows)
    return [_point_mark(*entry, *row) for entry, row in zip(entries, rows, strict=True)]


def _point_mark(
    name: str, entry: Any, labels_name: str = "point_labels", labels: Any = None
) -> PointMark:
    """Read one entry of points: a click, or several clicks on the same object."""
    entry, labels = plain(entry), plain(labels)
    if isinstance(entry, list) and any(isinstance(value, list) for value in entry):
        points = tuple(_point(f"{name}[{i}]", point) for i, point in enumerate(entry))
    else:
        points = tuple([_point(name, entry)])
    if labels is None:
        return PointMark(points, (1,) * len(points))
    labels = labels if isinstance(labels, list) else [labels]
    _require_labels(name, points, labels_name, labels)
    if any(label not in (0, 1) for label in labels):
        raise ValueError(f"{labels_name} must be 1 (keep) or 0 (exclude), got {labels!r}")
    if 1 not in labels:
        raise ValueError(
            f"{name} has no point with label 1; every entry is one object, so put its "
            "points in one list: points=[[(120, 85), (300, 40)]], point_labels=[[1, 0]]"
        )
    return PointMark(points, tuple(int(label) for label in labels))


def _require_labels(name: str, rows: Sequence[Any], of: str, labels: Sequence[Any]) -> None:
    if len(rows) != len(labels):
        raise ValueError(
            f"{name} has {len(rows)} rows but {of} has {len(labels)}; "
            "give one label (1 keep, 0 exclude) per point"
        )


def read_box(name: str, entry: Any) -> BoxMark:
    """Read one entry of boxes; `name` is what messages call it."""
    x1, y1, x2, y2 = _numbers(name, plain(entry), "x1, y1, x2, y2")
    if x2 <= x1 or y2 <= y1:
        raise ValueError(
            f"{name} must have x1 < x2 and y1 < y2, got ({x1:g}, {y1:g}, {x2:g}, {y2:g}); "
            "boxes are corners, not width and height"
        )
    return BoxMark((x1, y1, x2, y2))


def read_scribble(name: str, entry: Any) -> ScribbleMark:
    """Read one entry of scribbles: a line, or drawn pixels."""
    if not isinstance(entry, list | tuple) and not _is_line(entry):
        return ScribbleMark(read_pixels(name, entry))
    points = plain(entry)
    if not points or not all(isinstance(point, list) for point in points):
        raise ValueError(
            f"{name} must be a mask [H, W] or a list of (x, y), got {points!r}; every entry is "
            "one object: scribbles=[[(120, 85), (140, 90)]]"
        )
    return ScribbleMark(tuple(_point(f"{name}[{i}]", point) for i, point in enumerate(points)))


def _is_line(entry: Any) -> bool:
    """Tell an array of points [N, 2] from a mask, which is bool if it is so narrow."""
    is_array = isinstance(entry, np.ndarray | Tensor)
    return is_array and entry.shape[1:] == (2,) and "bool" not in str(entry.dtype)


def _point(name: str, value: Any) -> Point:
    x, y = _numbers(name, value, "x, y")
    return x, y


def _numbers(name: str, value: Any, form: str) -> list[float]:
    """Check that `value` holds one finite number for each word of `form`."""
    parts = value if isinstance(value, list) else []
    numbers = [part for part in parts if isinstance(part, int | float)]
    if not len(numbers) == len(parts) == len(form.split()):
        raise ValueError(
            f"{name} must be ({form}), got {value!r}; every entry is one object, "
            f"in a list also if there is only one: [({form})]"
        )
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError(f"{name} must be finite, got {value!r}")
    return [float(number) for number in numbers]


def read_pixels(name: str, value: Any) -> NDArray[np.bool_]:
    """Copy one mask of 0/1 or 0/255 to a read-only bool array with at least one True."""
    if not isinstance(value, np.ndarray | Tensor | Image.Image):
        raise TypeError(
            f"{name} must be a numpy array, torch tensor or PIL image [H, W], "
            f"got {type(value).__name__}"
        )
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        value = value.float() if value.is_floating_point() else value  # NumPy has no bfloat16
    array = np.asarray(value)
    if len(array.shape) != len("HW"):
        raise ValueError(f"{name} must be a mask [H, W], got {list(array.shape)}")
    if not array.any():
        raise ValueError(f"{name} has no True pixel; mark at least one pixel of the object")
    if not ((array == 0) | (array == (WHITE if array.max() == WHITE else 1))).all():
        raise ValueError(
            f"{name} must hold 0 and 1, or 0 and 255, got values from {array.min()} to "
            f"{array.max()}; compare first, such as mask > 0.5"
        )
    pixels = np.array(array, dtype=np.bool_)
    pixels.flags.writeable = False
    return pixels
