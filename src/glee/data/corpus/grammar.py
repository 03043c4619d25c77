"""Grammar: descriptions in words, several ways to say each."""

from collections.abc import Mapping, Sequence

from numpy.random import Generator

from glee.data.corpus.claims import (
    AtSide,
    Beside,
    Central,
    Counted,
    Description,
    Extreme,
    Most,
    Place,
    Relation,
    Side,
)

_PLAIN = ("the {n}", "{n}", "a {n}")
_COLORED = ("the {c} {n}", "{c} {n}", "the {n} that is {c}", "the {c} colored {n}")

_SIDES: Mapping[Side, tuple[str, ...]] = {
    "left": ("the {n} on the left", "left {n}", "the {n} at the left side", "{n} on the left side"),
    "right": (
        "the {n} on the right",
        "right {n}",
        "the {n} at the right side",
        "{n} on the right side",
    ),
    "top": ("the {n} at the top", "top {n}", "the upper {n}", "{n} at the top of the picture"),
    "bottom": ("the {n} at the bottom", "bottom {n}", "the lower {n}", "{n} at the bottom"),
}
_CENTRAL = ("the {n} in the middle", "middle {n}", "the {n} in the center", "central {n}")
_EXTREMES: Mapping[Extreme, tuple[str, ...]] = {
    "leftmost": ("the leftmost {n}", "leftmost {n}", "the {n} farthest to the left"),
    "rightmost": ("the rightmost {n}", "rightmost {n}", "the {n} farthest to the right"),
    "topmost": ("the topmost {n}", "the highest {n}", "the uppermost {n}"),
    "lowest": ("the lowest {n}", "the {n} closest to the bottom", "bottommost {n}"),
    "biggest": ("the biggest {n}", "the largest {n}", "largest {n}", "the big {n}", "large {n}"),
    "smallest": ("the smallest {n}", "smallest {n}", "the small {n}", "little {n}"),
}
_COUNTED = ("the {o} {n} from the {s}", "{o} {n} from the {s}")
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
_RELATIONS: Mapping[Relation, tuple[str, ...]] = {
    "left of": (
        "the {n} to the left of the {a}",
        "{n} left of the {a}",
        "the {n} on the left side of the {a}",
    ),
    "right of": (
        "the {n} to the right of the {a}",
        "{n} right of the {a}",
        "the {n} on the right side of the {a}",
    ),
    "above": ("the {n} above the {a}", "{n} above the {a}", "the {n} over the {a}"),
    "below": ("the {n} below the {a}", "{n} below the {a}", "the {n} under the {a}"),
    "next to": ("the {n} next to the {a}", "{n} beside the {a}", "the {n} near the {a}"),
}
_EVERY = ("every {n}", "each {n}", "any {n}", "all that is a {n}")


def say(description: Description) -> tuple[str, ...]:
    """Return the ways to say a description of one object."""
    name, color = description.word, description.color
    if description.place is None:
        return _fill(_PLAIN, n=name) if color is None else _fill(_COLORED, n=name, c=color)
    return _say_place(name if color is None else f"{color} {name}", description.place)


def _say_place(name: str, place: Place) -> tuple[str, ...]:
    match place:
        case AtSide(side):
            return _fill(_SIDES[side], n=name)
        case Central():
            return _fill(_CENTRAL, n=name)
        case Most(extreme):
            return _fill(_EXTREMES[extreme], n=name)
        case Counted(number, side):
            return _fill(_COUNTED, n=name, o=_ORDINALS[number - 1], s=side)
        case Beside(relation, anchor):
            return _fill(_RELATIONS[relation], n=name, a=anchor)


def say_every(description: Description) -> tuple[str, ...]:
    """Return the ways to say a name, and perhaps a colour, of all objects that have them."""
    color = description.color
    return _fill(_EVERY, n=description.word if color is None else f"{color} {description.word}")


def some(texts: Sequence[str], rng: Generator, count: int) -> tuple[str, ...]:
    """Return some of the texts, in random order."""
    order = rng.permutation(len(texts))[:count]
    return tuple(texts[int(n)] for n in order)


def _fill(patterns: tuple[str, ...], **words: str) -> tuple[str, ...]:
    return tuple(_with_article(pattern.format(**words)) for pattern in patterns)


def _with_article(text: str) -> str:
    """Put "an" for "a" before a vowel."""
    if text.startswith("a ") and text[2] in "aeiou":
        return f"an {text[2:]}"
    return text
