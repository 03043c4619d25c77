from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools.mask import encode

from glee.evaluation.burst import burst_scores
from glee.evaluation.burst_json import BurstVideo, read_burst_predictions, read_burst_truth
from glee.evaluation.scores import Scores

AIRPLANE, ACORN, GLASS, CUP, DISTRACTOR = 4, 1, 504, 347, 20


def rle(mask: NDArray[np.bool_]) -> str:
    return encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode("ascii")


def box(left: int, width: int = 8) -> str:
    mask = np.zeros((20, 40), dtype=bool)
    mask[5:15, left : left + width] = True
    return rle(mask)


def corner(left: int) -> str:
    """Return an L that fills its box by less than one half."""
    mask = np.zeros((20, 40), dtype=bool)
    mask[5:15, left : left + 2] = mask[13:15, left : left + 8] = True
    return rle(mask)


def file(
    tracks: dict[int, int],
    *frames: dict[int, str],
    lists: dict[str, list[int]] | None = None,
    name: str = "a",
) -> dict[str, Any]:
    """Return a BURST file of one video: the category of each track, the mask of each by frame."""
    sequence = {
        "dataset": "X",
        "seq_name": name,
        "height": 20,
        "width": 40,
        "annotated_image_paths": [f"frame{number:04d}.jpg" for number in range(len(frames))],
        "segmentations": [
            {str(track): {"rle": mask} for track, mask in frame.items()} for frame in frames
        ],
        "track_category_ids": {str(track): category for track, category in tracks.items()},
        "neg_category_ids": [],
        "not_exhaustive_category_ids": [],
    }
    return {"sequences": [sequence | (lists or {})]}


def score(truth: dict[str, Any], predictions: dict[str, Any], **options: Any) -> Scores:
    videos: list[BurstVideo] = read_burst_truth(truth)
    return burst_scores(videos, read_burst_predictions(predictions, videos), **options)


def test_a_perfect_track_has_hota_and_ap_one() -> None:
    same = file({1: AIRPLANE}, {1: box(0)}, {1: box(5)})

    scores = score(same, same)

    assert [scores[name] for name in ("HOTA", "AP", "HOTA_common")] == pytest.approx([1, 1, 1])
    assert np.isnan(scores["HOTA_uncommon"])


def test_common_and_uncommon_categories_are_told_apart() -> None:
    truth = file({1: AIRPLANE, 2: ACORN}, {1: box(0), 2: box(20)})

    scores = score(truth, file({1: AIRPLANE}, {1: box(0)}))

    aps = [scores[name] for name in ("AP_common", "AP_uncommon", "AP")]
    assert aps == pytest.approx([1, 0, 0.5])
    assert scores.per_category[ACORN]["HOTA"] == 0


def test_hota_compares_boxes_unless_told_otherwise() -> None:
    truth, found = file({1: AIRPLANE}, {1: box(0)}), file({1: AIRPLANE}, {1: corner(0)})

    assert score(truth, found)["HOTA"] == 1
    assert score(truth, found, compare="masks")["HOTA"] < 0.5
    assert score(truth, found)["AP"] == 0


def test_objects_of_distractors_are_left_out() -> None:
    truth = file({1: AIRPLANE, 2: DISTRACTOR}, {1: box(0), 2: box(20)})

    assert set(score(truth, file({}, {})).per_category) == {AIRPLANE}


def test_a_prediction_of_a_merged_category_counts_for_the_other() -> None:
    assert score(file({1: CUP}, {1: box(0)}), file({1: GLASS}, {1: box(0)}))["HOTA"] == 1


def test_predictions_in_frames_that_are_not_annotated_are_passed_over() -> None:
    found = file({1: AIRPLANE}, {1: box(0)}, {1: box(20)}, {1: box(20)})

    assert score(file({1: AIRPLANE}, {1: box(0)}), found)["AP"] == pytest.approx(1)


def test_a_track_in_a_video_without_its_category_costs_only_if_verified_absent() -> None:
    one, other = file({1: AIRPLANE}, {1: box(0)}), file({1: ACORN}, {1: box(0)}, name="b")
    absent = file({1: ACORN}, {1: box(0)}, name="b", lists={"neg_category_ids": [AIRPLANE]})
    everywhere = {
        "sequences": [
            *one["sequences"],
            *file({7: AIRPLANE}, {7: box(30)}, name="b")["sequences"],
        ]
    }

    for second, det_pr in ((other, 1), (absent, 1 / 2)):
        truth = {"sequences": [*one["sequences"], *second["sequences"]]}
        scores = score(truth, everywhere)
        assert scores.per_category[AIRPLANE]["DetPr"] == pytest.approx(det_pr)


def test_only_the_surest_objects_of_a_frame_are_kept() -> None:
    truth = read_burst_truth(file({1: AIRPLANE}, {1: box(0)}))
    found = file({1: AIRPLANE, 2: AIRPLANE, 3: AIRPLANE}, {1: box(0), 2: box(8), 3: box(16)})
    for track, one in found["sequences"][0]["segmentations"][0].items():
        one["score"] = {"1": 0.2, "2": 0.9, "3": 0.5}[track]

    (video,) = read_burst_predictions(found, truth, max_per_frame=2)

    assert video.frames["frame0000.jpg"].ids.tolist() == [2, 3]


def test_wrong_predictions_are_errors() -> None:
    truth = file({1: AIRPLANE}, {1: box(0)})

    with pytest.raises(ValueError, match="predictions have video 'X/b', which the annotations"):
        score(truth, file({1: AIRPLANE}, {1: box(0)}, name="b"))
    with pytest.raises(ValueError, match=r"X/a, track 1 has category 1231; TAO's"):
        score(truth, file({1: 1231}, {1: box(0)}))
    with pytest.raises(ValueError, match="compare must be 'boxes' or 'masks', got 'tubes'"):
        score(truth, truth, compare="tubes")


def test_a_frame_without_segmentations_is_an_error() -> None:
    broken = file({1: AIRPLANE}, {1: box(0)}, lists={"segmentations": []})

    with pytest.raises(ValueError, match="X/a has 0 segmentations for 1 annotated_image_paths"):
        read_burst_truth(broken)


def test_masks_of_another_size_than_the_annotated_ones_are_an_error() -> None:
    truth = file({1: ACORN}, {1: box(0)})
    turned = file({1: ACORN}, {1: box(0)})
    turned["sequences"][0] |= {"height": 40, "width": 20}

    with pytest.raises(ValueError, match=r"X/a have masks of .* \(40, 20\), .* \(20, 40\)"):
        score(truth, turned)


def test_a_video_that_is_predicted_twice_is_an_error() -> None:
    truth = file({1: ACORN}, {1: box(0)})
    twice = file({1: ACORN}, {1: box(0)})
    twice["sequences"].append(file({}, {})["sequences"][0])

    with pytest.raises(ValueError, match="have video 'X/a' twice"):
        score(truth, twice)
