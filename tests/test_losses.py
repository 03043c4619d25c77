"""Each loss against numbers worked out by hand."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from glee.config import ClipTextConfig, tiny
from glee.data.targets import Targets
from glee.model.interfaces import ObjectOutputs
from glee.model.mask_maps import mask_logits
from glee.model.text.clip import ClipText
from glee.ops.boxes import generalized_iou
from glee.ops.points import sample_maps
from glee.training.config import MaskPointsConfig
from glee.training.distillation import (
    EncodedTexts,
    distillation_loss,
    frozen_copy,
    released_teacher,
)
from glee.training.losses import (
    box_losses,
    contrastive_loss,
    cross_entropy,
    dice_loss,
    focal_loss,
)
from glee.training.mask_losses import choose_points, masks_at_points
from glee.training.matching import Assignment
from glee.training.randomness import SeededRandomness
from glee.training.tracking_loss import tracking_loss

LN2 = math.log(2)


class Chance(SeededRandomness):
    """Seeded, with the queries drawn replaced by given ones."""

    def __init__(self, queries: tuple[int, ...] = ()) -> None:
        super().__init__(torch.Generator().manual_seed(0))
        self.given = queries

    def queries(self, count: int, num_queries: int) -> Tensor:
        return torch.tensor(self.given, dtype=torch.int64)


def test_focal_loss_at_even_odds_is_a_quarter_of_weighted_entropy() -> None:
    loss = focal_loss(torch.zeros(2), torch.tensor([1.0, 0.0]), alpha=0.25, gamma=2)

    torch.testing.assert_close(loss, torch.tensor([0.25 * 0.25 * LN2, 0.75 * 0.25 * LN2]))


def test_focal_loss_counts_what_is_already_right_less() -> None:
    nine_to_one = torch.tensor([math.log(9), -math.log(9)])

    right, wrong = focal_loss(nine_to_one, torch.ones(2), alpha=1, gamma=2)

    assert right.item() == pytest.approx(0.1**2 * -math.log(0.9), rel=1e-4)
    assert wrong.item() == pytest.approx(0.9**2 * -math.log(0.1), rel=1e-4)


def test_dice_of_a_perfect_mask_is_zero_and_of_a_missed_one_near_one() -> None:
    target = torch.tensor([[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]])
    logits = 100 * torch.tensor([[1.0, 1.0, -1.0, -1.0], [-1.0, -1.0, 1.0, 1.0]])

    torch.testing.assert_close(dice_loss(logits, target), torch.tensor([0.0, 1 - 1 / 5]))


def test_dice_of_an_undecided_mask_is_worked_out_by_hand() -> None:
    loss = dice_loss(torch.zeros(1, 4), torch.tensor([[1.0, 0.0, 0.0, 0.0]]))

    assert loss.item() == pytest.approx(1 - (2 * 0.5 + 1) / (2 + 1 + 1))


def test_cross_entropy_is_averaged_over_points() -> None:
    logits = torch.tensor([[0.0, math.log(3)]])

    loss = cross_entropy(logits, torch.tensor([[1.0, 0.0]]))

    assert loss.item() == pytest.approx((LN2 + math.log(4)) / 2)


def test_boxes_that_touch_at_a_corner_are_one_apart_and_half_the_hull_is_empty() -> None:
    boxes = torch.tensor([[0.25, 0.25, 0.5, 0.5]])

    distance, apart = box_losses(boxes, torch.tensor([[0.75, 0.75, 0.5, 0.5]]))

    assert distance.item() == pytest.approx(1.0)
    assert apart.item() == pytest.approx(1.5)


def test_boxes_are_brought_into_the_image_before_they_are_compared() -> None:
    boxes = torch.tensor([[1.5, 0.5, 0.2, 0.2]])

    distance, _ = box_losses(boxes, torch.tensor([[0.9, 0.5, 0.2, 0.2]]))

    assert distance.item() == pytest.approx(0.1)


def test_generalized_iou_of_a_box_within_another_is_their_ratio() -> None:
    outer, inner = torch.tensor([0.0, 0.0, 4.0, 2.0]), torch.tensor([1.0, 0.0, 3.0, 1.0])

    assert generalized_iou(outer, inner).item() == pytest.approx(0.25)
    assert generalized_iou(inner, inner).item() == pytest.approx(1.0)


def test_boxes_without_area_have_finite_losses_and_gradients() -> None:
    boxes = torch.tensor([[0.5, 0.5, 0.0, 0.0], [0.2, 0.2, 0.0, 0.1]], requires_grad=True)

    distance, apart = box_losses(boxes, boxes.detach())
    (distance + apart).sum().backward()

    assert boxes.grad is not None
    assert boxes.grad.isfinite().all()
    assert apart.isfinite().all()


def test_the_contrastive_loss_compares_every_wrong_pair_with_every_right_one() -> None:
    similarity = torch.tensor([[1.0, 2.0], [0.5, 3.0]])
    same = torch.tensor([[True, False], [False, True]])

    loss = contrastive_loss(similarity, same, ~same)

    pairs = [wrong - right for wrong in (2.0, 0.5) for right in (1.0, 3.0)]
    assert loss.item() == pytest.approx(math.log(1 + sum(map(math.exp, pairs))))


def test_the_contrastive_loss_does_not_overflow() -> None:
    loss = contrastive_loss(torch.tensor([[-500.0, 500.0]]), *torch.eye(2).bool()[:, None])

    assert loss.item() == pytest.approx(1000.0)


@pytest.mark.parametrize("kind", ["same", "different", "neither"])
def test_without_both_kinds_of_pairs_the_contrastive_loss_is_zero(kind: str) -> None:
    similarity = torch.tensor([[1.0, 2.0]], requires_grad=True)
    every, none = torch.ones(1, 2, dtype=torch.bool), torch.zeros(1, 2, dtype=torch.bool)

    loss = contrastive_loss(
        similarity, every if kind == "same" else none, every if kind == "different" else none
    )
    loss.backward()

    assert loss.item() == 0
    torch.testing.assert_close(similarity.grad, torch.zeros(1, 2))


def clip_of_two(ids: tuple[list[int], list[int]]) -> list[Targets]:
    return [
        Targets(
            labels=torch.zeros(len(own), dtype=torch.int64),
            boxes_cxcywh=torch.full((len(own), 4), 0.5),
            track_ids=torch.tensor(own, dtype=torch.int64),
            follows=frame > 0,
        )
        for frame, own in enumerate(ids)
    ]


def in_order(*counts: int) -> list[Assignment]:
    return [Assignment(torch.arange(count), torch.arange(count)) for count in counts]


def test_tracking_compares_objects_with_those_before_and_with_unmatched_queries() -> None:
    embeddings = torch.tensor([[[1.0], [2.0], [3.0]], [[2.0], [9.0], [9.0]]])
    targets = clip_of_two(([7, 8], [7]))

    # Query 1 is drawn but stands for object 8, query 2 for nothing.
    loss = tracking_loss(embeddings, in_order(2, 1), targets, Chance((1, 2)), other_queries=2)

    assert loss.item() == pytest.approx(math.log(1 + math.exp(4 - 2) + math.exp(6 - 2)))


def test_tracking_does_not_depend_on_the_order_of_the_objects() -> None:
    embeddings = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0))
    targets, order = clip_of_two(([7, 8, 9], [8, 9, 7])), torch.tensor([2, 0, 1])
    swapped = [targets[0].take(order), targets[1]]
    pairs = in_order(3, 3)
    swapped_pairs = [Assignment(order, torch.arange(3)), pairs[1]]

    loss = tracking_loss(embeddings, pairs, targets, Chance((3,)), other_queries=1)

    again = tracking_loss(embeddings, swapped_pairs, swapped, Chance((3,)), other_queries=1)
    torch.testing.assert_close(again, loss)


def test_tracking_pairs_clips_only_with_themselves_and_divides_by_their_objects() -> None:
    embeddings = torch.randn(4, 3, 4, generator=torch.Generator().manual_seed(0))
    first, second = clip_of_two(([1, 2], [1, 2])), clip_of_two(([2, 1], [1]))

    both = tracking_loss(
        embeddings, in_order(2, 2, 2, 1), first + second, Chance(), other_queries=0
    )

    alone = [
        tracking_loss(embeddings[:2], in_order(2, 2), first, Chance(), other_queries=0),
        tracking_loss(embeddings[2:], in_order(2, 1), second, Chance(), other_queries=0),
    ]
    torch.testing.assert_close(both, (2 * alone[0] + 1 * alone[1]) / 3)


@pytest.mark.parametrize("ids", [([], [1]), ([1], []), ([], [])])
def test_tracking_of_frames_without_objects_is_zero_with_a_gradient(
    ids: tuple[list[int], list[int]],
) -> None:
    embeddings = torch.ones(2, 3, 4, requires_grad=True)

    loss = tracking_loss(
        embeddings, in_order(*map(len, ids)), clip_of_two(ids), Chance((2,)), other_queries=1
    )
    loss.backward()

    assert loss.item() == 0
    torch.testing.assert_close(embeddings.grad, torch.zeros(2, 3, 4))


def test_tracking_tells_what_is_missing_to_compare_frames() -> None:
    targets = clip_of_two(([1], [1]))
    nameless = replace(targets[0], track_ids=None)

    with pytest.raises(ValueError, match="the first image, which follows none"):
        tracking_loss(torch.ones(1, 3, 4), in_order(1), targets[1:], Chance(), other_queries=0)
    with pytest.raises(ValueError, match="track_ids are missing"):
        tracking_loss(
            torch.ones(2, 3, 4),
            in_order(1, 1),
            [nameless, targets[1]],
            Chance(),
            other_queries=0,
        )


def test_distillation_of_tokens_averages_squares_over_valid_tokens() -> None:
    student = torch.tensor([[[1.0, 2.0], [3.0, 3.0]], [[0.0, 4.0], [9.0, 9.0]]])
    valid = torch.tensor([[True, True], [True, False]])

    loss = distillation_loss(EncodedTexts(student, torch.zeros(2, 2, 2), valid), "tokens")

    assert loss.item() == pytest.approx((1 + 4 + 9 + 9 + 0 + 16) / 6)


def test_distillation_of_texts_compares_their_means() -> None:
    student = torch.tensor([[[1.0, 2.0], [3.0, -4.0]], [[0.0, 4.0], [9.0, 9.0]]])
    valid = torch.tensor([[True, True], [True, False]])

    loss = distillation_loss(EncodedTexts(student, torch.zeros(2, 2, 2), valid), "texts")

    assert loss.item() == pytest.approx((2 + 1 + 0 + 4) / 4)


@pytest.mark.parametrize("of", ["tokens", "texts"])
def test_distillation_does_not_read_padding(of: str) -> None:
    student, teacher = torch.randn(2, 3, 2, 4, generator=torch.Generator().manual_seed(0))
    valid = torch.ones(3, 2, dtype=torch.bool)
    rubbish = torch.full((3, 2, 4), 99.0)

    loss = distillation_loss(EncodedTexts(student, teacher, valid), of)

    padded = EncodedTexts(
        torch.cat([student, rubbish], 1), torch.cat([teacher, -rubbish], 1), valid.repeat(1, 2)
    )
    padded.valid[:, 2:] = False
    torch.testing.assert_close(distillation_loss(padded, of), loss)


def test_a_frozen_copy_stays_as_it_was() -> None:
    encoder = ClipText(tiny().text)
    teacher = frozen_copy(encoder)

    with torch.no_grad():
        encoder.norm.weight.zero_()

    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert teacher.norm.weight.all()


def test_the_teacher_of_a_released_checkpoint_has_its_own_weights(
    released_state: dict[str, Tensor],
) -> None:
    config = ClipTextConfig(vocabulary=64, num_layers=2, mlp_width=1024)

    teacher = released_teacher(released_state, config)

    name = "text_encoder_teacher.text_model.encoder.layers.0.mlp.fc1.weight"
    torch.testing.assert_close(teacher.layers[0].expand.weight, released_state[name])
    assert not any(parameter.requires_grad for parameter in teacher.parameters())


def test_without_a_teacher_in_the_checkpoint_the_error_says_what_to_take() -> None:
    with pytest.raises(ValueError, match="take frozen_copy of the text encoder"):
        released_teacher({}, tiny().text)


def test_points_are_chosen_where_the_mask_is_least_certain() -> None:
    # Logits rise from -5 on the left to 5 on the right: the middle is uncertain.
    maps = torch.linspace(-5, 5, 41).expand(2, 200, 41).contiguous()
    config = MaskPointsConfig(num_points=100, oversampling=4, uncertain_share=1)

    points = choose_points(maps, config, Chance())

    assert points.shape == (2, 100, 2)
    # The quarter of the candidates that lies nearest to the middle column.
    assert (points[..., 0] - 0.5).abs().max() < 0.2


def test_some_points_are_chosen_anywhere() -> None:
    maps = torch.linspace(-5, 5, 41).expand(1, 200, 41).contiguous()
    config = MaskPointsConfig(num_points=100, oversampling=4, uncertain_share=0.75)

    distance = (choose_points(maps, config, Chance())[..., 0] - 0.5).abs()

    assert 5 < (distance > 0.2).sum() <= 25


def test_masks_are_read_at_the_points_as_from_the_maps_of_all_queries() -> None:
    generator = torch.Generator().manual_seed(0)
    kernels, features = torch.randn(2, 6, 8, generator=generator), torch.randn(2, 8, 5, 7)
    nothing = torch.zeros(2, 6, 4)
    outputs = ObjectOutputs(nothing, nothing[..., 0], nothing, kernels, kernels[..., 0], nothing)
    truth = torch.rand(3, 20, 28, generator=generator) > 0.5
    targets = [
        Targets(
            labels=torch.zeros(len(masks), dtype=torch.int64),
            boxes_cxcywh=torch.ones(len(masks), 4),
            masks=masks,
        )
        for masks in (truth, truth[:1])
    ]
    pairs = [
        Assignment(torch.tensor([1, 5]), torch.tensor([2, 0])),
        Assignment(torch.tensor([4]), torch.tensor([0])),
    ]
    config = MaskPointsConfig(num_points=30)

    logits, values = masks_at_points(outputs, features, pairs, targets, config, Chance())

    maps = mask_logits(outputs, features)[[0, 0, 1], [1, 5, 4]]
    points = choose_points(maps, config, Chance())
    torch.testing.assert_close(logits, sample_maps(maps[:, None], points)[:, 0])
    expected = sample_maps(truth[[2, 0, 0], None].float(), points)[:, 0]
    torch.testing.assert_close(values, expected)


def test_points_that_cannot_be_chosen_are_refused() -> None:
    with pytest.raises(ValueError, match=r"uncertain_share \(0.9\) must lie between 0 and 1"):
        MaskPointsConfig(oversampling=0.5, uncertain_share=0.9)
    with pytest.raises(ValueError, match="num_points must be at least 1, got 0"):
        MaskPointsConfig(num_points=0)
