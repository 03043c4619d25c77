"""Calibration: do detections with a score of 0.7 find an object in 7 of 10 cases?

Reliability diagrams and expected calibration error as in Guo et al. (arXiv:1706.04599, sections 2
and 3); a detection counts as right if it is matched at the lowest overlap, 0.5.
"""

from dataclasses import dataclass

import numpy as np

from glee.evaluation.arrays import FloatArray, IntArray
from glee.evaluation.average_precision import HIT, IGNORED, Matches

BINS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Scores against truth, in bins of equal width over 0..1.

    counts     [BINS] detections with a score in each bin; the upper end belongs to the next bin
    mean       [BINS] their mean score, NaN in empty bins
    precision  [BINS] share of them that found an object, NaN in empty bins
    """

    counts: IntArray
    mean: FloatArray
    precision: FloatArray

    @property
    def error(self) -> float:
        """Expected calibration error: mean distance of score and precision over detections."""
        total = self.counts.sum()
        if not total:
            return float("nan")
        gaps = np.where(self.counts > 0, np.abs(self.mean - self.precision), 0.0)
        return float((gaps * self.counts).sum() / total)


def reliability(matches: Matches) -> Reliability:
    """Return how scores in 0..1 agree with what was found, in the first subset.

    Detections that are ignored do not count. Raises ValueError for scores outside of 0..1, which
    are no probabilities.
    """
    outcomes = matches.outcomes[0, 0]
    counted = outcomes != IGNORED
    scores, hits = matches.scores[counted], outcomes[counted] == HIT
    if len(scores) and not (scores.min() >= 0 and scores.max() <= 1):
        raise ValueError(
            f"scores lie in {scores.min():g}..{scores.max():g}, but only scores in 0..1 can be "
            "compared with shares"
        )
    bins = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    sums = np.bincount(bins, weights=scores, minlength=BINS)
    found = np.bincount(bins, weights=hits, minlength=BINS)
    some = np.maximum(counts, 1)
    empty = counts == 0
    return Reliability(
        counts=counts,
        mean=np.where(empty, np.nan, sums / some),
        precision=np.where(empty, np.nan, found / some),
    )
