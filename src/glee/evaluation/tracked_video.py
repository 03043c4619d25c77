"""True and predicted tracks of one video, and how much each pair of objects overlaps."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from glee.evaluation.arrays import FloatArray, IntArray

# What floating point may lose when a similarity meets a threshold; the official tools grant it.
EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class FrameOverlap:
    """The true and predicted objects of one frame.

    gt_ids      [G] int64, the track of each true object; any numbers, none twice
    pred_ids    [P] int64, the track of each predicted object; any numbers, none twice
    similarity  [G, P] float64 in 0..1, such as the IoU of their boxes or masks

    Raises ValueError if an id occurs twice, or if similarity has another shape or range.
    """

    gt_ids: IntArray
    pred_ids: IntArray
    similarity: FloatArray

    def __post_init__(self) -> None:
        check_similarity(self.similarity, len(self.gt_ids), len(self.pred_ids))
        for name, ids in (("gt_ids", self.gt_ids), ("pred_ids", self.pred_ids)):
            values, counts = np.unique(ids, return_counts=True)
            if len(values) != len(ids):
                raise ValueError(
                    f"{name} has track {values[counts > 1][0]} more than once in one frame; "
                    f"a track is one object, so give each object of a frame its own id"
                )


def check_similarity(similarity: FloatArray, num_gt: int, num_pred: int) -> None:
    """Raise ValueError unless similarity is [num_gt, num_pred] and within 0..1."""
    if similarity.shape != (num_gt, num_pred):
        raise ValueError(
            f"similarity must be [{num_gt}, {num_pred}], one row for each true object and one "
            f"column for each prediction, got {list(similarity.shape)}"
        )
    # Written so that NaN fails too.
    if similarity.size and not (similarity.min() >= 0 and similarity.max() <= 1 + EPSILON):
        raise ValueError(
            f"similarity must lie in 0..1, got {similarity.min()} to {similarity.max()}"
        )


@dataclass(frozen=True, slots=True)
class TrackedVideo:
    """All frames of a video in flat arrays; only pairs that overlap at all are kept.

    Row r of gt_ids is one true object in one frame; the rows of frame t are
    gt_starts[t]:gt_starts[t + 1]. Predictions and pairs are laid out in the same way.

    gt_ids       [G] int64, 0..num_gt_ids-1, every number in use
    pred_ids     [P] int64, 0..num_pred_ids-1, every number in use
    pair_gt      [E] int64, row of the true object of each overlapping pair
    pair_pred    [E] int64, row of its prediction
    similarity   [E] float64, above 0, at most 1
    gt_starts, pred_starts, pair_starts  [T + 1] int64
    """

    gt_ids: IntArray
    pred_ids: IntArray
    pair_gt: IntArray
    pair_pred: IntArray
    similarity: FloatArray
    gt_starts: IntArray
    pred_starts: IntArray
    pair_starts: IntArray

    @property
    def num_frames(self) -> int:
        """Number of frames, those without any object included."""
        return len(self.gt_starts) - 1

    @property
    def num_gt_ids(self) -> int:
        """Number of true tracks."""
        return int(self.gt_ids.max(initial=-1)) + 1

    @property
    def num_pred_ids(self) -> int:
        """Number of predicted tracks."""
        return int(self.pred_ids.max(initial=-1)) + 1

    def frame_rows(self, frame: int) -> tuple[slice, slice]:
        """Return which rows of gt_ids and which of pred_ids belong to a frame."""
        return (
            slice(self.gt_starts[frame], self.gt_starts[frame + 1]),
            slice(self.pred_starts[frame], self.pred_starts[frame + 1]),
        )

    def frame_matrix(self, frame: int, values: FloatArray) -> FloatArray:
        """Spread values of the pairs over all pairs of a frame, 0 where nothing overlaps.

        values  [E] float64, one for each overlapping pair of the video
        Returns [G of the frame, P of the frame] float64.
        """
        gt, pred = self.frame_rows(frame)
        pairs = slice(self.pair_starts[frame], self.pair_starts[frame + 1])
        matrix = np.zeros((gt.stop - gt.start, pred.stop - pred.start))
        matrix[self.pair_gt[pairs] - gt.start, self.pair_pred[pairs] - pred.start] = values[pairs]
        return matrix


def tracked_video(frames: Iterable[FrameOverlap]) -> TrackedVideo:
    """Gather the frames of one video, in order; they may come from a generator.

    Memory grows with the number of overlapping pairs, not of all pairs: a crowd of 200 people over
    3,000 frames takes a few hundred megabytes less than its full matrices.
    """
    gt_ids: list[IntArray] = []
    pred_ids: list[IntArray] = []
    pairs: list[tuple[IntArray, IntArray, FloatArray]] = []
    for frame in frames:
        rows, columns = np.nonzero(frame.similarity)
        gt_ids.append(frame.gt_ids)
        pred_ids.append(frame.pred_ids)
        pairs.append((rows, columns, frame.similarity[rows, columns]))
    gt_starts, pred_starts = _starts(gt_ids), _starts(pred_ids)
    return TrackedVideo(
        gt_ids=_renumber(gt_ids),
        pred_ids=_renumber(pred_ids),
        pair_gt=_join([pair[0] + start for pair, start in zip(pairs, gt_starts[:-1], strict=True)]),
        pair_pred=_join(
            [pair[1] + start for pair, start in zip(pairs, pred_starts[:-1], strict=True)]
        ),
        similarity=np.concatenate([np.empty(0), *(pair[2] for pair in pairs)]),
        gt_starts=gt_starts,
        pred_starts=pred_starts,
        pair_starts=_starts([pair[0] for pair in pairs]),
    )


def _starts(parts: Sequence[IntArray]) -> IntArray:
    """Return where each part starts once they are joined, and where the last one ends."""
    return np.cumsum([0, *(len(part) for part in parts)], dtype=np.int64)


def _join(parts: Sequence[IntArray]) -> IntArray:
    return np.concatenate([np.empty(0, np.int64), *parts]).astype(np.int64)


def _renumber(parts: Sequence[IntArray]) -> IntArray:
    """Join ids and number the tracks from 0 in the order of their ids."""
    return np.unique(_join(parts), return_inverse=True)[1].astype(np.int64)
