"""Which query stands for which object."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from glee.data.targets import Targets
from glee.model.interfaces import ObjectOutputs
from glee.model.mask_maps import mask_logits
from glee.ops.points import sample_maps
from glee.training.config import FocalConfig, MatcherConfig
from glee.training.losses import cross_entropy, dice_loss, focal_loss
from glee.training.matching import Assignment, mask_costs, match, sample_images, semantic_cost
from glee.training.randomness import SeededRandomness

CORNERS = torch.tensor([[0.2, 0.2, 0.2, 0.2], [0.8, 0.2, 0.2, 0.2], [0.2, 0.8, 0.2, 0.2]])
FEATURES = torch.zeros(1, 4, 8, 8)


def predict(
    boxes: Tensor, logits: Tensor | None = None, kernels: Tensor | None = None
) -> ObjectOutputs:
    """One image with Q = 3 queries, three names and masks of four channels."""
    count = len(boxes)
    logits = torch.zeros(count, 3) if logits is None else logits
    kernels = torch.zeros(count, 4) if kernels is None else kernels
    nothing = torch.zeros(1, count)
    # The bias is not zero, so that it matters where masks are read.
    return ObjectOutputs(
        logits[None], nothing, boxes[None], kernels[None], kernels[None, :, 0], nothing[..., None]
    )


def know(boxes: Tensor, labels: list[int], masks: Tensor | None = None) -> Targets:
    labels_known = torch.tensor(labels, dtype=torch.int64)
    return Targets(labels=labels_known, boxes_cxcywh=boxes, masks=masks)


def assign(
    sets: list[ObjectOutputs], targets: list[Targets], features: Tensor = FEATURES
) -> list[list[Assignment]]:
    chance = SeededRandomness(torch.Generator().manual_seed(0))
    config = MatcherConfig(num_points=100)
    return match(sets, features, targets, config, FocalConfig(), chance)


def query_of(pairs: Assignment) -> dict[int, int]:
    """Return the query of each object."""
    return dict(zip(pairs.target.tolist(), pairs.query.tolist(), strict=True))


def test_each_object_goes_to_the_query_with_its_box() -> None:
    pairs = assign([predict(CORNERS)], [know(CORNERS[[2, 0]], [0, 0])])[0][0]

    assert query_of(pairs) == {0: 2, 1: 0}


def test_the_query_that_names_the_object_gets_it() -> None:
    logits = torch.tensor([[-3.0, 3.0, 0.0], [3.0, -3.0, 0.0], [0.0, 0.0, 0.0]])

    pairs = assign([predict(CORNERS[[0, 0, 0]], logits)], [know(CORNERS[[0, 0]], [0, 1])])[0][0]

    assert query_of(pairs) == {0: 1, 1: 0}


def test_the_query_whose_mask_is_that_of_the_object_gets_it() -> None:
    features = torch.zeros(1, 4, 8, 8)
    features[0, 0, :, :4], features[0, 1, :, 4:] = 1, 1  # left half, right half
    kernels = 10 * torch.tensor([[0.0, 1, 0, 0], [0, -1, 1, 0], [0, 0, 0, 0]])
    left = torch.zeros(1, 32, 32, dtype=torch.bool)
    left[:, :, :16] = True
    features[0, 2] = features[0, 0]
    known = know(CORNERS[:1], [0], left)
    boxes = CORNERS[[0, 0, 0]]
    boxes[1:, 0] += 0.01  # without masks it would be the first

    outputs = predict(boxes, kernels=kernels)
    twice = ObjectOutputs(*(torch.cat([value, value]) for value in fields(outputs)))
    blind = replace(known, masks=None)

    pairs = assign([twice], [known, blind], features.expand(2, -1, -1, -1))[0]

    assert query_of(pairs[0]) == {0: 1}
    assert query_of(pairs[1]) == {0: 0}


def test_the_whole_assignment_is_cheapest_not_each_object_alone() -> None:
    places = torch.tensor([[0.5], [0.7], [0.52], [0.48]])
    boxes = torch.cat([places, torch.full((4, 1), 0.5), torch.full((4, 2), 0.2)], dim=1)

    # Query 0 is nearest to both objects, but the first of them is nearer to the other query.
    pairs = assign([predict(boxes[:2])], [know(boxes[2:], [0, 0])])[0][0]

    assert query_of(pairs) == {0: 1, 1: 0}


def test_matching_does_not_depend_on_the_order_of_the_objects() -> None:
    generator = torch.Generator().manual_seed(0)
    outputs = predict(torch.rand(8, 4, generator=generator), torch.randn(8, 3, generator=generator))
    targets = know(torch.rand(5, 4, generator=generator), [0, 1, 2, 0, 1])
    order = torch.tensor([3, 1, 4, 0, 2])

    straight, shuffled = (
        query_of(assign([outputs], [each])[0][0]) for each in (targets, targets.take(order))
    )

    assert {int(order[target]): query for target, query in shuffled.items()} == straight


def test_sets_and_images_are_matched_each_on_their_own() -> None:
    both = [predict(CORNERS), predict(CORNERS[[1, 2, 0]])]
    sets = [ObjectOutputs(*(torch.cat([x, x]) for x in fields(each))) for each in both]
    targets = [know(CORNERS[:1], [0]), know(CORNERS[[2, 1]], [0, 0])]

    found = assign(sets, targets, FEATURES.expand(2, -1, -1, -1))

    assert [query_of(pairs) for pairs in found[0]] == [{0: 0}, {0: 2, 1: 1}]
    assert [query_of(pairs) for pairs in found[1]] == [{0: 2}, {0: 1, 1: 0}]


def fields(outputs: ObjectOutputs) -> list[Tensor]:
    return [getattr(outputs, name) for name in outputs.__slots__]


def test_of_more_objects_than_queries_as_many_are_matched_as_there_are_queries() -> None:
    pairs = assign([predict(CORNERS)], [know(CORNERS.repeat(2, 1), [0] * 6)])[0][0]

    assert sorted(pairs.query.tolist()) == [0, 1, 2]
    assert len(set(pairs.target.tolist())) == 3


def test_images_without_objects_have_no_pairs() -> None:
    nothing = know(torch.zeros(0, 4), [])

    pairs = assign([predict(CORNERS)], [nothing])[0][0]

    assert len(pairs.query) == len(pairs.target) == 0


def test_the_semantic_cost_is_what_focal_loss_gains_by_the_label() -> None:
    logits = torch.tensor([[1.0, -2.0], [0.5, 3.0]])

    cost = semantic_cost(logits, torch.tensor([1, 0, 1]), FocalConfig())

    ones = focal_loss(logits, torch.ones(2, 2), alpha=0.25, gamma=2)
    zeros = focal_loss(logits, torch.zeros(2, 2), alpha=0.25, gamma=2)
    torch.testing.assert_close(cost, (ones - zeros)[:, [1, 0, 1]], rtol=1e-4, atol=1e-5)


def test_mask_costs_are_the_losses_of_every_pair() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, truth = torch.randn(3, 50, generator=generator), torch.rand(2, 50, generator=generator)

    entropy, dice = mask_costs(logits, truth)

    for query in range(3):
        pair = logits[query].expand(2, -1), truth
        torch.testing.assert_close(entropy[query], cross_entropy(*pair))
        torch.testing.assert_close(dice[query], dice_loss(*pair))


def test_masks_are_read_as_if_the_maps_of_all_queries_had_been_made() -> None:
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(1, 4, 8, 8, generator=generator)
    outputs = predict(CORNERS, kernels=torch.randn(3, 4, generator=generator))
    masks = torch.rand(2, 32, 32, generator=generator) > 0.5
    targets = [know(CORNERS[:2], [0, 0], masks)]
    points, again = (
        SeededRandomness(torch.Generator().manual_seed(7)).points(1, 100),
        SeededRandomness(torch.Generator().manual_seed(7)),
    )

    sample = sample_images(features, targets, MatcherConfig(num_points=100), again)[0]

    assert sample is not None
    read = sample_maps(mask_logits(outputs, features), points)[0]
    torch.testing.assert_close(sample.predict(outputs, 0), read, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(sample.truth, sample_maps(masks[None].float(), points)[0])


def test_a_label_that_is_no_name_of_the_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="labels 0 to 3, but the prompt has 3 names"):
        assign([predict(CORNERS)], [know(CORNERS[:2], [0, 3])])


def test_a_diverged_network_is_reported_as_such() -> None:
    with pytest.raises(FloatingPointError, match="not finite"):
        assign([predict(CORNERS * torch.nan)], [know(CORNERS[:1], [0])])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"boxes_cxcywh": torch.zeros(4)}, r"must be \[G, 4\], got \[4\]"),
        ({"boxes_cxcywh": torch.zeros(3, 4)}, "boxes_cxcywh has 3 rows for 1 labels"),
        ({"track_ids": torch.zeros(2)}, "track_ids has 2 rows for 1 labels"),
        ({"masks": torch.zeros(1, 4, 4)}, r"masks must be bool, got torch\.float32"),
        ({"follows": True}, "but there are no track_ids"),
    ],
)
def test_targets_that_do_not_fit_together_are_refused(
    fields: dict[str, Tensor | bool], message: str
) -> None:
    values = {"labels": torch.tensor([0]), "boxes_cxcywh": CORNERS[:1]} | fields

    with pytest.raises(ValueError, match=message):
        Targets(**values)
