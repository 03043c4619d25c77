import numpy as np
import pytest
from numpy.typing import NDArray

from glee.evaluation.interactive import (
    Click,
    click_iou,
    click_until_good,
    interactive_scores,
    mean_iou_after,
    next_click,
    number_of_clicks,
)

NOTHING = np.zeros((20, 30), dtype=bool)


def square(top: int, left: int, side: int) -> NDArray[np.int64]:
    labels = np.zeros((20, 30), dtype=np.int64)
    labels[top : top + side, left : left + side] = 1
    return labels


def test_the_first_click_is_in_the_middle_of_the_object() -> None:
    assert next_click(square(5, 10, side=7), NOTHING, NOTHING) == Click(8, 13, positive=True)


def test_of_equally_deep_pixels_the_first_row_by_row_is_clicked() -> None:
    # The four middle pixels of an even square are equally deep.
    assert next_click(square(5, 10, side=4), NOTHING, NOTHING) == Click(6, 11, positive=True)


def test_too_much_mask_gets_a_negative_click() -> None:
    gt, pred = square(2, 2, side=5), square(2, 2, side=5).astype(bool)
    pred[10:19, 15:24] = True

    assert next_click(gt, pred, NOTHING) == Click(14, 19, positive=False)


def test_the_border_of_the_image_is_an_edge() -> None:
    gt = np.zeros((20, 30), dtype=np.int64)
    gt[:, :9] = 1

    assert next_click(gt, NOTHING, NOTHING).column == 4


def test_a_clicked_pixel_is_not_clicked_again() -> None:
    gt, clicked = square(5, 10, side=3), NOTHING.copy()
    clicked[6, 11] = True

    assert next_click(gt, NOTHING, clicked) == Click(5, 10, positive=True)


def test_ignored_pixels_are_no_error() -> None:
    gt = square(2, 2, side=5)
    gt[10:19, 15:24] = -1
    everything = (gt != 0).astype(bool)

    assert click_iou(gt, everything) == 1
    assert not next_click(gt, everything & (gt == 1), NOTHING).positive


def test_clicking_ends_when_the_mask_is_good_enough() -> None:
    gt = square(5, 10, side=7)

    def segment(clicks: tuple[Click, ...]) -> NDArray[np.bool_]:
        return gt == 1 if len(clicks) == 3 else NOTHING

    found = click_until_good(gt, segment)

    assert found.ious.tolist() == [0, 0, 1]
    assert len(set(found.clicks)) == 3


def test_clicking_ends_after_the_allowed_number() -> None:
    found = click_until_good(square(5, 10, side=7), lambda _: NOTHING, max_clicks=4)

    assert len(found.clicks) == 4


def test_an_image_without_object_is_an_error() -> None:
    with pytest.raises(ValueError, match="no pixel of value 1"):
        click_until_good(square(0, 0, side=0), lambda _: NOTHING)


def test_the_number_of_clicks_is_that_of_the_first_good_mask() -> None:
    ious = np.array([0.5, 0.86, 0.8, 0.95])

    assert number_of_clicks(ious, 0.85) == 2
    assert number_of_clicks(ious, 0.9) == 4
    assert number_of_clicks(ious, 0.96) is None


def test_a_share_that_equals_the_target_in_32_bits_reaches_it() -> None:
    assert number_of_clicks(np.array([0.9 - 1e-9]), 0.9) == 1


def test_an_image_that_never_succeeds_counts_20_clicks_and_a_failure() -> None:
    scores = interactive_scores({"a": np.array([0.5, 0.95]), "b": np.array([0.87])})

    assert (scores["NoC@85"], scores["NoF@85"]) == (1.5, 0)
    assert (scores["NoC@90"], scores["NoF@90"]) == (11, 1)


def test_mean_iou_keeps_the_last_mask_of_an_image_that_was_done() -> None:
    assert mean_iou_after([np.array([0.5, 0.7, 0.9]), np.array([0.96])], 2) == pytest.approx(0.83)


def test_masks_of_another_size_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"pred must be \[20, 30\] like gt, got \[30, 20\]"):
        next_click(square(5, 10, side=7), NOTHING.T, NOTHING)
