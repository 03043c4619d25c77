"""CLEAR MOT: MOTA, MOTP, identity switches and mostly tracked objects.

Bernardin and Stiefelhagen, "Evaluating Multiple Object Tracking Performance: The CLEAR MOT
Metrics", 2008, with the matching of the MOTChallenge tool.
"""

from dataclasses import dataclass
from math import log10

import numpy as np

from glee.evaluation.arrays import FloatArray, IntArray
from glee.evaluation.track_matching import Matches, assign, join_matches
from glee.evaluation.tracked_video import EPSILON, TrackedVideo

# A track is mostly tracked above the one share of its frames, mostly lost below the other
# (Wu and Nevatia, "Tracking of Multiple, Partially Occluded Humans", 2006).
MOSTLY_TRACKED, MOSTLY_LOST = 0.8, 0.2
# More than any sum of similarities: continuing a track comes before a better overlap.
CONTINUE_BONUS = 1000


@dataclass(frozen=True, slots=True)
class Clear:
    """Counts of CLEAR MOT, and the measures that follow from them.

    tp, fn, fp   matched pairs, missed true objects, predictions that match none
    idsw         how often a true track is matched to another prediction than the last time
    frag         how often a true track is found again after it was lost
    mt, pt, ml   true tracks matched in more than 80 %, in 20 % or more, in less of their frames
    motp_sum     sum of the similarity of matched pairs
    frames       number of frames
    """

    tp: int
    fn: int
    fp: int
    idsw: int
    frag: int
    mt: int
    pt: int
    ml: int
    motp_sum: float
    frames: int

    @property
    def mota(self) -> float:
        """Multiple object tracking accuracy: 1 - (FN + FP + IDSW) / true objects."""
        return _share(self.tp - self.fp - self.idsw, self.tp + self.fn)

    @property
    def motp(self) -> float:
        """Multiple object tracking precision: the mean similarity of matched pairs."""
        return _share(self.motp_sum, self.tp)


def _share(part: float, whole: float) -> float:
    """Divide; 0 where there is nothing to divide by, as the official tool has it."""
    return part / whole if whole else 0.0


def clear(video: TrackedVideo, *, threshold: float = 0.5) -> Clear:
    """Compare the tracks of one video.

    threshold  similarity from which a pair may match
    """
    matches, step = _match_continuing(video, threshold)
    gt_ids, pred_ids = video.gt_ids[matches.gt_rows], video.pred_ids[matches.pred_rows]
    order = np.lexsort((step, gt_ids))  # the matches of each true track, in time
    same_track = np.diff(gt_ids[order]) == 0
    length = np.bincount(video.gt_ids, minlength=video.num_gt_ids)
    tracked = np.bincount(gt_ids, minlength=video.num_gt_ids) / length
    mt, ml = int((tracked > MOSTLY_TRACKED).sum()), int((tracked < MOSTLY_LOST).sum())
    return Clear(
        tp=len(gt_ids),
        fn=len(video.gt_ids) - len(gt_ids),
        fp=len(video.pred_ids) - len(gt_ids),
        idsw=int((same_track & (np.diff(pred_ids[order]) != 0)).sum()),
        frag=int((same_track & (np.diff(step[order]) > 1)).sum()),
        mt=mt,
        pt=video.num_gt_ids - mt - ml,
        ml=ml,
        motp_sum=float(matches.similarity.sum()),
        # The official tool leaves out sequences in which nothing can match.
        frames=video.num_frames if len(video.gt_ids) and len(video.pred_ids) else 0,
    )


def _match_continuing(video: TrackedVideo, threshold: float) -> tuple[Matches, IntArray]:
    """Match each frame so that first most tracks continue and then the similarity is largest.

    Returns the matches and, for each, the number of its frame. Only frames with both true and
    predicted objects are numbered: in the official tool the others do not interrupt a track.
    """
    similarity = np.where(video.similarity >= threshold - EPSILON, video.similarity, 0.0)
    last = np.full(video.num_gt_ids, -1)  # prediction matched in the frame before
    found: list[tuple[IntArray, IntArray, FloatArray]] = []
    steps: list[IntArray] = []
    for frame in range(video.num_frames):
        gt, pred = video.frame_rows(frame)
        gt_ids, pred_ids = video.gt_ids[gt], video.pred_ids[pred]
        if not len(gt_ids) or not len(pred_ids):
            continue
        allowed = video.frame_matrix(frame, similarity)
        continues = (last[gt_ids][:, None] == pred_ids) & (allowed > 0)
        rows, columns = assign(CONTINUE_BONUS * continues + allowed)
        matched = allowed[rows, columns] > 0
        rows, columns = rows[matched], columns[matched]
        last[:] = -1
        last[gt_ids[rows]] = pred_ids[columns]
        steps.append(np.full(len(rows), len(steps), np.int64))
        found.append((rows + gt.start, columns + pred.start, allowed[rows, columns]))
    return join_matches(found), np.concatenate([np.empty(0, np.int64), *steps])


def clear_summary(result: Clear) -> dict[str, float]:
    """Return all measures and counts by the names of the MOTChallenge tables."""
    objects, tracks = result.tp + result.fn, result.mt + result.pt + result.ml
    log_switches = log10(result.idsw) if result.idsw else 0.0
    return {
        "MOTA": result.mota,
        "MOTP": result.motp,
        "MODA": _share(result.tp - result.fp, objects),
        "sMOTA": _share(result.motp_sum - result.fp - result.idsw, objects),
        "MOTAL": _share(result.tp - result.fp - log_switches, objects),
        "CLR_Re": _share(result.tp, objects),
        "CLR_Pr": _share(result.tp, result.tp + result.fp),
        "CLR_F1": _share(result.tp, result.tp + (result.fn + result.fp) / 2),
        "MTR": _share(result.mt, tracks),
        "PTR": _share(result.pt, tracks),
        "MLR": result.ml / tracks if tracks else 1.0,
        "FP_per_frame": _share(result.fp, result.frames),
        "MOTP_sum": result.motp_sum,
        "CLR_TP": result.tp,
        "CLR_FN": result.fn,
        "CLR_FP": result.fp,
        "IDSW": result.idsw,
        "Frag": result.frag,
        "MT": result.mt,
        "PT": result.pt,
        "ML": result.ml,
        "CLR_Frames": result.frames,
    }
