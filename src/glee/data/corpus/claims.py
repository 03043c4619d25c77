"""Claims about objects of a scene: true, false, or not clear enough to be said.

What is said of an object may only be said if it is true of it and false of all others: between
them lies what people may disagree on.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from glee.data.corpus.colors import has_color

Truth = bool | None
"""True, False, or None where it is not clear."""

Truths = list[Truth]
"""The truth of a claim for each object of a scene."""

Side = Literal["left", "right", "top", "bottom"]
Extreme = Literal["leftmost", "rightmost", "topmost", "lowest", "biggest", "smallest"]
Relation = Literal["left of", "right of", "above", "below", "next to"]

MARGIN = 0.08
"""How far apart, in sides of the canvas, centres must lie to be told apart."""

SIZE_RATIO = 1.7
"""How many times larger, in pixels, an object must be to be called so."""

NEAR, FAR = 0.06, 0.2
"""Gaps between boxes, in sides of the canvas, up to which and from which on they are neighbours
for certain, or are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """What can be said of one object.

    words   true names of it, its own first
    maybe   names that may be true of it
    box     xyxy in shares of the canvas
    area    what is seen of it, in shares of the canvas
    colors  the share of each colour in it; empty where colours were not measured
    """

    words: tuple[str, ...]
    maybe: frozenset[str]
    box: tuple[float, float, float, float]
    area: float
    colors: Mapping[str, float]

    @property
    def center(self) -> tuple[float, float]:
        """(x, y) of its box, in shares of the canvas."""
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2

    def is_called(self, word: str) -> Truth:
        """Return whether a name is true of it."""
        if word in self.words:
            return True
        return None if word in self.maybe else False


@dataclass(frozen=True, slots=True)
class AtSide:
    """On one side of the picture, and the outermost there of its kind."""

    side: Side


@dataclass(frozen=True, slots=True)
class Central:
    """In the middle of the picture."""


@dataclass(frozen=True, slots=True)
class Most:
    """The outermost, or the largest or smallest, of its kind."""

    extreme: Extreme


@dataclass(frozen=True, slots=True)
class Counted:
    """The n-th of its kind, from one side; counted from 1."""

    number: int
    side: Side


@dataclass(frozen=True, slots=True)
class Beside:
    """Where it lies from the only thing called `anchor`."""

    relation: Relation
    anchor: str


Place = AtSide | Central | Most | Counted | Beside


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What is said of an object: a name, and perhaps a colour and a place."""

    word: str
    color: str | None = None
    place: Place | None = None


def judge(description: Description, things: Sequence[Thing]) -> Truths:
    """Return for each thing whether a description is true of it."""
    kind = [thing.is_called(description.word) for thing in things]
    if description.color is not None:
        color = description.color
        kind = _both(kind, [_is_colored(thing, color) for thing in things])
    if description.place is None:
        return kind
    return _both(kind, _placed(description.place, things, kind))


def _placed(place: Place, things: Sequence[Thing], kind: Truths) -> Truths:
    """Return for each thing whether it is where a description says that one of a kind is."""
    match place:
        case AtSide(side):
            there = [_at(thing, side) for thing in things]
            alone = kind.count(False) >= len(kind) - 1
            return there if alone else _both(there, _outermost(things, kind, side))
        case Central():
            return [_central(thing) for thing in things]
        case Most(extreme):
            return _extreme(things, kind, extreme)
        case Counted(number, side):
            return _counted(things, kind, number, side)
        case Beside(relation, anchor):
            return _beside(things, kind, relation, anchor)


def fits_only(truths: Truths, rows: Sequence[int]) -> bool:
    """Return whether something is true of some things, and clearly false of all others."""
    return all(truth is (n in rows) for n, truth in enumerate(truths))


def _is_colored(thing: Thing, color: str) -> Truth:
    return has_color(thing.colors, color) if thing.colors else None


def _both(one: Truths, two: Truths) -> Truths:
    return [_and(a, b) for a, b in zip(one, two, strict=True)]


def _and(one: Truth, two: Truth) -> Truth:
    if one is False or two is False:
        return False
    return None if one is None or two is None else True


def _depth(side: Side) -> Callable[[Thing], float]:
    """Return the function that grows towards a side."""
    match side:
        case "left":
            return lambda thing: -thing.center[0]
        case "right":
            return lambda thing: thing.center[0]
        case "top":
            return lambda thing: -thing.center[1]
    return lambda thing: thing.center[1]


SIDE_OF: Mapping[Extreme, Side] = {
    "leftmost": "left",
    "rightmost": "right",
    "topmost": "top",
    "lowest": "bottom",
}


def _outermost(things: Sequence[Thing], kind: Truths, side: Side) -> Truths:
    depth = _depth(side)
    return _beats(things, kind, lambda a, b: depth(a) > depth(b) + MARGIN)


def _extreme(things: Sequence[Thing], kind: Truths, extreme: Extreme) -> Truths:
    match extreme:
        case "biggest":
            return _beats(things, kind, lambda a, b: a.area > SIZE_RATIO * b.area)
        case "smallest":
            return _beats(things, kind, lambda a, b: SIZE_RATIO * a.area < b.area)
    return _outermost(things, kind, SIDE_OF[extreme])


def _beats(things: Sequence[Thing], kind: Truths, more: Callable[[Thing, Thing], bool]) -> Truths:
    """Return which thing of a kind clearly beats all others that may be of it.

    Nothing is the first or the last of one.
    """
    if kind.count(False) > len(kind) - 2:
        return [None] * len(kind)
    truths: Truths = []
    for n, thing in enumerate(things):
        others = [(kind[m], other) for m, other in enumerate(things) if m != n]
        if all(of_kind is False or more(thing, other) for of_kind, other in others):
            truths.append(True)
        elif any(of_kind is True and more(other, thing) for of_kind, other in others):
            truths.append(False)
        else:
            truths.append(None)
    return truths


def _at(thing: Thing, side: Side) -> Truth:
    from_middle = _depth(side)(thing) + (0.5 if side in ("left", "top") else -0.5)
    if from_middle > MARGIN:
        return True
    return False if from_middle < -MARGIN else None


def _central(thing: Thing) -> Truth:
    off = max(abs(thing.center[0] - 0.5), abs(thing.center[1] - 0.5))
    if off < 1.5 * MARGIN:
        return True
    return False if off > 3 * MARGIN else None


def _counted(things: Sequence[Thing], kind: Truths, number: int, side: Side) -> Truths:
    depth = _depth(side)
    members = sorted((n for n in range(len(things)) if kind[n]), key=lambda n: -depth(things[n]))
    gaps = [depth(things[a]) - depth(things[b]) for a, b in pairwise(members)]
    if None in kind or not number <= len(members) > 1 or (gaps and min(gaps) < MARGIN):
        return [None] * len(things)
    return [n == members[number - 1] for n in range(len(things))]


def _beside(things: Sequence[Thing], kind: Truths, relation: Relation, anchor: str) -> Truths:
    called = [thing.is_called(anchor) for thing in things]
    if None in called or called.count(True) != 1 or kind[called.index(True)] is not False:
        return [None] * len(things)
    other = things[called.index(True)]
    return [
        False if is_it else _relates(thing, other, relation)
        for is_it, thing in zip(called, things, strict=True)
    ]


def _relates(thing: Thing, anchor: Thing, relation: Relation) -> Truth:
    across, down = (b - a for a, b in zip(thing.center, anchor.center, strict=True))
    match relation:
        case "left of":
            return _lies(across, down)
        case "right of":
            return _lies(-across, down)
        case "above":
            return _lies(down, across)
        case "below":
            return _lies(-down, across)
    gap = _gap(thing, anchor)
    if gap < NEAR:
        return True
    return False if gap > FAR else None


def _lies(along: float, aside: float) -> Truth:
    """Return whether the way to the anchor leads in one direction rather than aside."""
    if along > MARGIN and abs(aside) < along:
        return True
    return False if along < MARGIN / 4 else None


def _gap(one: Thing, two: Thing) -> float:
    across = max(one.box[0] - two.box[2], two.box[0] - one.box[2], 0.0)
    down = max(one.box[1] - two.box[3], two.box[1] - one.box[3], 0.0)
    return max(across, down)
