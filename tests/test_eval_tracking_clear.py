import numpy as np
import pytest

from glee.evaluation.clear import Clear, clear, clear_summary
from glee.evaluation.combine import combine_sequences
from glee.evaluation.identity import Identity, identity, identity_summary
from glee.evaluation.tracked_video import FrameOverlap, tracked_video
from tracking_frames import frame


def follow(pred_ids: list[int], similarity: float = 1.0) -> list[FrameOverlap]:
    """Return frames in which one true object is found as these predictions."""
    return [frame([1], [one], [[similarity]]) for one in pred_ids]


def test_mota_counts_misses_false_predictions_and_switches() -> None:
    lost = frame([1], [9], [[0]])  # the object is missed, and another prediction is false
    frames = [*follow([5, 5]), lost, *follow([6, 6])]

    result = clear(tracked_video(frames))

    assert (result.tp, result.fn, result.fp, result.idsw, result.frag) == (4, 1, 1, 1, 1)
    assert result.mota == pytest.approx(1 - 3 / 5)


def test_a_frame_without_predictions_misses_but_does_not_fragment() -> None:
    # As the official tool has it.
    result = clear(tracked_video([*follow([5]), frame([1], [], []), *follow([5])]))

    assert (result.fn, result.frag, result.idsw) == (1, 0, 0)


def test_a_track_goes_on_though_another_prediction_overlaps_more() -> None:
    tempting = frame([1], [5, 6], [[0.6, 0.9]])

    result = clear(tracked_video([*follow([5], 0.6), tempting]))

    assert result.idsw == 0
    assert result.motp == pytest.approx(0.6)


def test_a_track_that_returns_after_a_gap_to_the_same_prediction_does_not_switch() -> None:
    result = clear(tracked_video([*follow([5]), frame([1], [9], [[0]]), *follow([5])]))

    assert (result.idsw, result.frag) == (0, 1)


def test_an_overlap_below_the_threshold_is_no_match() -> None:
    video = tracked_video(follow([5], 0.5 - 1e-9))

    assert clear(video).tp == 0
    assert clear(video, threshold=0.4).tp == 1


@pytest.mark.parametrize(
    ("found", "total", "expected"),
    [(9, 10, (1, 0, 0)), (8, 10, (0, 1, 0)), (2, 10, (0, 1, 0)), (1, 10, (0, 0, 1))],
)
def test_mostly_tracked_is_above_80_percent_and_mostly_lost_below_20(
    found: int, total: int, expected: tuple[int, int, int]
) -> None:
    frames = [*follow([5] * found), *follow([5] * (total - found), 0.1)]

    result = clear(tracked_video(frames))

    assert (result.mt, result.pt, result.ml) == expected


def test_without_true_objects_measures_are_zero_and_predictions_false() -> None:
    result = clear(tracked_video([frame([], [5], [])] * 3))

    assert (result.fp, result.mota, clear_summary(result)["MLR"]) == (3, 0, 1)


def test_combined_counts_add_up() -> None:
    one = Clear(tp=3, fn=1, fp=2, idsw=1, frag=0, mt=1, pt=1, ml=0, motp_sum=2.4, frames=5)

    summary = clear_summary(combine_sequences([one, one]))

    assert summary["MOTA"] == pytest.approx((6 - 4 - 2) / 8)
    assert summary["MOTP"] == pytest.approx(0.8)
    assert summary["MOTAL"] == pytest.approx((6 - 4 - np.log10(2)) / 8)
    assert summary["FP_per_frame"] == pytest.approx(0.4)


def test_idf1_counts_the_longest_explanation_of_a_track() -> None:
    result = identity(tracked_video(follow([5, 5, 5, 6])))

    assert result == Identity(idtp=3, idfn=1, idfp=1)
    assert identity_summary(result)["IDF1"] == pytest.approx(0.75)


def test_identities_are_paired_one_to_one() -> None:
    # Prediction 5 covers object 1 for three frames and object 2 for two; it may stand for one.
    frames = [*follow([5, 5, 5]), *[frame([2], [5], [[1]])] * 2]

    result = identity(tracked_video(frames))

    assert (result.idtp, result.idfn, result.idfp) == (3, 2, 2)


def test_nothing_predicted_has_idf1_zero() -> None:
    assert identity(tracked_video([frame([1], [], [])])).idf1 == 0
