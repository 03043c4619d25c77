"""HOTA, higher order tracking accuracy (arXiv:2009.07736): detection and association in one."""

from dataclasses import dataclass

import numpy as np

from glee.evaluation.arrays import FloatArray
from glee.evaluation.track_matching import association, match_aligned, reached
from glee.evaluation.tracked_video import TrackedVideo

# The 19 thresholds 0.05 to 0.95, with the rounding that the official tool's steps have.
ALPHAS: FloatArray = np.arange(0.05, 0.99, 0.05)


@dataclass(frozen=True, slots=True)
class Hota:
    """HOTA and its parts at each of the 19 thresholds; the paper's number is the mean over them.

    Held as sums over objects, from which the measures follow, so that `combine_sequences` can add
    sequences. All arrays are [19] float64.

    tp, fn, fp   matched pairs, missed true objects, predictions that match none
    loc_sum      sum of similarity over matched pairs
    ass_sum      sum over matched pairs of how well their tracks agree, A(c) in the paper
    ass_re_sum, ass_pr_sum  the same for recall and precision of the association
    """

    tp: FloatArray
    fn: FloatArray
    fp: FloatArray
    loc_sum: FloatArray
    ass_sum: FloatArray
    ass_re_sum: FloatArray
    ass_pr_sum: FloatArray

    @property
    def hota(self) -> FloatArray:
        """HOTA, the geometric mean of DetA and AssA."""
        return np.sqrt(self.det_a * self.ass_a)

    @property
    def owta(self) -> FloatArray:
        """Open-world tracking accuracy (arXiv:2104.11221): HOTA with DetRe in place of DetA."""
        return np.sqrt(self.det_re * self.ass_a)

    @property
    def det_a(self) -> FloatArray:
        """Detection accuracy."""
        return self.tp / np.maximum(1, self.tp + self.fn + self.fp)

    @property
    def det_re(self) -> FloatArray:
        """Detection recall."""
        return self.tp / np.maximum(1, self.tp + self.fn)

    @property
    def det_pr(self) -> FloatArray:
        """Detection precision."""
        return self.tp / np.maximum(1, self.tp + self.fp)

    @property
    def ass_a(self) -> FloatArray:
        """Association accuracy."""
        return self.ass_sum / np.maximum(1, self.tp)

    @property
    def ass_re(self) -> FloatArray:
        """Association recall."""
        return self.ass_re_sum / np.maximum(1, self.tp)

    @property
    def ass_pr(self) -> FloatArray:
        """Association precision."""
        return self.ass_pr_sum / np.maximum(1, self.tp)

    @property
    def loc_a(self) -> FloatArray:
        """Localisation accuracy, the mean similarity of matched pairs; 1 where there is none."""
        return np.where(self.tp > 0, self.loc_sum / np.maximum(1, self.tp), 1.0)


def hota(video: TrackedVideo) -> Hota:
    """Compare the tracks of one video.

    The pairs are chosen once, by similarity weighted with the alignment of whole tracks, as in the
    official tool; each threshold then drops the pairs below it.
    """
    matches = match_aligned(video)
    hit = reached(matches, ALPHAS)  # [19, N]
    tracks = association(video, matches, ALPHAS)
    tp = hit.sum(axis=1).astype(np.float64)
    return Hota(
        tp=tp,
        fn=len(video.gt_ids) - tp,
        fp=len(video.pred_ids) - tp,
        loc_sum=hit @ matches.similarity,
        ass_sum=tracks.jaccard,
        ass_re_sum=tracks.recall,
        ass_pr_sum=tracks.precision,
    )


def hota_summary(result: Hota) -> dict[str, float]:
    """Return the measures by their names in the paper, each the mean over the 19 thresholds.

    HOTA(0) and LocA(0) are those at the lowest threshold.
    """
    lowest = {"HOTA(0)": float(result.hota[0]), "LocA(0)": float(result.loc_a[0])}
    means = {
        "HOTA": result.hota,
        "DetA": result.det_a,
        "AssA": result.ass_a,
        "DetRe": result.det_re,
        "DetPr": result.det_pr,
        "AssRe": result.ass_re,
        "AssPr": result.ass_pr,
        "LocA": result.loc_a,
        "OWTA": result.owta,
        "HOTA_TP": result.tp,
        "HOTA_FN": result.fn,
        "HOTA_FP": result.fp,
    }
    return {
        **{name: float(values.mean()) for name, values in means.items()},
        **lowest,
        "HOTALocA(0)": lowest["HOTA(0)"] * lowest["LocA(0)"],
    }
