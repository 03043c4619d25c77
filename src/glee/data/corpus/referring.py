"""Referring: finding a description that is true of one object of a scene and of no other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

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
    Thing,
    fits_only,
    judge,
)
from glee.data.corpus.colors import PALETTE, has_color
from glee.data.corpus.draws import chance
from glee.data.corpus.grammar import say, say_every, some

KINDS = ("plain", "color", "side", "extreme", "counted", "beside", "color and place")
"""Sorts of descriptions; all come about as often, where they fit."""

DESCRIPTIONS = 2
"""How many of an object are looked for."""

PHRASES = 3
"""Ways to say each that a sample has."""

WORD_TRIES, PLACE_TRIES = 2, 6

EVERY_SHARE = 0.06
"""Share of the expressions that mean all objects of a name."""


@dataclass(frozen=True, slots=True)
class Referred:
    """Expressions, and which things they mean; none for expressions that fit nothing."""

    expressions: tuple[str, ...]
    rows: tuple[int, ...]
    descriptions: tuple[Description, ...]


def refer(
    things: Sequence[Thing], targets: Sequence[int], unsayable: frozenset[str], rng: Generator
) -> Referred | None:
    """Describe one of the targets, or all of one name; None if nothing fits one of them only.

    things     all objects of the scene
    targets    rows of those that may be described, the best first
    unsayable  names of which the scene may show more than these things
    """
    for target in targets:
        if chance(rng, EVERY_SHARE) and (found := _every(things, target, unsayable, rng)):
            return found
        descriptions = _describe(things, target, unsayable, rng)
        if descriptions:
            texts = tuple(text for one in descriptions for text in some(say(one), rng, PHRASES))
            return Referred(texts, (target,), descriptions)
    return None


def mislead(
    things: Sequence[Thing],
    absent: Sequence[str],
    unsayable: frozenset[str],
    rng: Generator,
) -> Referred | None:
    """Return expressions that fit none of the things: of a wrong colour or place, or absent.

    absent  names that the scene is known not to show
    """
    for _ in range(12):
        thing = things[int(rng.integers(len(things)))]
        words = [word for word in thing.words if word not in unsayable]
        kind = int(rng.integers(3))
        if kind == 0 and absent:
            place = (
                next(_places("side", things, thing, unsayable, rng)) if chance(rng, 0.3) else None
            )
            description = Description(word=absent[int(rng.integers(len(absent)))], place=place)
        elif not words:
            continue
        elif kind == 1:
            color = list(PALETTE)[int(rng.integers(len(PALETTE)))]
            description = Description(word=words[0], color=color)
        else:
            place = next(_places("beside", things, thing, unsayable, rng), None)
            description = Description(word=words[0], place=place)
        if fits_only(judge(description, things), ()):
            return Referred(some(say(description), rng, PHRASES), (), (description,))
    return None


def _every(
    things: Sequence[Thing], target: int, unsayable: frozenset[str], rng: Generator
) -> Referred | None:
    for word in _words(things[target], unsayable, rng):
        description = Description(word=word)
        truths = judge(description, things)
        if None not in truths and truths.count(True) > 1:
            rows = tuple(n for n, truth in enumerate(truths) if truth)
            return Referred(some(say_every(description), rng, PHRASES), rows, (description,))
    return None


def _describe(
    things: Sequence[Thing], target: int, unsayable: frozenset[str], rng: Generator
) -> tuple[Description, ...]:
    """Return descriptions, each of another kind, that are true of one thing alone."""
    found: list[Description] = []
    for kind in rng.permutation(len(KINDS)):
        options = _options(KINDS[int(kind)], things, things[target], unsayable, rng)
        fitting = (one for one in options if fits_only(judge(one, things), (target,)))
        if description := next(fitting, None):
            found.append(description)
        if len(found) == DESCRIPTIONS:
            break
    return tuple(found)


def _options(
    kind: str,
    things: Sequence[Thing],
    thing: Thing,
    unsayable: frozenset[str],
    rng: Generator,
) -> Iterator[Description]:
    colors = [color for color in PALETTE if has_color(thing.colors, color)]
    for word in _words(thing, unsayable, rng):
        match kind:
            case "plain":
                yield Description(word=word)
            case "color":
                yield from (Description(word=word, color=color) for color in colors)
            case "color and place" if colors:
                sort = ("side", "extreme", "beside")[int(rng.integers(3))]
                for place in _places(sort, things, thing, unsayable, rng):
                    yield Description(word=word, color=colors[0], place=place)
            case _:
                for place in _places(kind, things, thing, unsayable, rng):
                    yield Description(word=word, place=place)


def _words(thing: Thing, unsayable: frozenset[str], rng: Generator) -> list[str]:
    """Return its own name, mostly first, and another word for it."""
    words = [word for word in thing.words if word not in unsayable]
    if len(words) > 1:
        other = words[1 + int(rng.integers(len(words) - 1))]
        words = [other, words[0]] if chance(rng, 0.25) else [words[0], other]
    return words[:WORD_TRIES]


def _places(
    kind: str,
    things: Sequence[Thing],
    thing: Thing,
    unsayable: frozenset[str],
    rng: Generator,
) -> Iterator[Place]:
    """Yield places of a kind in random order."""
    options: list[Place]
    match kind:
        case "side":
            options = [*(AtSide(side) for side in get_args(Side)), Central()]
        case "extreme":
            options = [Most(extreme) for extreme in get_args(Extreme)]
        case "counted":
            sides: tuple[Side, ...] = ("left", "right", "top")
            options = [Counted(number, side) for number in (1, 2, 3, 4) for side in sides]
        case "beside":
            anchors = [other.words[0] for other in things if other is not thing and other.words]
            options = [
                Beside(relation, anchor)
                for anchor in dict.fromkeys(anchors)
                if anchor not in unsayable and anchor not in thing.words
                for relation in get_args(Relation)
            ]
        case _:
            options = []
    order = (
        rng.permutation(len(options))[:PLACE_TRIES]
        if kind == "beside"
        else (rng.permutation(len(options)))
    )
    return (options[int(n)] for n in order)
