"""Hand-made frames for the tests of tracking metrics."""

from collections.abc import Sequence

import numpy as np

from glee.evaluation.labelled_video import LabelledFrame
from glee.evaluation.tracked_video import FrameOverlap


def frame(
    gt_ids: Sequence[int], pred_ids: Sequence[int], similarity: Sequence[Sequence[float]]
) -> FrameOverlap:
    """Return a frame of true and predicted objects, each a track."""
    matrix = np.array(similarity, dtype=np.float64).reshape(len(gt_ids), len(pred_ids))
    return FrameOverlap(np.array(gt_ids, np.int64), np.array(pred_ids, np.int64), matrix)


def labelled_frame(
    gt: Sequence[tuple[int, int]],
    pred: Sequence[tuple[int, int]],
    similarity: Sequence[Sequence[float]],
) -> LabelledFrame:
    """Return a frame of true and predicted objects, each (track, category)."""
    gt_table = np.array(gt, dtype=np.int64).reshape(-1, 2)
    pred_table = np.array(pred, dtype=np.int64).reshape(-1, 2)
    return LabelledFrame(
        gt_table[:, 0],
        gt_table[:, 1],
        pred_table[:, 0],
        pred_table[:, 1],
        np.array(similarity, dtype=np.float64).reshape(len(gt), len(pred)),
    )
