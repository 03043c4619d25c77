from pathlib import Path

import numpy as np
import pytest

from glee.evaluation.mot import (
    MOT17_DISTRACTORS,
    MOT20_DISTRACTORS,
    MotTracks,
    MotTruth,
    mot_scores,
    pedestrian_video,
    read_mot_tracks,
    read_mot_truth,
)

HERE, THERE = [0, 0, 10, 10], [100, 0, 10, 10]
CAR, REFLECTION, VEHICLE = 3, 12, 6


def tracks(*rows: tuple[int, int, list[int]]) -> MotTracks:
    """Return tracks of (frame, id, box) rows."""
    return MotTracks(
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.float64).reshape(-1, 4),
    )


def truth(labels: list[int], *rows: tuple[int, int, list[int]], counted: bool = True) -> MotTruth:
    return MotTruth(tracks(*rows), np.array(labels), np.full(len(rows), counted))


def test_a_prediction_on_a_distractor_is_dropped() -> None:
    both = truth([1, REFLECTION], (1, 1, HERE), (1, 2, THERE))

    video = pedestrian_video(both, tracks((1, 5, HERE), (1, 6, THERE)), 1)

    assert (len(video.gt_ids), len(video.pred_ids)) == (1, 1)


def test_a_prediction_on_another_class_is_false() -> None:
    video = pedestrian_video(truth([CAR], (1, 1, HERE)), tracks((1, 5, HERE)), 1)

    assert (len(video.gt_ids), len(video.pred_ids)) == (0, 1)


def test_a_box_marked_as_not_counted_is_no_truth() -> None:
    video = pedestrian_video(truth([1], (1, 1, HERE), counted=False), tracks((1, 5, HERE)), 1)

    assert (len(video.gt_ids), len(video.pred_ids)) == (0, 1)


def test_vehicles_without_motor_distract_in_mot20_only() -> None:
    bicycle, prediction = truth([VEHICLE], (1, 1, HERE)), tracks((1, 5, HERE))

    for distractors, left in ((MOT17_DISTRACTORS, 1), (MOT20_DISTRACTORS, 0)):
        video = pedestrian_video(bicycle, prediction, 1, distractors=distractors)
        assert len(video.pred_ids) == left


def test_rows_may_come_in_any_order() -> None:
    rows = [(frame, track, box) for frame in (1, 2, 3) for track, box in ((1, HERE), (2, THERE))]

    video = pedestrian_video(truth([1] * 6, *rows), tracks(*reversed(rows)), 3)

    assert mot_scores({"one": video})["HOTA"] == 1


def test_scores_are_given_for_all_sequences_and_for_each() -> None:
    good = pedestrian_video(truth([1], (1, 1, HERE)), tracks((1, 5, HERE)), 1)
    bad = pedestrian_video(truth([1], (1, 1, HERE)), tracks((1, 5, THERE)), 1)

    scores = mot_scores({"good": good, "bad": bad})

    assert [scores.per_category[name]["IDF1"] for name in ("good", "bad")] == [1, 0]
    assert scores["MOTA"] == pytest.approx(1 - 2 / 2)


def test_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "gt.txt").write_text("1,2,0,0,10,10,1,1,0.5\n2,2,1,0,10,10,0,12,0.5\n")
    (tmp_path / "pred.txt").write_text("1,7,0,0,10.5,10,0.9,-1,-1,-1\n")

    read, found = read_mot_truth(tmp_path / "gt.txt"), read_mot_tracks(tmp_path / "pred.txt")

    assert (read.labels.tolist(), read.counted.tolist()) == ([1, 12], [True, False])
    assert (found.frames.tolist(), found.ids.tolist()) == ([1], [7])
    assert found.xywh.tolist() == [[0, 0, 10.5, 10]]


def test_an_empty_file_holds_no_tracks(tmp_path: Path) -> None:
    (tmp_path / "pred.txt").write_text("\n")

    assert len(read_mot_tracks(tmp_path / "pred.txt").ids) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,0,0,10\n", "6 or more columns, got 5"),
        ("1,2,a,0,10,10,1\n", "numbers between commas"),
        ("1,2,0,0,10,10,1,3,1\n", "has class 3; MOTChallenge scores pedestrians only"),
        ("1,2,0,0,-10,10,1\n", "negative size"),
        ("1,2,0,0,9,9,1\n1.5,2,0,0,9,9,1\n", r"line 2 has frame 1\.5; give a whole number"),
        ("1,2.7,0,0,9,9,1\n", r"line 1 has id 2\.7; give a whole number"),
        ("1,nan,0,0,9,9,1\n", "line 1 has id nan; give a whole number"),
        ("1,2,0,0,1e308,9,1\n", r"line 1 has \[.*1e\+308.*\]; give finite numbers"),
        ("1,2,0,0,10,10,1\n1,2,5,0,10,10,1\n", "track 2 has more than one box in frame 1"),
    ],
)
def test_a_wrong_file_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pred.txt").write_text(text)

    with pytest.raises(ValueError, match=message):
        read_mot_tracks(tmp_path / "pred.txt")


def test_a_frame_outside_of_the_sequence_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"tracks has frame 4, but the sequence has 1\.\.3"):
        pedestrian_video(truth([1], (1, 1, HERE)), tracks((4, 5, HERE)), 3)


def test_an_unknown_class_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"labels has class 14; MOTChallenge has 1\.\.13"):
        truth([14], (1, 1, HERE))
