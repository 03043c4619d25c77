"""Which prediction stands for which true object in each frame, and how well tracks agree."""

from dataclasses import dataclass

import numpy as np

from glee.evaluation.arrays import BoolArray, FloatArray, IntArray
from glee.evaluation.tracked_video import EPSILON, TrackedVideo


@dataclass(frozen=True, slots=True)
class Matches:
    """Pairs chosen frame by frame, each object at most once.

    gt_rows     [N] int64, row of the true object in the video's gt_ids
    pred_rows   [N] int64, row of the prediction in its pred_ids
    similarity  [N] float64, 0..1
    """

    gt_rows: IntArray
    pred_rows: IntArray
    similarity: FloatArray


def assign(score: FloatArray) -> tuple[IntArray, IntArray]:
    """Pair rows with columns so that the sum of their scores is largest.

    score  [G, P] float64
    Returns the rows and the columns of min(G, P) pairs, by row.
    """
    try:
        # 0.2 s, and only the tracking metrics need it.
        from scipy.optimize import linear_sum_assignment  # noqa: PLC0415
    except ImportError as error:
        raise ImportError('matching tracks needs SciPy: pip install "glee-vision[eval]"') from error
    rows, columns = linear_sum_assignment(score, maximize=True)
    return rows, columns


def track_alignment(video: TrackedVideo) -> FloatArray:
    """Return the soft Jaccard index of every true track with every predicted one.

    A pair of objects counts as its share of all similarity that either has in the frame; the shares
    of two tracks are summed over the frames and divided by the frames in which either exists.
    HOTA (arXiv:2009.07736, appendix on the matching; its code calls it global alignment).

    Returns [num_gt_ids, num_pred_ids] float64 in 0..1.
    """
    gt_total = np.bincount(video.pair_gt, video.similarity, len(video.gt_ids))
    pred_total = np.bincount(video.pair_pred, video.similarity, len(video.pred_ids))
    union = gt_total[video.pair_gt] + pred_total[video.pair_pred] - video.similarity
    shape = (video.num_gt_ids, video.num_pred_ids)
    track_pair = video.gt_ids[video.pair_gt] * shape[1] + video.pred_ids[video.pair_pred]
    shared = np.bincount(track_pair, video.similarity / union, shape[0] * shape[1]).reshape(shape)
    gt_length = np.bincount(video.gt_ids, minlength=shape[0])
    pred_length = np.bincount(video.pred_ids, minlength=shape[1])
    return shared / (gt_length[:, None] + pred_length - shared)


def match_aligned(video: TrackedVideo) -> Matches:
    """Pair the objects of each frame by similarity times the alignment of their tracks.

    This is the one matching of HOTA and TETA, for all thresholds: a pair counts at a threshold if
    its similarity reaches it. Every frame gives min(G, P) pairs, also some that do not overlap.
    """
    alignment = track_alignment(video)
    score = (
        video.similarity * alignment[video.gt_ids[video.pair_gt], video.pred_ids[video.pair_pred]]
    )
    found = []
    for frame in range(video.num_frames):
        rows, columns = assign(video.frame_matrix(frame, score))
        similarity = video.frame_matrix(frame, video.similarity)[rows, columns]
        gt, pred = video.frame_rows(frame)
        found.append((rows + gt.start, columns + pred.start, similarity))
    return join_matches(found)


def join_matches(frames: list[tuple[IntArray, IntArray, FloatArray]]) -> Matches:
    """Join the gt rows, pred rows and similarities of the pairs of each frame."""
    columns = zip((np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)), *frames, strict=True)
    return Matches(*(np.concatenate(column) for column in columns))


def reached(matches: Matches, thresholds: FloatArray) -> BoolArray:
    """Return which pairs reach which threshold, [A, N] bool for A thresholds."""
    return matches.similarity >= thresholds[:, None] - EPSILON


@dataclass(frozen=True, slots=True)
class Association:
    """How well the tracks of matched pairs agree, summed over the pairs, for A thresholds.

    Each matched pair counts how many frames its two tracks share: TPA. Sums, not means, so that
    the sequences of a benchmark can be added.

    jaccard    [A] float64, TPA / frames of either track
    recall     [A] float64, TPA / frames of the true track
    precision  [A] float64, TPA / frames of the predicted track
    """

    jaccard: FloatArray
    recall: FloatArray
    precision: FloatArray


def association(video: TrackedVideo, matches: Matches, thresholds: FloatArray) -> Association:
    """Sum over matched pairs how well their tracks agree, at each threshold.

    thresholds  [A] float64, the similarity that makes a pair a match
    HOTA (arXiv:2009.07736), the equations of A(c), AssRe and AssPr.
    """
    track_pair = (
        video.gt_ids[matches.gt_rows] * video.num_pred_ids + video.pred_ids[matches.pred_rows]
    )
    distinct, of_match = np.unique(track_pair, return_inverse=True)
    gt_length = np.bincount(video.gt_ids)[distinct // max(video.num_pred_ids, 1)]
    pred_length = np.bincount(video.pred_ids)[distinct % max(video.num_pred_ids, 1)]
    shared = np.stack(
        [np.bincount(of_match, hit, len(distinct)) for hit in reached(matches, thresholds)]
    )  # [A, pairs of tracks]
    return Association(
        jaccard=(shared**2 / (gt_length + pred_length - shared)).sum(axis=1),
        recall=(shared**2 / gt_length).sum(axis=1),
        precision=(shared**2 / pred_length).sum(axis=1),
    )
