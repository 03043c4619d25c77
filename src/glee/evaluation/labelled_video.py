"""Tracks with categories in a video where only some categories are annotated, as in TAO and BURST.

Federated annotation: a video lists the categories that are verified to be absent and those of which
only some objects are marked; of every other category nothing is known unless objects are marked.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from glee.evaluation.arrays import FloatArray, IntArray
from glee.evaluation.track_matching import assign
from glee.evaluation.tracked_video import (
    EPSILON,
    FrameOverlap,
    TrackedVideo,
    check_similarity,
    tracked_video,
)


@dataclass(frozen=True, slots=True)
class LabelledFrame:
    """The true and predicted objects of one frame, all categories together.

    gt_ids, gt_labels      [G] int64, track and category of each true object
    pred_ids, pred_labels  [P] int64, track and category of each prediction
    similarity             [G, P] float64 in 0..1

    Raises ValueError if the lengths differ, or if similarity has another shape or range.
    """

    gt_ids: IntArray
    gt_labels: IntArray
    pred_ids: IntArray
    pred_labels: IntArray
    similarity: FloatArray

    def __post_init__(self) -> None:
        for side, ids, labels in (
            ("gt", self.gt_ids, self.gt_labels),
            ("pred", self.pred_ids, self.pred_labels),
        ):
            if len(ids) != len(labels):
                raise ValueError(
                    f"{side}_labels has {len(labels)} rows for {len(ids)} {side}_ids; "
                    f"give the category of each object"
                )
        check_similarity(self.similarity, len(self.gt_ids), len(self.pred_ids))


@dataclass(frozen=True, slots=True)
class LabelledVideo:
    """The annotated frames of one video, and what the annotation covers.

    absent    categories verified to be nowhere in the video
    incomplete   categories of which some objects may lack an annotation ("not exhaustive")
    """

    frames: tuple[LabelledFrame, ...]
    absent: frozenset[int] = frozenset()
    incomplete: frozenset[int] = frozenset()

    def gt_categories(self) -> set[int]:
        """Return the categories with a true object."""
        return {int(label) for frame in self.frames for label in frame.gt_labels}


def categories_with_truth(videos: Iterable[LabelledVideo]) -> list[int]:
    """Return the categories with a true object in any of the videos; only these are evaluated."""
    return sorted(set().union(*(video.gt_categories() for video in videos)))


def category_video(video: LabelledVideo, category: int, *, threshold: float = 0.5) -> TrackedVideo:
    """Return the tracks of one category, without the predictions that cannot be judged.

    threshold  similarity from which a prediction counts as standing for a true object

    A prediction that stands for no true object is dropped where the category's objects are only
    partly annotated, and in frames without any true object of a category that is not verified
    absent. The latter goes by frame, not by video: the rule of TrackEval for TAO and BURST.
    """
    return tracked_video(_judged_frames(video, category, threshold))


def _judged_frames(video: LabelledVideo, category: int, threshold: float) -> Iterator[FrameOverlap]:
    for frame in video.frames:
        gt, pred = frame.gt_labels == category, frame.pred_labels == category
        similarity = frame.similarity[np.ix_(gt, pred)]
        judged = np.ones(similarity.shape[1], dtype=bool)
        if category in video.incomplete or not (gt.any() or category in video.absent):
            judged[:] = False
            judged[matched_at(similarity, threshold)[1]] = True
        yield FrameOverlap(frame.gt_ids[gt], frame.pred_ids[pred][judged], similarity[:, judged])


def matched_at(similarity: FloatArray, threshold: float) -> tuple[IntArray, IntArray]:
    """Pair true objects with predictions so that the similarity of all pairs is largest.

    similarity  [G, P] float64
    threshold   least similarity of a pair
    Returns the rows and the columns of the pairs.
    """
    allowed = np.where(similarity >= threshold - EPSILON, similarity, 0.0)
    rows, columns = assign(allowed)
    matched = allowed[rows, columns] > 0
    return rows[matched], columns[matched]
