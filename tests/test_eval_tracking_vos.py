import numpy as np
import pytest
from numpy.typing import NDArray

from glee.evaluation.region_contour import contour, contour_accuracy, region_similarity, widen
from glee.evaluation.vos import (
    ObjectScores,
    after_first_frame,
    frame_statistics,
    mean_of_annotators,
    object_scores,
    semi_supervised,
    unsupervised,
    vos_scores,
    youtube_vos_scores,
)

Mask = NDArray[np.bool_]


def square(top: int, left: int, side: int = 8, size: tuple[int, int] = (40, 60)) -> Mask:
    mask = np.zeros(size, dtype=bool)
    mask[top : top + side, left : left + side] = True
    return mask


def clip(*frames: Mask, label: int = 1) -> NDArray[np.uint8]:
    """Return the label maps of one object."""
    return np.stack([frame * np.uint8(label) for frame in frames])


def scores(*values: float) -> ObjectScores:
    return ObjectScores(gt=1, pred=1, j=np.array(values), f=np.array(values))


def test_j_is_intersection_over_union() -> None:
    assert region_similarity(square(0, 0), square(0, 4)) == pytest.approx(4 / 12)


def test_empty_masks_agree_and_a_missed_mask_has_nothing() -> None:
    nothing = np.zeros((40, 60), dtype=bool)

    for measure in (region_similarity, contour_accuracy):
        assert measure(nothing, nothing) == 1
        assert measure(square(0, 0), nothing) == 0
        assert measure(nothing, square(0, 0)) == 0


def test_void_pixels_count_for_neither() -> None:
    void = np.zeros((40, 60), dtype=bool)
    void[:, 8:] = True

    assert region_similarity(square(4, 0), square(4, 0, side=20), void) == pytest.approx(8 / 20)
    assert region_similarity(square(4, 0), square(4, 0) | void, void) == 1


def test_a_contour_is_a_line_one_pixel_wide_without_the_image_border() -> None:
    # The square of 2 x 2 in the corner: its outline lies right and below, not at the border.
    assert contour(square(0, 0, side=2, size=(4, 4))).pixels.tolist() == [1, 4, 5]


def test_contours_within_the_tolerance_agree() -> None:
    # 0.8 % of the diagonal of 80 x 60, 100 pixels, is 0.8, so 1 pixel.
    here, near, far = (square(20, left, size=(80, 60)) for left in (20, 21, 22))

    assert contour_accuracy(here, near) == 1
    assert contour_accuracy(here, far) < 1


def test_f_is_the_harmonic_mean_of_precision_and_recall() -> None:
    # Everything found once, and as much again far away: recall 1, precision one half.
    found = square(5, 5) | square(25, 40)

    assert contour_accuracy(square(5, 5), found) == pytest.approx(2 / 3)


@pytest.mark.parametrize("radius", [0, 1, 3, 7])
def test_widening_reaches_all_pixels_within_the_radius(radius: int) -> None:
    mask = np.random.default_rng(radius).random((13, 9)) < 0.05
    rows, columns = np.nonzero(mask)
    y, x = np.mgrid[:13, :9]

    squared = (y[..., None] - rows) ** 2 + (x[..., None] - columns) ** 2

    assert (widen(mask, radius) == (squared <= radius**2).any(axis=-1)).all()


def test_statistics_are_mean_recall_above_one_half_and_decay() -> None:
    statistics = frame_statistics(np.array([1, 1, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2]))

    assert statistics["Mean"] == pytest.approx(0.6)
    assert statistics["Recall"] == pytest.approx(4 / 8)
    assert statistics["Decay"] == pytest.approx((1 + 1 + 0.8) / 3 - (0.4 + 0.3 + 0.2) / 3)


def test_objects_of_all_videos_count_alike() -> None:
    result = vos_scores({"long": scores(1, 1, 1, 1), "short": scores(0)})

    assert result["J-Mean"] == result["J&F-Mean"] == pytest.approx(1 / 2)
    assert result.per_category["long"]["F-Mean"] == 1


def test_semi_supervised_leaves_out_the_first_and_the_last_frame() -> None:
    right, wrong = square(5, 5), square(25, 40)

    (found,) = semi_supervised(clip(right, right, right), clip(wrong, right, wrong))

    assert (found.j.tolist(), found.f.tolist()) == ([1], [1])


def test_semi_supervised_refuses_labels_without_object() -> None:
    mask = square(5, 5)

    with pytest.raises(ValueError, match=r"pred has label 2, but the first frame of gt has 1\.\.1"):
        semi_supervised(clip(mask, mask, mask), clip(mask, mask, mask, label=2))


def test_unsupervised_pairs_predictions_with_objects_whatever_their_labels() -> None:
    one, two = square(5, 5), square(25, 40)
    gt = clip(one, one) + clip(two, two, label=2)
    pred = clip(two, two) + clip(one, one, label=4)

    found = unsupervised(gt, pred)

    assert [(score.gt, score.pred) for score in found] == [(1, 4), (2, 1)]
    assert vos_scores({str(score.gt): score for score in found})["J&F-Mean"] == 1


def test_an_object_without_prediction_has_zero() -> None:
    gt = clip(square(5, 5)) + clip(square(25, 40), label=2)

    found = unsupervised(gt, clip(square(5, 5)))

    assert [(score.pred, score.j.tolist()) for score in found] == [(1, [1]), (None, [0])]


def test_void_in_label_maps_takes_predictions_away() -> None:
    gt = clip(square(5, 5))
    gt[0, :, 30:] = 255

    (found,) = unsupervised(gt, clip(square(5, 5) | square(5, 40)))

    assert found.j.tolist() == [1]


def test_too_many_proposals_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"pred has label 3, but a video may have 1\.\.2"):
        unsupervised(clip(square(5, 5)), clip(square(5, 5), label=3), max_proposals=2)


def test_a_late_object_is_scored_after_its_first_frame() -> None:
    nothing, mask = np.zeros((40, 60), dtype=bool), square(5, 5)

    found = after_first_frame(
        clip(nothing, mask, mask, nothing), clip(mask, nothing, mask, mask), 1
    )

    assert found.j.tolist() == [1, 0]


def test_an_object_that_never_counts_is_an_error() -> None:
    mask, nothing = square(5, 5), np.zeros((40, 60), dtype=bool)

    with pytest.raises(ValueError, match="must show object 1 before its last frame"):
        after_first_frame(clip(nothing, mask), clip(mask, mask), 1)


def test_g_is_the_mean_of_seen_and_unseen_objects() -> None:
    result = youtube_vos_scores({"a": scores(1), "b": scores(0)}, {"c": scores(1)})

    assert (result["J_seen"], result["F_unseen"]) == (0.5, 1)
    assert result["G"] == pytest.approx(3 / 4)


def test_a_group_without_objects_has_no_number() -> None:
    assert np.isnan(youtube_vos_scores({"a": scores(1)}, {})["G"])


def test_annotators_are_averaged() -> None:
    annotators = [vos_scores({"a": scores(1)}), vos_scores({"a": scores(0), "b": scores(0)})]

    assert mean_of_annotators(annotators)["J&F-Mean"] == pytest.approx(1 / 2)


def test_masks_of_different_sizes_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"pred must be a bool mask of gt's size \[40, 60\]"):
        region_similarity(square(0, 0), square(0, 0, size=(60, 40)))


def test_label_maps_of_different_sizes_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"label maps \[T, H, W\] of one shape"):
        object_scores(clip(square(0, 0)), clip(square(0, 0), square(0, 0)), 1)
