"""The worst images of a run: where most was missed or wrongly found."""

from dataclasses import dataclass

import numpy as np

from glee.evaluation.arrays import BoolArray, FloatArray, IntArray
from glee.evaluation.average_precision import HIT, IGNORED, Matches
from glee.evaluation.evidence import Evidence, Matched
from glee.evaluation.overlaps import compute_overlaps

WORST = 20


@dataclass(frozen=True, slots=True)
class ImageErrors:
    """What became of one image, at an overlap of 0.5.

    unit    its row in the catalog
    found   objects that were found
    missed  objects that were not
    false   predictions that are none of them
    """

    unit: int
    found: int
    missed: int
    false: int

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, 0..1; 1 where there was nothing to find."""
        total = 2 * self.found + self.missed + self.false
        return 2 * self.found / total if total else 1.0


def choose_threshold(matches: Matches) -> float:
    """Return the score from which predictions, all taken together, have the best F1.

    Infinity if no prediction finds anything, so that none counts.
    """
    outcomes = matches.outcomes[0, 0]
    counted = outcomes != IGNORED
    order = np.argsort(-matches.scores[counted], kind="stable")
    scores = matches.scores[counted][order]
    hits = np.cumsum(outcomes[counted][order] == HIT)
    if not len(hits) or not hits[-1]:
        return float("inf")
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + matches.counts[0].sum())
    return float(scores[np.argmax(f1)])


def rank_images(matched: Matched, threshold: float, *, count: int = WORST) -> list[ImageErrors]:
    """Return the worst images: lowest F1 first, of equals the one with most errors.

    threshold  predictions count from this score on

    Images without any error are left out.
    """
    evidence, matches = matched.evidence, matched.matches
    num_units = len(evidence.annotations.catalog.unit_ids)
    outcomes, sure = matches.outcomes[0, 0], matches.scores >= threshold
    counted = ~evidence.annotations.crowd
    true = np.bincount(evidence.annotations.units[counted], minlength=num_units)
    found = np.bincount(matches.units[sure & (outcomes == HIT)], minlength=num_units)
    wrong = sure & (outcomes != HIT) & (outcomes != IGNORED)
    false = np.bincount(matches.units[wrong], minlength=num_units)
    errors = [
        ImageErrors(int(unit), int(found[unit]), int(true[unit] - found[unit]), int(false[unit]))
        for unit in np.flatnonzero(true - found + false)
    ]
    return sorted(errors, key=lambda one: (one.f1, -one.missed - one.false, one.unit))[:count]


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """The objects of one image, to be drawn side by side.

    true   [G] rows of its annotations
    found  [G] bool, whether each was found
    rows   [D] rows of its predictions that are sure enough, the surest first
    right  [D] bool, whether each found an object
    """

    true: IntArray
    found: BoolArray
    rows: IntArray
    right: BoolArray


def pair_objects(matched: Matched, unit: int, threshold: float) -> Pair:
    """Return what was annotated and what was predicted in one image.

    Crowds, which need not be found, are left out, and so are predictions that do not count.
    """
    evidence, matches = matched.evidence, matched.matches
    annotations = evidence.annotations
    true = np.flatnonzero((annotations.units == unit) & ~annotations.crowd)
    outcomes = matches.outcomes[0, 0]
    shown = np.flatnonzero(
        (matches.units == unit) & (matches.scores >= threshold) & (outcomes != IGNORED)
    )
    shown = shown[np.argsort(-matches.scores[shown], kind="stable")]
    rows, right = matches.rows[shown], outcomes[shown] == HIT
    found = np.zeros(len(true), dtype=np.bool_)
    if len(true) and right.any():
        found = _which_found(evidence, rows[right], true)
    return Pair(true, found, rows, right)


def _which_found(evidence: Evidence, hits: IntArray, true: IntArray) -> BoolArray:
    """Return which of some annotated objects the hits found: each the free one it overlaps most.

    Predictions that are no hits took no object, so that the choices are those of the matching.
    """
    annotations, predictions = evidence.annotations, evidence.predictions
    overlaps: FloatArray = compute_overlaps(
        predictions.regions, hits, annotations.regions, true, annotations.crowd[true]
    )
    same = predictions.categories[hits][:, None] == annotations.categories[true]
    found = np.zeros(len(true), dtype=np.bool_)
    for row in np.where(same, overlaps, -1.0):
        free = np.where(found, -1.0, row)
        # Of equal overlaps the last object wins, as in the matching.
        found[len(free) - 1 - int(free[::-1].argmax())] = True
    return found
