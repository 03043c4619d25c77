from typing import Any

import pytest

from glee.evaluation.coco_json import read_annotations, read_catalog, read_predictions
from glee.evaluation.federated import read_federation
from glee.evaluation.objects import Predictions
from glee.evaluation.omnilabel_json import read_omnilabel_predictions, read_questions
from glee.evaluation.regions import Masks
from glee.evaluation.track_json import read_track_predictions
from glee.evaluation.video_json import read_tube_predictions, read_video_catalog

SQUARE = [[1, 1, 4, 1, 4, 4, 1, 4]]
GOOD: dict[str, Any] = {"image_id": 7, "category_id": 1, "score": 0.5, "bbox": [0, 0, 3, 3]}
TRUE: dict[str, Any] = {"id": 1, "image_id": 7, "category_id": 1, "area": 9, "bbox": [0, 0, 3, 3]}
DATA: dict[str, Any] = {
    "images": [{"id": 7, "height": 6, "width": 8}],
    "categories": [{"id": 1}],
    "annotations": [TRUE],
}


def predictions(**changes: Any) -> Predictions:
    kind = "masks" if "segmentation" in changes else "boxes"
    return read_predictions([GOOD, GOOD | changes], read_catalog(DATA), kind)


def test_predictions_for_an_unknown_image_are_refused() -> None:
    with pytest.raises(ValueError, match=r"predictions\[1\] has image_id 8, .* the same split"):
        predictions(image_id=8)


def test_predictions_of_an_unknown_category_are_refused() -> None:
    with pytest.raises(ValueError, match=r"predictions\[1\] has category_id 90"):
        predictions(category_id=90)


def test_scores_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"predictions\[1\] has score nan; give a finite number"):
        predictions(score=float("nan"))


def test_boxes_of_negative_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"predictions\[1\] has bbox .* of negative size"):
        predictions(bbox=[5, 5, -2, 3])


def test_boxes_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match=r"predictions\[1\] has bbox \[5, nan, 2, 3\]; give"):
        predictions(bbox=[5, float("nan"), 2, 3])


def test_boxes_of_other_than_four_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"predictions\[1\] must have a bbox of 4 numbers"):
        predictions(bbox=[5, 5, 2])


def test_a_prediction_without_a_score_is_refused() -> None:
    with pytest.raises(ValueError, match=r"predictions\[0\] has no 'score'"):
        read_predictions([{"image_id": 7, "category_id": 1}], read_catalog(DATA), "boxes")


def test_masks_of_another_size_are_refused() -> None:
    mask = {"size": [8, 6], "counts": [48]}

    with pytest.raises(ValueError, match=r"mask of size \[8, 6\], but its image is \[6, 8\]"):
        read_predictions([GOOD | {"segmentation": mask}], read_catalog(DATA), "masks")


def test_a_mask_that_is_none_is_refused() -> None:
    for nothing in ([], None, "abc"):
        with pytest.raises(ValueError, match="must have a mask as polygons or run lengths"):
            read_predictions([GOOD | {"segmentation": nothing}], read_catalog(DATA), "masks")


def test_masks_may_be_polygons_or_run_lengths_of_both_kinds() -> None:
    runs = {"size": [6, 8], "counts": [7, 3, 3, 3, 3, 3, 26]}
    rows = [GOOD | {"segmentation": one} for one in (SQUARE, runs)]

    read = read_predictions(rows, read_catalog(DATA), "masks").regions
    assert isinstance(read, Masks)
    again = read_predictions(
        [GOOD | {"segmentation": {"size": [6, 8], "counts": read.counts[1].decode()}}],
        read_catalog(DATA),
        "masks",
    ).regions

    assert read.areas().tolist() == [9, 9]
    assert again.areas().tolist() == [9]


def test_no_predictions_are_no_mistake() -> None:
    for kind in ("boxes", "masks"):
        assert len(read_predictions([], read_catalog(DATA), kind)) == 0


def test_annotations_with_one_id_twice_are_refused() -> None:
    data = DATA | {"annotations": [TRUE, TRUE]}

    with pytest.raises(ValueError, match="annotations have id 1 twice"):
        read_annotations(data, read_catalog(data), "boxes")


def test_images_with_one_id_twice_are_refused() -> None:
    with pytest.raises(ValueError, match="unit_ids has 7 twice"):
        read_catalog(DATA | {"images": DATA["images"] * 2})


@pytest.mark.parametrize("key", ["images", "categories"])
def test_a_file_without_a_part_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=f"the annotation file has no '{key}'"):
        read_catalog({name: value for name, value in DATA.items() if name != key})


def test_cocos_own_file_is_not_taken_for_lvis() -> None:
    with pytest.raises(ValueError, match="images, id 7, has no 'neg_category_ids'"):
        read_federation(DATA, read_catalog(DATA), "images")


def test_a_tube_has_an_entry_for_each_frame() -> None:
    video = {"id": 3, "height": 6, "width": 8, "length": 2}
    catalog = read_video_catalog({"videos": [video], "categories": [{"id": 1}]})
    tube = {"video_id": 3, "category_id": 1, "score": 0.5, "segmentations": [None]}

    with pytest.raises(ValueError, match="1 segmentations, but its video has 2 frames"):
        read_tube_predictions([tube], catalog)


def test_a_track_must_lie_in_the_video_of_its_images() -> None:
    videos = [{"id": one, "height": 6, "width": 8} for one in (3, 4)]
    data = {"videos": videos, "categories": [{"id": 1}], "images": [{"id": 7, "video_id": 3}]}

    with pytest.raises(ValueError, match="has video_id 4, but its image belongs to 3"):
        read_track_predictions(
            [GOOD | {"track_id": 1, "video_id": 4}], data, read_video_catalog(data)
        )


def test_an_omnilabel_answer_needs_a_score() -> None:
    text = {"id": 5, "text": "car", "image_ids": [7], "anno_info": {"type": "object_category"}}
    data = DATA | {"annotations": [], "descriptions": [text]}
    answer = {"image_id": 7, "bbox": [0, 0, 3, 3], "description_ids": [5], "scores": []}

    with pytest.raises(ValueError, match=r"predictions\[0\] has 0 scores for 1 descriptions"):
        read_omnilabel_predictions([answer], data, read_questions(data))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"area": -9}, r"annotations\[0\] has area -9; give a finite number, at least 0"),
        ({"iscrowd": "no"}, r"annotations\[0\] has iscrowd 'no'; give 0 or 1"),
        ({"iscrowd": 0.5}, r"annotations\[0\] has iscrowd 0.5; give 0 or 1"),
        ({"id": float("nan")}, "an entry of annotations has id nan; give an id"),
    ],
)
def test_annotations_that_would_change_what_counts_are_refused(
    change: dict[str, Any], message: str
) -> None:
    data = {**DATA, "annotations": [TRUE | change]}

    with pytest.raises(ValueError, match=message):
        read_annotations(data, read_catalog(data), "boxes")


def test_crowds_may_be_told_in_words_or_numbers() -> None:
    told = (0, 1, False, True)
    objects = [{**TRUE, "id": row, "iscrowd": one} for row, one in enumerate(told)]
    data = {**DATA, "annotations": [*objects, {**TRUE, "id": 9}]}

    crowd = read_annotations(data, read_catalog(data), "boxes").crowd

    assert crowd.tolist() == [False, True, False, True, False]
