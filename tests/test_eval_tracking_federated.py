import numpy as np
import pytest

from glee.evaluation.category_tracking import (
    combine_categories,
    mean_tracking,
    track_categories,
    tracking_summary,
)
from glee.evaluation.labelled_video import LabelledFrame, LabelledVideo, category_video
from tracking_frames import labelled_frame

CAR, DOG = 1, 2


TWO_CARS_FOUND_ONE_TRUE = labelled_frame([(1, CAR)], [(5, CAR), (6, CAR)], [[0.9, 0.1]])


def num_predictions(video: LabelledVideo, category: int) -> int:
    return len(category_video(video, category).pred_ids)


def test_a_false_prediction_counts_beside_annotated_objects() -> None:
    assert num_predictions(LabelledVideo((TWO_CARS_FOUND_ONE_TRUE,)), CAR) == 2


def test_a_false_prediction_is_dropped_where_annotation_is_incomplete() -> None:
    video = LabelledVideo((TWO_CARS_FOUND_ONE_TRUE,), incomplete=frozenset({CAR}))

    assert num_predictions(video, CAR) == 1


def test_predictions_in_a_frame_without_truth_count_only_if_verified_absent() -> None:
    empty = labelled_frame([], [(5, CAR)], [])

    assert num_predictions(LabelledVideo((empty,)), CAR) == 0
    assert num_predictions(LabelledVideo((empty,), absent=frozenset({CAR})), CAR) == 1


def test_categories_are_kept_apart() -> None:
    video = LabelledVideo((labelled_frame([(1, CAR)], [(5, DOG)], [[1]]),))

    tracks = category_video(video, CAR)

    assert (len(tracks.gt_ids), len(tracks.pred_ids)) == (1, 0)


def test_only_categories_with_a_true_object_are_evaluated() -> None:
    video = LabelledVideo((labelled_frame([(1, CAR)], [(5, DOG)], [[1]]),), absent=frozenset({DOG}))

    assert set(track_categories([video])) == {CAR}


def test_mean_counts_categories_alike_and_combined_counts_objects_alike() -> None:
    found = labelled_frame([(1, CAR)], [(5, CAR)], [[1]])
    missed = labelled_frame([(2, DOG)], [], [])

    results = track_categories([LabelledVideo((found,) * 3), LabelledVideo((missed,))]).values()

    assert mean_tracking(results)["MOTA"] == pytest.approx(1 / 2)
    assert tracking_summary(combine_categories(results))["MOTA"] == pytest.approx(3 / 4)


def test_a_label_for_each_object_is_required() -> None:
    with pytest.raises(ValueError, match="gt_labels has 1 rows for 2 gt_ids"):
        LabelledFrame(*(np.zeros(size, np.int64) for size in (2, 1, 0, 0)), np.zeros((2, 0)))


def test_a_mean_over_no_category_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one category"):
        mean_tracking([])
