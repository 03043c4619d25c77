"""Prompts: what to look for, as names, expressions or marks on the image; checked once, here."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from glee.ops.masks import Rle, decode_rle, encode_rle

Point = tuple[float, float]
"""(x, y) in pixels of the original image; pixel centres lie at +0.5."""

Stroke = tuple[Point, ...] | NDArray[np.bool_]
"""Corner points of a line, one point being a dot; or drawn pixels [H, W]."""

Entries = Sequence[Any] | NDArray[Any] | Tensor
"""One entry per object, as a list or as one array."""

CLEANING = str.maketrans("-/", "  ", ".,'!?\"()*#:;")

ARGUMENTS = ("categories", "expression", "points", "point_labels", "boxes", "scribbles", "masks")

WHITE = 255  # how image files say True


def clean_expression(text: str) -> str:
    """Return an expression in the form that the released weights were trained with.

    Lower case; the characters . , ' ! ? " ( ) * # : ; are deleted; - and / become spaces.
    """
    return text.lower().translate(CLEANING)


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


@dataclass(frozen=True, slots=True, init=False)
class Prompts:
    """What to look for in an image: text, marks, or both.

    Build it from `categories` (every object of each name) or `expression` (the one object that
    each string describes), from marks, or from one of the two and marks. Every top-level entry of
    a mark argument is one object; lists, numpy arrays and torch tensors are taken alike:

    points        (x, y), or a list of (x, y) for several clicks on the same object
    point_labels  as nested as points: 1 keep, 0 exclude; all 1 if not given
    boxes         (x1, y1, x2, y2), right and bottom exclusive
    scribbles     a line as list of (x, y), or the drawn pixels as mask [H, W]
    masks         [P, H, W], or a list of [H, W] arrays or PIL images; values 0/1 or 0/255

    Coordinates are pixels of the original image. The fields hold what was given in one form:
    names without surrounding spaces, and one mark per object, points before boxes, scribbles and
    masks.

    Raises ValueError or TypeError, naming the argument, for anything else.
    """

    categories: tuple[str, ...]
    expressions: tuple[str, ...]
    marks: tuple[Mark, ...]

    def __init__(  # noqa: PLR0913  # one keyword for each kind of prompt
        self,
        *,
        categories: Sequence[str] = (),
        expression: str | Sequence[str] = (),
        points: Entries = (),
        point_labels: Entries | None = None,
        boxes: Entries = (),
        scribbles: Entries = (),
        masks: Entries = (),
    ) -> None:
        names = _categories(categories)
        expressions = _expressions(expression)
        marks = (
            *_point_marks(points, point_labels),
            *(_box_mark(name, entry) for name, entry in _entries("boxes", boxes)),
            *(_scribble_mark(name, entry) for name, entry in _entries("scribbles", scribbles)),
            *(MaskMark(_pixels(name, entry)) for name, entry in _entries("masks", masks)),
        )
        if names and expressions:
            raise ValueError(
                "categories and expression were both given; use categories to find every object "
                "of each name, or expression to find the one object that it describes"
            )
        if marks and len(expressions) > 1:
            raise ValueError(
                f"expression has {len(expressions)} texts beside marks; give one, which all "
                "marked objects share"
            )
        if not (names or expressions or marks):
            raise ValueError(
                "no prompt given; use categories, expression, points, boxes, scribbles or masks"
            )
        object.__setattr__(self, "categories", names)
        object.__setattr__(self, "expressions", expressions)
        object.__setattr__(self, "marks", marks)

    @property
    def names(self) -> tuple[str, ...]:
        """What the labels of results index: the categories, or expressions, or ("object",)."""
        return self.categories or self.expressions or ("object",)

    @staticmethod
    def coerce(value: "Prompts | Sequence[str]") -> "Prompts":
        """Return prompts as they are, and a list of names as `Prompts(categories=names)`.

        Raises TypeError for a single string, which could be a name or an expression.
        """
        if isinstance(value, Prompts):
            return value
        if isinstance(value, str):
            raise TypeError(
                f"prompts is the string {value!r}; write [{value!r}] for a name, or "
                f"Prompts(expression={value!r}) for a description"
            )
        return Prompts(categories=value)

    def to_json(self) -> dict[str, Any]:
        """Return these prompts as plain JSON values: the arguments that build them.

        Masks and drawn pixels are COCO run lengths, {"size": [H, W], "counts": str}.
        """
        points = [mark for mark in self.marks if isinstance(mark, PointMark)]
        values = {
            "categories": list(self.categories),
            "expression": list(self.expressions),
            "points": [[list(point) for point in mark.points] for mark in points],
            "point_labels": [list(mark.labels) for mark in points],
            "boxes": [list(mark.xyxy) for mark in self.marks if isinstance(mark, BoxMark)],
            "scribbles": [
                _to_json(mark.stroke) for mark in self.marks if isinstance(mark, ScribbleMark)
            ],
            "masks": [_to_json(mark.mask) for mark in self.marks if isinstance(mark, MaskMark)],
        }
        return {name: value for name, value in values.items() if value}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> "Prompts":
        """Build prompts from what `to_json` returns.

        Raises ValueError for unknown names and, as the constructor does, for values that do not
        make sense.
        """
        if unknown := sorted(set(values) - set(ARGUMENTS)):
            raise ValueError(
                f"unknown prompt {', '.join(unknown)}; choose from {', '.join(ARGUMENTS)}"
            )
        decoded = {
            name: [_from_json(*entry) for entry in _entries(name, values[name])]
            for name in ("scribbles", "masks")
            if name in values
        }
        return Prompts(**{**values, **decoded})


def _same(a: Stroke, b: Stroke) -> bool:
    return type(a) is type(b) and np.array_equal(a, b)


def _hash(value: Stroke) -> int:
    return hash(value if isinstance(value, tuple) else (value.shape, value.tobytes()))


def _categories(values: Sequence[str]) -> tuple[str, ...]:
    """Check names and strip the spaces around them."""
    if isinstance(values, str):
        split = [part.strip() for part in values.split(",")]
        raise TypeError(
            f"categories must be a list of names, got the string {values!r}; "
            f"write categories={split!r}"
        )
    names = _texts("categories", values)
    first: dict[str, int] = {}
    for i, name in enumerate(names):
        if name in first:
            raise ValueError(f"categories[{i}] repeats categories[{first[name]}] ({name!r})")
        first[name] = i
    return names


def _expressions(value: str | Sequence[str]) -> tuple[str, ...]:
    """Check expressions and strip the spaces around them; two may be the same."""
    expressions = _texts("expression", [value] if isinstance(value, str) else value)
    for expression in expressions:
        if not clean_expression(expression).strip():
            raise ValueError(f"expression {expression!r} has no word in it")
    return expressions


def _texts(name: str, values: Sequence[str]) -> tuple[str, ...]:
    plain = _plain(values)
    if not isinstance(plain, list):
        raise TypeError(f"{name} must be a list of strings, got {type(values).__name__}")
    for i, value in enumerate(plain):
        if not isinstance(value, str):
            raise TypeError(f"{name}[{i}] must be a string, got {value!r}")
        if not value.strip():
            raise ValueError(f"{name}[{i}] is empty ({value!r}); give a name or leave it out")
    return tuple(value.strip() for value in plain)


def _point_marks(points: Entries, labels: Entries | None) -> list[PointMark]:
    entries = _entries("points", points)
    if labels is None:
        return [_point_mark(name, entry) for name, entry in entries]
    rows = _entries("point_labels", labels)
    _require_labels("points", entries, "point_labels", rows)
    return [_point_mark(*entry, *row) for entry, row in zip(entries, rows, strict=True)]


def _point_mark(
    name: str, entry: Any, labels_name: str = "point_labels", labels: Any = None
) -> PointMark:
    """Read one entry of points: a click, or several clicks on the same object."""
    entry, labels = _plain(entry), _plain(labels)
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


def _box_mark(name: str, entry: Any) -> BoxMark:
    x1, y1, x2, y2 = _numbers(name, _plain(entry), "x1, y1, x2, y2")
    if x2 <= x1 or y2 <= y1:
        raise ValueError(
            f"{name} must have x1 < x2 and y1 < y2, got ({x1:g}, {y1:g}, {x2:g}, {y2:g}); "
            "boxes are corners, not width and height"
        )
    return BoxMark((x1, y1, x2, y2))


def _scribble_mark(name: str, entry: Any) -> ScribbleMark:
    if not isinstance(entry, list | tuple) and not _is_line(entry):
        return ScribbleMark(_pixels(name, entry))
    points = _plain(entry)
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


def _entries(name: str, values: Entries) -> list[tuple[str, Any]]:
    """List the entries of an argument with their names for messages."""
    if not isinstance(values, np.ndarray | Tensor | list | tuple):
        raise TypeError(f"{name} must be a list with one entry per object, got {values!r}")
    return [(f"{name}[{i}]", value) for i, value in enumerate(values)]


def _plain(value: Any) -> Any:
    """Turn arrays, tensors and tuples into lists of plain values."""
    if isinstance(value, np.ndarray | np.generic | Tensor):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value


def _pixels(name: str, value: Any) -> NDArray[np.bool_]:
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


def _to_json(stroke: Stroke) -> Any:
    if isinstance(stroke, tuple):
        return [list(point) for point in stroke]
    return encode_rle(torch.tensor(stroke)[None])[0]


def _from_json(name: str, entry: Any) -> Any:
    if not isinstance(entry, Mapping):
        return entry
    try:
        height, width = entry["size"]
        rle = Rle(size=[height, width], counts=entry["counts"])
        return decode_rle([rle], (height, width))[0]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f'{name} must be run lengths {{"size": [H, W], "counts": ...}}: {error}'
        ) from error
