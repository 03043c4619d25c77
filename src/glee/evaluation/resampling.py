"""Resampling: scores of a data set in which each image occurs any number of times.

From what became of the detections of each image, once matched, the scores of any bootstrap sample
of images follow without matching again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from glee.evaluation.arrays import FloatArray, Id, IntArray, require_rows
from glee.evaluation.average_precision import HIT, IGNORED, RECALLS, THRESHOLDS, Outcomes
from glee.evaluation.evidence import Matched, unit_rows

Counts = NDArray[np.int32]

SINGLE = {"AP50": 0.5, "AP75": 0.75}
"""AP at one threshold, by name; AP itself is the mean over all of them."""


class Sample(Protocol):
    """What the scores of resampled images follow from."""

    @property
    def unit_ids(self) -> tuple[Id, ...]:
        """The images or videos that may be drawn."""

    def resample(self, weights: IntArray) -> dict[str, FloatArray]:
        """Return scores [B] by name of B data sets.

        weights  [B, U] how often each image occurs
        """


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShareSample:
    """Scores that are sums over images divided by other sums: means, rates, overall IoU.

    unit_ids      U of them
    numerators    [U] by name of the score
    denominators  [U] by name of the score
    """

    unit_ids: tuple[Id, ...]
    numerators: dict[str, FloatArray]
    denominators: dict[str, FloatArray]

    def resample(self, weights: IntArray) -> dict[str, FloatArray]:
        """Return scores [B] by name, NaN where the denominator is 0; weights are [B, U]."""
        scores = {}
        for name, numerators in self.numerators.items():
            below = weights @ self.denominators[name]
            above = weights @ numerators
            scores[name] = np.where(below > 0, above / np.where(below > 0, below, 1), np.nan)
        return scores


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PrecisionSample:
    """What became of all detections, from which average precision follows.

    unit_ids         the U images that may be drawn
    units            [N] int64, row of each detection's image in `unit_ids`
    categories       [N] int64
    scores           [N] float64
    outcomes         [T, N] int8, HIT, MISS or IGNORED at each of THRESHOLDS
    true_units       [G] int64, the image of each object that is to be found
    true_categories  [G] int64

    Raises ValueError unless the detections are in the order of their categories, those of a
    category with the surest first; of equal scores the first counts first.
    """

    unit_ids: tuple[Id, ...]
    units: IntArray
    categories: IntArray
    scores: FloatArray
    outcomes: Outcomes
    true_units: IntArray
    true_categories: IntArray

    def __post_init__(self) -> None:
        for name in ("categories", "scores"):
            require_rows(name, getattr(self, name), len(self.units))
        require_rows("outcomes", self.outcomes.T, len(self.units))
        require_rows("true_categories", self.true_categories, len(self.true_units))
        same = np.diff(self.categories) == 0
        if (np.diff(self.categories) < 0).any() or (np.diff(self.scores)[same] > 0).any():
            raise ValueError("detections must be sorted by category and falling score")

    def resample(self, weights: IntArray) -> dict[str, FloatArray]:
        """Return AP, AP50 and AP75 [B]; weights are [B, U].

        An image that occurs n times counts as n images with the same detections; of equal scores,
        the copies of one detection follow each other. NaN where nothing is annotated.
        """
        # Images first, so that all data sets of one image lie side by side; in half the bytes.
        drawn = np.ascontiguousarray(weights.T, dtype=np.int32)
        totals = np.zeros((len(THRESHOLDS), len(weights)))
        known = np.zeros(len(weights))
        for category in np.unique(self.true_categories):
            counts = drawn[self.true_units[self.true_categories == category]].sum(axis=0)
            first, last = np.searchsorted(self.categories, (category, category + 1))
            totals += self._category(slice(first, last), drawn, counts)
            known += counts > 0
        means = np.where(known > 0, totals / np.where(known > 0, known, 1), np.nan)
        values = {"AP": means.mean(axis=0)}
        for name, threshold in SINGLE.items():
            values[name] = means[np.isclose(THRESHOLDS, threshold)].mean(axis=0)
        return values

    def _category(self, rows: slice, weights: Counts, counts: IntArray) -> FloatArray:
        """Return AP [T, B] of one category, 0 where nothing is annotated.

        rows     its n detections
        weights  [U, B] how often each image occurs
        counts   [B] objects to be found
        """
        outcomes = self.outcomes[:, rows]
        hits = outcomes == HIT
        # What follows the last hit changes nothing.
        end = int(np.flatnonzero(hits.any(axis=0)).max(initial=-1)) + 1
        values = np.zeros((len(outcomes), weights.shape[1]))
        if not end:
            return values
        drawn = weights[self.units[rows][:end]]  # [n, B]
        seen = drawn.cumsum(axis=0, dtype=np.int32)
        for threshold in range(len(outcomes)):
            places = np.flatnonzero(hits[threshold])
            ignored = np.flatnonzero(outcomes[threshold, :end] == IGNORED)
            found = drawn[places].cumsum(axis=0, dtype=np.int32)  # [hits, B]
            tried = seen[places]
            if len(ignored):
                skipped = np.zeros((len(ignored) + 1, weights.shape[1]), dtype=np.int32)
                skipped[1:] = drawn[ignored].cumsum(axis=0)
                tried -= skipped[np.searchsorted(ignored, places)]
            values[threshold] = _average(found, tried, counts)
        return values


def _average(found: Counts, tried: Counts, counts: IntArray) -> FloatArray:
    """Return the mean precision [B] at RECALLS, 0 where nothing is to be found.

    found   [H, B] hits up to and with each hit
    tried   [H, B] detections up to and with each hit
    counts  [B] objects to be found
    """
    precision = found / (tried + np.spacing(1))
    best_behind = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    # How many of RECALLS each hit is the first to reach.
    reached = np.searchsorted(RECALLS, found / np.maximum(counts, 1), side="right")
    news = np.diff(reached, axis=0, prepend=0)
    means = np.einsum("hb,hb->b", best_behind, news) / len(RECALLS)
    return np.where(counts > 0, means, 0.0)


def sample_precision(matched: Matched, keys: Sequence[Id]) -> PrecisionSample:
    """Return what average precision of resampled images follows from.

    keys  the images that were to be predicted, all that there is evidence of among them

    Raises ValueError for an image that the catalog does not have.
    """
    annotations, matches = matched.evidence.annotations, matched.matches
    ids = annotations.catalog.unit_ids
    ordered = np.sort(unit_rows(annotations, keys))
    places = np.zeros(len(ids), dtype=np.int64)
    places[ordered] = np.arange(len(ordered))
    counted = np.flatnonzero(~annotations.crowd)
    order = np.lexsort((-matches.scores, matches.categories))  # stable
    return PrecisionSample(
        unit_ids=tuple(ids[row] for row in ordered),
        units=places[matches.units[order]],
        categories=matches.categories[order],
        scores=matches.scores[order],
        outcomes=matches.outcomes[0][:, order],
        true_units=places[annotations.units[counted]],
        true_categories=annotations.categories[counted],
    )
