import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from glee.evaluation.average_precision import THRESHOLDS
from glee.evaluation.coco_json import read_annotations, read_catalog, read_predictions
from glee.evaluation.detection import (
    class_agnostic_scores,
    coco_scores,
    few_shot_summary,
    odinw_average,
)
from glee.evaluation.federated import read_federation
from glee.evaluation.lvis import lvis_fixed_ap, lvis_scores
from glee.evaluation.objects import Annotations, Catalog, Predictions
from glee.evaluation.omnilabel import QUESTION_KINDS, omnilabel_scores, question_kind
from glee.evaluation.omnilabel_json import (
    read_omnilabel_annotations,
    read_omnilabel_predictions,
    read_questions,
)
from glee.evaluation.regions import Boxes, Tracks
from glee.evaluation.scores import Scores
from glee.evaluation.track_ap import track_ap_scores
from glee.evaluation.track_json import read_track_annotations, read_track_predictions
from glee.evaluation.video_instances import lvvis_scores, youtube_vis_scores
from glee.evaluation.video_json import read_video_catalog

BOX = (10.0, 10.0, 20.0, 20.0)
FAR = (70.0, 70.0, 20.0, 20.0)
Row = tuple[Any, ...]


def image_data(*rows: Row) -> dict[str, Any]:
    """Two images and categories 1 to 3; each row is (image, category, box)."""
    return {
        "images": [
            {
                "id": image,
                "height": 100,
                "width": 100,
                "neg_category_ids": [2],
                "not_exhaustive_category_ids": [3],
            }
            for image in (1, 2)
        ],
        "categories": [{"id": one} for one in (1, 2, 3)],
        "annotations": [
            {"id": n, "image_id": image, "category_id": category, "bbox": box, "area": 400}
            for n, (image, category, box) in enumerate(rows)
        ],
    }


def results(*rows: Row) -> list[dict[str, Any]]:
    """Each row is (image, category, box, score)."""
    keys = ("image_id", "category_id", "bbox", "score")
    return [dict(zip(keys, row, strict=True)) for row in rows]


def read(true: list[Row], found: list[Row]) -> tuple[Annotations, Predictions]:
    data = image_data(*true)
    catalog = read_catalog(data)
    predictions = read_predictions(results(*found), catalog, "boxes")
    return read_annotations(data, catalog, "boxes"), predictions


def lvis(true: list[Row], found: list[Row], **options: int) -> Scores:
    annotations, predictions = read(true, found)
    federation = read_federation(image_data(), annotations.catalog, "images")
    return lvis_scores(annotations, predictions, federation, "rcf", **options)


def test_a_perfect_detector_scores_one_and_absent_sizes_have_no_score() -> None:
    scores = coco_scores(*read([(1, 1, BOX), (2, 2, BOX)], [(1, 1, BOX, 0.9), (2, 2, BOX, 0.8)]))

    assert [scores[name] for name in ("AP", "AP50", "AP75", "APs", "AR1", "AR100")] == (
        pytest.approx([1] * 6)
    )
    assert math.isnan(scores["APl"])
    assert scores.per_category[1]["AP"] == pytest.approx(1)
    assert math.isnan(scores.per_category[3]["AP"])


def test_without_annotated_objects_there_is_no_score() -> None:
    assert math.isnan(coco_scores(*read([], [(1, 1, BOX, 0.9)]))["AP"])


def test_without_predictions_every_score_is_zero() -> None:
    assert coco_scores(*read([(1, 1, BOX)], []))["AP"] == 0


def test_a_wrong_category_costs_ap_only_where_categories_matter() -> None:
    objects = read([(1, 1, BOX)], [(1, 2, BOX, 0.9)])

    assert coco_scores(*objects)["AP"] == 0
    assert class_agnostic_scores(*objects)["AP"] == pytest.approx(1)


def test_missing_and_repeated_predictions_are_told() -> None:
    found: list[Row] = [(1, 1, BOX, 0.9), (1, 1, BOX, 0.9), (1, 1, FAR, 0.9)]

    notes = coco_scores(*read([(1, 1, BOX), (2, 1, BOX)], found)).notes

    assert notes == (
        "1 of 2 images with annotations have no predictions: nothing found there",
        "1 predictions repeat another exactly: each counts, as officially",
    )


def test_scores_become_json_without_nan() -> None:
    scores = Scores({"AP": 0.5, "APl": math.nan}, {7: {"AP": 1.0}}, ("a rule",))

    assert scores.to_json() == {
        "values": {"AP": 0.5, "APl": None},
        "per_category": {"7": {"AP": 1.0}},
        "notes": ["a rule"],
    }


def test_odinw_is_the_plain_mean_of_its_data_sets() -> None:
    assert odinw_average({"a": Scores({"AP": 0.2}), "b": Scores({"AP": 0.6})})["AP"] == (
        pytest.approx(0.4)
    )


def test_odinw_refuses_a_data_set_without_ap() -> None:
    with pytest.raises(ValueError, match="data set 'b' has no AP"):
        odinw_average({"a": Scores({"AP": 0.2}), "b": Scores({"AP": math.nan})})


def test_few_shot_runs_are_summarised_by_mean_and_deviation() -> None:
    assert few_shot_summary([0.1, 0.3]).values == pytest.approx({"AP": 0.2, "AP_std": 0.1})


def test_lvis_leaves_out_what_nobody_verified() -> None:
    # Nobody looked for category 1 in image 2: the surest prediction, far from any object, is free.
    scores = lvis([(1, 1, BOX)], [(2, 1, FAR, 0.9), (1, 1, BOX, 0.8)])

    assert scores["AP"] == pytest.approx(1)


def test_lvis_counts_what_was_verified_to_be_absent() -> None:
    scores = lvis([(1, 2, BOX)], [(2, 2, FAR, 0.9), (1, 2, BOX, 0.8)])

    assert scores["AP"] == pytest.approx(0.5)


def test_lvis_excuses_extra_objects_of_an_incomplete_category() -> None:
    scores = lvis([(1, 3, BOX)], [(1, 3, FAR, 0.9), (1, 3, BOX, 0.8)])

    assert scores["AP"] == pytest.approx(1)


def test_lvis_limits_the_predictions_of_an_image_over_all_categories() -> None:
    found: list[Row] = [(1, 2, BOX, 0.9), (1, 1, BOX, 0.8), (2, 1, BOX, 0.1)]

    scores = lvis([(1, 1, BOX), (2, 1, BOX)], found, max_detections=1)

    assert scores["AR@1"] == pytest.approx(0.5)
    assert "1 predictions beyond the 1 surest of their image left out" in scores.notes


def test_fixed_ap_limits_the_predictions_of_a_category_over_all_images() -> None:
    annotations, predictions = read(
        [(1, 1, BOX), (2, 1, BOX)], [(1, 1, BOX, 0.5), (2, 1, BOX, 0.5), (1, 2, BOX, 0.9)]
    )
    federation = read_federation(image_data(), annotations.catalog, "images")

    scores = lvis_fixed_ap(annotations, predictions, federation, "rcf", per_category=1)

    # One of two objects found: precision 1 at the recalls 0.00 to 0.50.
    assert scores["AP"] == pytest.approx(51 / 101)


def test_lvis_groups_categories_by_frequency() -> None:
    scores = lvis([(1, 1, BOX), (1, 2, BOX)], [(1, 2, BOX, 0.9)])

    assert (scores["APr"], scores["APc"]) == pytest.approx((0, 1))
    assert math.isnan(scores["APf"])


def test_lvis_wants_a_frequency_for_each_category() -> None:
    annotations, predictions = read([(1, 1, BOX)], [])
    federation = read_federation(image_data(), annotations.catalog, "images")

    with pytest.raises(ValueError, match="r, c or f for each of 3 categories, got 2"):
        lvis_scores(annotations, predictions, federation, "rc")


def video_data(frames: int = 4) -> dict[str, Any]:
    """One video with category 1, which took the place of 11, and category 2."""
    return {
        "videos": [
            {
                "id": 5,
                "height": 100,
                "width": 100,
                "neg_category_ids": [2],
                "not_exhaustive_category_ids": [],
            }
        ],
        "images": [{"id": frame, "video_id": 5} for frame in range(frames)],
        "categories": [{"id": 1, "merged": [{"id": 11}]}, {"id": 2}],
        "annotations": [],
    }


def track(number: int, category: int, frames: range, box: Row, **extra: Any) -> list[Any]:
    shared = {"track_id": number, "category_id": category, "bbox": box, **extra}
    return [{"image_id": frame, "video_id": 5, **shared} for frame in frames]


def tao(true: list[Any], found: list[Any]) -> Scores:
    data = video_data() | {"annotations": [one | {"id": n} for n, one in enumerate(true)]}
    catalog = read_video_catalog(data)
    return track_ap_scores(
        read_track_annotations(data, catalog),
        read_track_predictions(found, data, catalog),
        read_federation(data, catalog, "videos"),
        thresholds=THRESHOLDS,
    )


def test_tracks_are_told_apart_by_length() -> None:
    true = track(1, 1, range(4), BOX, area=400.0) + track(2, 1, range(2), FAR, area=400.0)

    scores = tao(true, track(8, 1, range(4), BOX, score=0.5))

    assert (scores["AR"], scores["AR_short"], scores["AR_medium"]) == pytest.approx((0.5, 0, 1))


def test_a_tracks_score_is_the_mean_of_its_boxes() -> None:
    data = video_data()
    boxes = track(8, 1, range(2), BOX, score=0.5)
    boxes[0]["score"] = 0.9

    found = read_track_predictions(boxes, data, read_video_catalog(data))

    assert found.scores.tolist() == pytest.approx([0.7])
    assert isinstance(found.regions, Tracks)
    assert found.regions.frames[0].tolist() == [0, 1]


def test_only_the_surest_boxes_of_a_frame_form_tracks() -> None:
    data = video_data()
    boxes = track(8, 1, range(2), BOX, score=0.5) + track(9, 1, range(1), FAR, score=0.6)

    found = read_track_predictions(boxes, data, read_video_catalog(data), max_per_image=1)

    assert sorted(found.scores.tolist()) == [0.5, 0.6]
    assert found.notes == ("1 boxes beyond the 1 surest of their frame left out",)


def test_merged_categories_count_as_the_one_that_took_their_place() -> None:
    scores = tao(track(1, 11, range(4), BOX, area=400.0), track(8, 1, range(4), BOX, score=0.5))

    assert scores["AP"] == pytest.approx(1)


def test_a_track_of_two_categories_is_refused() -> None:
    data = video_data()
    boxes = track(8, 1, range(2), BOX, score=0.5) + track(8, 2, range(2, 3), BOX, score=0.5)

    with pytest.raises(ValueError, match=r"track_id 8 .* several categories"):
        read_track_predictions(boxes, data, read_video_catalog(data))


def test_youtube_vis_calls_large_what_exceeds_256_pixels_squared() -> None:
    annotations, predictions = read([(1, 1, (0, 0, 250, 250))], [(1, 1, (0, 0, 250, 250), 0.9)])
    annotations = replace(annotations, areas=np.array([250.0**2]))

    scores = youtube_vis_scores(annotations, predictions)

    assert scores["APm"] == pytest.approx(1)
    assert math.isnan(scores["APl"])


def test_lvvis_finds_crowds_and_tells_base_from_novel() -> None:
    annotations, predictions = read([(1, 1, BOX), (1, 2, BOX)], [(1, 2, BOX, 0.9)])
    annotations = replace(annotations, crowd=np.array([False, True]))

    scores = lvvis_scores(annotations, predictions, (0, 3, 1))

    assert (scores["APb"], scores["APn"]) == pytest.approx((0, 1))


def test_lvvis_refuses_an_unknown_partition() -> None:
    with pytest.raises(ValueError, match="partitions must be 0 to 3 for each of 3 categories"):
        lvvis_scores(*read([(1, 1, BOX)], []), (0, 1, 4))


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("red car", {"descr", "descr-s", "descr-pos"}),
        ("the car on the left", {"descr", "descr-m", "descr-pos"}),
        ("one two three four five six seven eight nine", {"descr", "descr-l", "descr-pos"}),
    ],
)
def test_descriptions_are_grouped_by_their_number_of_words(text: str, groups: set[str]) -> None:
    kind = question_kind(text=text, is_category=False, is_present=True)

    assert QUESTION_KINDS[kind] == groups


def test_an_absent_description_is_not_among_the_positive_ones() -> None:
    kind = question_kind(text="red car", is_category=False, is_present=False)

    assert QUESTION_KINDS[kind] == {"descr", "descr-s"}


def omnilabel_data() -> dict[str, Any]:
    """An image with a car, asked for "car", "red car" and, in vain, "blue car"."""
    texts = {1: "car", 2: "red car", 3: "blue car", 4: "not asked for"}
    return {
        "images": [{"id": 1, "height": 100, "width": 100}],
        "annotations": [{"id": 1, "image_id": 1, "bbox": BOX, "description_ids": [1, 2]}],
        "descriptions": [
            {
                "id": one,
                "text": text,
                "image_ids": [1] if one < len(texts) else [],
                "anno_info": {"type": "object_category" if one == 1 else "object_description"},
            }
            for one, text in texts.items()
        ],
    }


def omnilabel(descriptions: list[int], scores: list[float]) -> Scores:
    data = omnilabel_data()
    questions = read_questions(data)
    found = [{"image_id": 1, "bbox": BOX, "description_ids": descriptions, "scores": scores}]
    return omnilabel_scores(
        read_omnilabel_annotations(data, questions),
        read_omnilabel_predictions(found, data, questions),
    )


def test_an_answer_to_an_absent_description_is_wrong_but_not_for_positive_ones() -> None:
    scores = omnilabel([1, 2, 3], [0.5, 0.5, 0.9])

    assert scores["AP_categ"] == pytest.approx(1)
    assert scores["AP_descr"] == pytest.approx(0.5)
    assert scores["AP_descr-pos"] == pytest.approx(1)
    assert scores["AP_hm"] == pytest.approx(2 / 3, abs=1e-5)
    assert scores.per_category["descr"]["objects"] == 1


def test_answers_that_were_not_asked_for_are_left_out_and_told() -> None:
    scores = omnilabel([2, 4], [0.5, 0.9])

    assert scores["AP_descr"] == pytest.approx(1)
    assert scores.notes[0].startswith("1 answers to descriptions that are not asked for")


def test_a_catalog_is_in_order_and_has_every_id_once() -> None:
    sizes, lengths = np.ones((2, 2), dtype=np.int64), np.ones(2, dtype=np.int64)

    for ids, text in (((1, 1), "has 1 twice"), ((2, 1), "1 follows 2")):
        with pytest.raises(ValueError, match=text):
            Catalog(unit_ids=ids, unit_sizes=sizes, unit_lengths=lengths, category_ids=())


def test_objects_must_lie_in_the_catalog() -> None:
    annotations, predictions = read([(1, 1, BOX)], [(1, 1, BOX, 0.9)])

    with pytest.raises(ValueError, match=r"units\[0\] is 2, but must lie in 0..1"):
        replace(predictions, units=np.array([2]))
    with pytest.raises(ValueError, match="regions has 2 rows for 1 objects"):
        replace(annotations, regions=Boxes(np.zeros((2, 4))))
