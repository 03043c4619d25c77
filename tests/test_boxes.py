import torch

from glee.ops.boxes import (
    box_area,
    clip_boxes,
    cxcywh_to_xyxy,
    scale_boxes,
    suppress_nested,
    xyxy_to_cxcywh,
    xyxy_to_xywh,
)


def test_a_centred_box_has_its_corners_half_its_size_away() -> None:
    boxes = torch.tensor([[5.0, 4.0, 6.0, 2.0]])

    assert cxcywh_to_xyxy(boxes).tolist() == [[2, 3, 8, 5]]


def test_xyxy_comes_back_from_cxcywh() -> None:
    boxes = torch.tensor([[[2.0, 3.0, 8.0, 5.0]], [[-1.0, 0.5, 0.0, 7.0]]])

    torch.testing.assert_close(cxcywh_to_xyxy(xyxy_to_cxcywh(boxes)), boxes)


def test_xywh_starts_at_the_top_left_corner() -> None:
    assert xyxy_to_xywh(torch.tensor([2.0, 3.0, 8.0, 5.0])).tolist() == [2, 3, 6, 2]


def test_scaling_multiplies_x_by_the_width_and_y_by_the_height() -> None:
    boxes = torch.tensor([[0.5, 0.5, 1.0, 0.25]])

    assert scale_boxes(boxes, (100, 200)).tolist() == [[100, 50, 200, 25]]


def test_scaling_before_or_after_the_change_of_format_is_the_same() -> None:
    boxes = torch.tensor([[0.5, 0.4, 0.2, 0.1]])

    before = cxcywh_to_xyxy(scale_boxes(boxes, (100, 200)))
    after = scale_boxes(cxcywh_to_xyxy(boxes), (100, 200))

    torch.testing.assert_close(before, after)


def test_clipped_boxes_end_at_the_borders_of_the_image() -> None:
    boxes = torch.tensor([[-3.0, 2.0, 50.0, 40.0], [1.0, 2.0, 3.0, 4.0], [30.0, 5.0, 40.0, 9.0]])

    clipped = clip_boxes(boxes, (10, 20))

    assert clipped.tolist() == [[0, 2, 20, 10], [1, 2, 3, 4], [20, 5, 20, 9]]


def test_area_is_width_times_height_and_never_negative() -> None:
    boxes = torch.tensor([[1.0, 2.0, 4.0, 7.0], [4.0, 7.0, 1.0, 2.0], [1.0, 1.0, 1.0, 5.0]])

    assert box_area(boxes).tolist() == [15, 0, 0]


def test_of_boxes_inside_each_other_the_best_one_stays() -> None:
    whole, part, aside = [0.0, 0.0, 10.0, 10.0], [1.0, 1.0, 3.0, 3.0], [8.0, 0.0, 18.0, 10.0]
    boxes = torch.tensor([part, whole, aside, part])
    scores, labels = torch.tensor([0.5, 0.9, 0.7, 0.6]), torch.tensor([0, 0, 0, 1])

    # `aside` shares a fifth with `whole`; the second `part` has another label.
    assert suppress_nested(boxes, scores, labels, 0.8).tolist() == [1, 2, 3]
    assert suppress_nested(boxes, scores, labels, 0.1).tolist() == [1, 3]
    assert suppress_nested(boxes, scores, labels, 1.0).tolist() == [1, 2, 3, 0]


def test_a_better_part_drops_the_whole() -> None:
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [1.0, 1.0, 3.0, 3.0]])

    kept = suppress_nested(boxes, torch.tensor([0.1, 0.2]), torch.zeros(2).long(), 0.8)

    assert kept.tolist() == [1]
