"""Noised truth as extra queries."""

import pytest
import torch
from torch import Tensor

from glee.data.targets import Targets
from glee.training.config import DenoisingConfig
from glee.training.denoising import Denoising, noise_targets
from glee.training.randomness import SeededRandomness

QUIET = DenoisingConfig(num_queries=10, label_noise=0, box_noise=0)
TABLE = torch.arange(5.0)[None, :, None] + torch.tensor([1.0, 100.0])  # a row for each label


def objects(*labels: int) -> Targets:
    boxes = torch.rand(len(labels), 4, generator=torch.Generator().manual_seed(sum(labels)))
    return Targets(labels=torch.tensor(labels, dtype=torch.int64), boxes_cxcywh=0.1 + 0.5 * boxes)


def noise(
    targets: list[Targets], config: DenoisingConfig = QUIET, table: Tensor = TABLE
) -> Denoising:
    chance = SeededRandomness(torch.Generator().manual_seed(0))
    found = noise_targets(targets, table, config, chance)
    assert found is not None
    return found


def test_as_many_copies_are_made_as_fit() -> None:
    found = noise([objects(0, 1, 2), objects(3)])

    assert found.groups == 3
    assert found.queries.content.shape == (2, 9, 2)
    assert found.assigned[0].query.tolist() == list(range(9))
    assert found.assigned[0].target.tolist() == [0, 1, 2] * 3
    assert found.assigned[1].query.tolist() == [0, 3, 6]
    assert found.assigned[1].target.tolist() == [0, 0, 0]


def test_without_noise_each_copy_is_its_object() -> None:
    targets = [objects(2, 4), objects(0, 1, 3)]
    found = noise(targets)

    for image, (truth, pairs) in enumerate(zip(targets, found.assigned, strict=True)):
        content = found.queries.content[image, pairs.query]
        boxes = found.queries.box_logits[image, pairs.query].sigmoid()
        torch.testing.assert_close(content, TABLE[0, truth.labels[pairs.target]])
        torch.testing.assert_close(boxes, truth.boxes_cxcywh[pairs.target])


def test_slots_of_images_with_fewer_objects_are_empty() -> None:
    found = noise([objects(0, 1, 2), objects(3)])

    empty = torch.ones(9, dtype=torch.bool)
    empty[found.assigned[1].query] = False
    assert not found.queries.content[1, empty].any()
    assert not found.queries.box_logits[1, empty].any()


def test_copies_read_their_own_group_only() -> None:
    readable = noise([objects(0, 1, 2)]).queries.readable

    assert readable.shape == (9, 9)
    torch.testing.assert_close(
        readable, torch.eye(3).repeat_interleave(3, 0).repeat_interleave(3, 1) > 0
    )


def test_a_share_of_the_labels_is_replaced_by_any() -> None:
    config = DenoisingConfig(num_queries=4000, label_noise=0.2, box_noise=0)

    found = noise([objects(2)], config).queries.content[0, :, 0] - 1

    # One in five of those replaced is given the true label again.
    assert (found != 2).float().mean().item() == pytest.approx(0.16, abs=0.02)
    assert set(found.tolist()) == {0, 1, 2, 3, 4}


def test_boxes_move_by_at_most_their_share_and_stay_in_the_image() -> None:
    config = DenoisingConfig(num_queries=1000, label_noise=0, box_noise=0.4)
    boxes = torch.tensor([[0.5, 0.5, 0.2, 0.4], [0.95, 0.02, 0.9, 0.9]])

    moved = (
        noise([Targets(labels=torch.tensor([0, 0]), boxes_cxcywh=boxes)], config)
        .queries.box_logits[0]
        .sigmoid()
    )

    reach = (moved[::2] - boxes[0]).abs().amax(0)
    torch.testing.assert_close(reach, torch.tensor([0.04, 0.08, 0.08, 0.16]), rtol=0.02, atol=0)
    assert moved.min() >= 0
    assert moved.max() <= 1
    assert moved[1::2].max() > 0.999


def test_expressions_have_content_of_their_own() -> None:
    table = torch.tensor([[[1.0, 2.0]], [[3.0, 4.0]]])

    found = noise([objects(0), objects(0)], table=table)

    torch.testing.assert_close(found.queries.content[:, 0], table[:, 0])


def test_the_embeddings_learn_from_the_copies() -> None:
    table = TABLE.clone().requires_grad_()

    noise([objects(1, 1, 3)], table=table).queries.content.sum().backward()

    assert table.grad is not None
    assert table.grad[0, :, 0].tolist() == [0, 6, 0, 3, 0]


@pytest.mark.parametrize("count", [0, 11])
def test_no_objects_or_too_many_make_no_copies(count: int) -> None:
    chance = SeededRandomness(torch.Generator().manual_seed(0))

    assert noise_targets([objects(*[1] * count), objects()], TABLE, QUIET, chance) is None


def test_an_image_without_objects_has_empty_slots_beside_another() -> None:
    found = noise([objects(), objects(1)])

    assert len(found.assigned[0].query) == 0
    assert not found.queries.content[0].any()
    assert found.queries.content[1].all()


def test_a_label_without_an_embedding_is_refused() -> None:
    with pytest.raises(ValueError, match="labels 1 to 5, but the prompt has 5 names"):
        noise([objects(1, 5)])
