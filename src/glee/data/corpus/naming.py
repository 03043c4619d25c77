"""Naming: what the objects of a scene are called, and of which names it teaches absence."""

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.random import Generator

from glee.data.corpus.draws import chance
from glee.data.corpus.kinship import Kinship, wider_words
from glee.data.corpus.packs import Cutout
from glee.data.schema import Supervision

WIDER_SHARE = 0.2
"""Share of scenes that call objects by a wider word, if one fits."""

SYNONYM_SHARE = 0.35
"""Share of names of a scene for which a synonym is taken, if there is one."""

RIVALS = 12
"""Names near to those shown that a scene says to be absent."""


@dataclass(frozen=True, slots=True)
class Naming:
    """What the objects are called, and what follows for training."""

    labels: tuple[str, ...]
    supervision: Supervision


def name_objects(
    rows: Sequence[Cutout], kinship: Kinship, rng: Generator, *, scenery: bool
) -> Naming:
    """Choose labels for the objects of a scene.

    scenery  whether the background may show what pictures show
    """
    shown = [row.name for row in rows]
    labels = _choose_labels(rows, kinship, rng)
    known = kinship.coverage(shown, labels, scenery=scenery)
    rivals = kinship.rivals(dict.fromkeys(shown), known - set(labels))
    if len(rivals) > RIVALS:
        rivals = [rivals[n] for n in sorted(rng.choice(len(rivals), RIVALS, replace=False))]
    supervision = Supervision(masks=True, exhaustive=known, absent=frozenset(rivals))
    return Naming(tuple(labels), supervision)


def _choose_labels(rows: Sequence[Cutout], kinship: Kinship, rng: Generator) -> list[str]:
    labels = [row.name for row in rows]
    if rows and chance(rng, WIDER_SHARE):
        # A wider word holds for all of the objects that it fits, and none that it may fit is left.
        words = wider_words(rows[int(rng.integers(len(rows)))])
        for word in words[: 1 + int(rng.integers(2))][::-1]:
            fits = [word in wider_words(row) or word == row.name for row in rows]
            may = [word in kinship.related(row.name) for row in rows]
            if all(is_so or not may_be for is_so, may_be in zip(fits, may, strict=True)):
                return [word if is_so else label for is_so, label in zip(fits, labels, strict=True)]
    for name in dict.fromkeys(labels):
        if chance(rng, SYNONYM_SHARE):
            same = [row for row in rows if row.name == name]
            common = set(same[0].synonyms).intersection(*(row.synonyms for row in same))
            others = [row.name for row in rows if row.name != name]
            options = [
                word
                for word in sorted(common)
                if not any(word in kinship.related(other) for other in others)
            ]
            if options:
                chosen = options[int(rng.integers(len(options)))]
                labels = [chosen if label == name else label for label in labels]
    return labels
