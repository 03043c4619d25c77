"""Prompts: what to look for, as names, expressions or marks on the image; checked once, here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from glee.ops.masks import Rle, decode_rle, encode_rle
from glee.prompts.entries import Entries, list_entries
from glee.prompts.marks import BoxMark, Mark, MaskMark, PointMark, ScribbleMark, Stroke
from glee.prompts.reading import read_box, read_pixels, read_points, read_scribble
from glee.prompts.text import read_categories, read_expressions

ARGUMENTS = ("categories", "expression", "points", "point_labels", "boxes", "scribbles", "masks")


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
        names = read_categories(categories)
        expressions = read_expressions(expression)
        marks = (
            *read_points(points, point_labels),
            *(read_box(name, entry) for name, entry in list_entries("boxes", boxes)),
            *(read_scribble(name, entry) for name, entry in list_entries("scribbles", scribbles)),
            *(MaskMark(read_pixels(name, entry)) for name, entry in list_entries("masks", masks)),
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
            name: [_from_json(*entry) for entry in list_entries(name, values[name])]
            for name in ("scribbles", "masks")
            if name in values
        }
        return Prompts(**{**values, **decoded})


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
