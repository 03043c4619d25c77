import numpy as np
import pytest

from glee.evaluation.combine import combine_sequences
from glee.evaluation.hota import hota, hota_summary
from glee.evaluation.tracked_video import FrameOverlap, TrackedVideo, tracked_video
from tracking_frames import frame


def one_object(pred_ids: list[int], similarity: float = 1.0) -> TrackedVideo:
    return tracked_video(frame([1], [one], [[similarity]]) for one in pred_ids)


def test_a_perfect_track_has_hota_one() -> None:
    assert hota_summary(hota(one_object([5, 5, 5])))["HOTA"] == 1


def test_a_track_cut_in_halves_has_half_the_association_and_all_detection() -> None:
    # Each match shares two of the four frames of the true track: A = 2 / 4.
    result = hota(one_object([5, 5, 6, 6]))

    np.testing.assert_allclose(result.det_a, 1)
    np.testing.assert_allclose(result.ass_a, 0.5)
    np.testing.assert_allclose(result.hota, np.sqrt(0.5))
    np.testing.assert_allclose(result.ass_pr, 1)


def test_an_overlap_of_60_percent_counts_at_12_of_19_thresholds() -> None:
    summary = hota_summary(hota(one_object([5, 5], similarity=0.6)))

    assert summary["HOTA"] == pytest.approx(12 / 19)
    assert summary["HOTA_TP"] == pytest.approx(2 * 12 / 19)
    assert summary["LocA"] == pytest.approx((12 * 0.6 + 7) / 19)  # 1 where nothing matches
    assert summary["HOTALocA(0)"] == pytest.approx(0.6)


def test_detection_counts_misses_and_false_tracks() -> None:
    video = tracked_video([frame([1, 2], [5, 6, 7], [[1, 0, 0], [0, 0, 0]])])

    result = hota(video)

    np.testing.assert_allclose(result.det_a, 1 / 4)  # 1 match, 1 miss, 2 false
    np.testing.assert_allclose(result.det_re, 1 / 2)
    np.testing.assert_allclose(result.det_pr, 1 / 3)
    np.testing.assert_allclose(result.owta, np.sqrt(1 / 2))


def test_the_longer_track_is_matched_though_another_overlaps_more_once() -> None:
    first = frame([1], [5, 6], [[0.6, 0.7]])
    later = [frame([1], [5], [[0.6]])] * 9

    assert hota(tracked_video([first, *later])).ass_a[0] == 1


def test_the_numbers_of_tracks_do_not_matter() -> None:
    small = tracked_video([frame([1, 2], [3, 4], [[0.8, 0.3], [0.2, 0.7]])] * 3)
    large = tracked_video([frame([90, 7], [-4, 12], [[0.8, 0.3], [0.2, 0.7]])] * 3)

    assert hota_summary(hota(small)) == hota_summary(hota(large))


def test_no_prediction_at_all_gives_zero_and_counts_misses() -> None:
    result = hota(tracked_video([frame([1, 2], [], [])] * 2))

    assert result.hota.tolist() == [0] * 19
    assert result.fn.tolist() == [4] * 19


def test_no_frame_at_all_gives_zero() -> None:
    assert hota(tracked_video([])).hota.tolist() == [0] * 19


def test_combined_sequences_count_by_their_objects() -> None:
    good, bad = hota(one_object([5] * 3)), hota(tracked_video([frame([1], [], [])]))

    result = combine_sequences([good, bad])

    np.testing.assert_allclose(result.det_a, 3 / 4)
    np.testing.assert_allclose(result.ass_a, 1)


def test_nothing_to_combine_is_an_error() -> None:
    with pytest.raises(ValueError, match="results is empty"):
        combine_sequences([])


def test_a_track_twice_in_a_frame_is_an_error() -> None:
    with pytest.raises(ValueError, match="pred_ids has track 5 more than once in one frame"):
        frame([1], [5, 5], [[1, 0]])


@pytest.mark.parametrize("value", [float("nan"), -0.1, 1.1])
def test_a_similarity_outside_of_0_to_1_is_an_error(value: float) -> None:
    with pytest.raises(ValueError, match=r"similarity must lie in 0\.\.1"):
        frame([1], [5], [[value]])


def test_a_similarity_of_another_shape_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"similarity must be \[1, 2\].* got \[2, 1\]"):
        FrameOverlap(np.array([1]), np.array([5, 6]), np.zeros((2, 1)))


def test_without_scipy_the_error_tells_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "scipy.optimize", None)

    with pytest.raises(ImportError, match=r"needs SciPy: pip install \"glee-vision\[eval\]\""):
        hota(one_object([5]))
