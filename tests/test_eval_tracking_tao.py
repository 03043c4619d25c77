from typing import Any

import numpy as np
import pytest

from glee.evaluation.category_tracking import track_categories
from glee.evaluation.hota import hota_summary
from glee.evaluation.objects import Annotations, Catalog, Predictions
from glee.evaluation.regions import Boxes, Tubes
from glee.evaluation.tao import tao_videos
from glee.evaluation.teta import teta_scores
from glee.evaluation.tube_tracking import labelled_tubes

CUP, MUG = 1, 2


def annotations(*, num_frames: int = 2, annotated: int = 2) -> dict[str, Any]:
    """Return a TAO file of one video with one cup."""
    images = [
        {"id": 10 + number, "video_id": 1, "frame_index": number} for number in range(num_frames)
    ]
    objects = [
        {"image_id": 10 + number, "track_id": 7, "category_id": CUP, "bbox": [0, 0, 10, 10]}
        for number in range(annotated)
    ]
    videos = [{"id": 1, "neg_category_ids": [], "not_exhaustive_category_ids": []}]
    categories = [{"id": CUP, "merged": [{"id": MUG}]}, {"id": 3}]
    return {
        "videos": videos,
        "images": images,
        "annotations": objects,
        "categories": categories,
    }


def prediction(image: int = 10, category: int = CUP, **others: Any) -> dict[str, Any]:
    return {
        "image_id": image,
        "category_id": category,
        "track_id": 0,
        "score": 0.5,
        "bbox": [0, 0, 10, 10],
        **others,
    }


def test_boxes_are_compared_and_merged_categories_are_one() -> None:
    found = [prediction(10), prediction(11, MUG)]

    assert teta_scores(tao_videos(annotations(), found))["TETA"] == 1


def test_frames_come_in_time_whatever_the_order_of_the_file() -> None:
    data = annotations()
    data["images"].reverse()

    (video,) = tao_videos(data, [prediction(11)])

    assert [len(frame.pred_ids) for frame in video.frames] == [0, 1]


def test_predictions_in_frames_without_annotation_do_not_count() -> None:
    (video,) = tao_videos(annotations(num_frames=3), [prediction(12)])

    assert [len(frame.pred_ids) for frame in video.frames] == [0, 0, 0]


def test_the_best_predictions_of_a_frame_are_kept() -> None:
    found = [prediction(track_id=track, score=score) for track, score in ((4, 0.1), (5, 0.9))]

    (video,) = tao_videos(annotations(), found, max_per_frame=1)

    assert video.frames[0].pred_ids.tolist() == [5]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"image": 99}, r"predictions\[0\] has image_id 99, which is not among"),
        ({"category": 99}, r"predictions\[0\] has category_id 99, which is not among"),
        ({"score": float("nan")}, r"predictions\[0\] has score nan"),
        ({"bbox": [0, 0, -1, 5]}, r"predictions\[0\] has bbox .* of negative size"),
    ],
)
def test_wrong_predictions_are_errors(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tao_videos(annotations(), [prediction(**wrong)])


FULL = b"0d0"  # 10 x 10 pixels, all of them set


def catalog() -> Catalog:
    return Catalog(
        unit_ids=(1,),
        unit_sizes=np.array([[10, 10]]),
        unit_lengths=np.array([2]),
        category_ids=(1, 2),
    )


def true_tube() -> Annotations:
    return Annotations(
        catalog=catalog(),
        units=np.array([0]),
        categories=np.array([0]),
        areas=np.array([100.0]),
        crowd=np.array([False]),
        regions=Tubes([[FULL, FULL]], np.array([[10, 10]])),
    )


def predicted_tubes(*tubes: list[bytes | None], categories: list[int]) -> Predictions:
    return Predictions(
        catalog=catalog(),
        units=np.zeros(len(tubes), np.int64),
        categories=np.array(categories),
        scores=np.ones(len(tubes)),
        regions=Tubes(list(tubes), np.tile([[10, 10]], (len(tubes), 1))),
    )


def test_tubes_are_tracks_in_the_frames_that_have_a_mask() -> None:
    found = predicted_tubes([FULL, None], categories=[0])

    (result,) = track_categories(labelled_tubes(true_tube(), found)).values()

    assert hota_summary(result.hota)["DetRe"] == pytest.approx(1 / 2)
    assert hota_summary(result.hota)["DetPr"] == 1


def test_every_false_tube_counts() -> None:
    found = predicted_tubes([FULL, FULL], [FULL, FULL], categories=[0, 0])

    (result,) = track_categories(labelled_tubes(true_tube(), found)).values()

    assert hota_summary(result.hota)["DetPr"] == pytest.approx(1 / 2)


def test_boxes_are_no_tubes() -> None:
    boxes = Predictions(
        catalog=catalog(),
        units=np.array([0]),
        categories=np.array([0]),
        scores=np.ones(1),
        regions=Boxes(np.ones((1, 4))),
    )

    with pytest.raises(TypeError, match="regions must be tubes of masks, got Boxes"):
        labelled_tubes(true_tube(), boxes)
