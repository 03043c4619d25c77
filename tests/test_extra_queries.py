"""Queries given to the network from outside, and marks shared by the frames of a clip."""

from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor

from glee.data.targets import Targets
from glee.model.glee import GLEE
from glee.model.interfaces import ExtraQueries, ObjectOutputs, PromptBatch, Regions
from glee.training.config import DenoisingConfig
from glee.training.denoising import noise_targets
from glee.training.randomness import SeededRandomness


@pytest.fixture(scope="module")
def pixels() -> Tensor:
    return torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def names(model: GLEE) -> PromptBatch:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randn(5, model.config.width, generator=generator)
    with torch.no_grad():
        return PromptBatch(model.names_prompt(tokens, tokens[:3]))


@pytest.fixture(scope="module")
def extra(model: GLEE) -> ExtraQueries:
    """Three groups of two queries an image."""
    boxes = torch.rand(2, 2, 4, generator=torch.Generator().manual_seed(2))
    targets = [Targets(labels=torch.tensor([0, 2]), boxes_cxcywh=own) for own in boxes]
    table = torch.randn(1, 3, model.config.width, generator=torch.Generator().manual_seed(3))
    chance = SeededRandomness(torch.Generator().manual_seed(4))
    found = noise_targets(targets, table, DenoisingConfig(num_queries=7), chance)
    assert found is not None
    return found.queries


def assert_equal(ours: ObjectOutputs, theirs: ObjectOutputs) -> None:
    for field in fields(ours):
        torch.testing.assert_close(
            getattr(ours, field.name), getattr(theirs, field.name), rtol=1e-4, atol=1e-4
        )


@torch.no_grad()
def test_extra_queries_never_influence_what_is_found(
    model: GLEE, pixels: Tensor, names: PromptBatch, extra: ExtraQueries
) -> None:
    alone = model(pixels, names, every_layer=True)

    moved = replace(extra, box_logits=extra.box_logits + 3, content=-5 * extra.content)
    for queries in (extra, moved):
        beside = model(pixels, names, every_layer=True, extra=queries)
        assert_equal(beside.final, alone.final)
        assert_equal(beside.proposals, alone.proposals)
        for ours, theirs in zip(beside.auxiliary, alone.auxiliary, strict=True):
            assert_equal(ours, theirs)


@torch.no_grad()
def test_groups_of_extra_queries_do_not_read_each_other(
    model: GLEE, pixels: Tensor, names: PromptBatch, extra: ExtraQueries
) -> None:
    changed = extra.content.clone()
    changed[:, 2:4] *= -7

    before = model(pixels, names, extra=extra).extra[-1].boxes_cxcywh
    after = model(pixels, names, extra=replace(extra, content=changed)).extra[-1].boxes_cxcywh

    torch.testing.assert_close(after[:, [0, 1, 4, 5]], before[:, [0, 1, 4, 5]])
    assert (after[:, 2:4] - before[:, 2:4]).abs().max() > 1e-3


@torch.no_grad()
def test_extra_queries_of_one_group_read_each_other(
    model: GLEE, pixels: Tensor, names: PromptBatch, extra: ExtraQueries
) -> None:
    isolated = replace(extra, readable=torch.eye(6, dtype=torch.bool))

    together = model(pixels, names, extra=extra).extra[-1].boxes_cxcywh
    apart = model(pixels, names, extra=isolated).extra[-1].boxes_cxcywh

    assert (together - apart).abs().max() > 1e-5


@torch.no_grad()
def test_extra_queries_are_predicted_by_every_layer_and_start_at_their_boxes(
    model: GLEE, pixels: Tensor, names: PromptBatch, extra: ExtraQueries
) -> None:
    outputs = model(pixels, names, every_layer=True, extra=extra)

    assert len(outputs.extra) == len(outputs.auxiliary) + 1
    torch.testing.assert_close(outputs.extra[0].boxes_cxcywh, extra.box_logits.sigmoid())
    assert outputs.extra[-1].logits.shape == (2, 6, 3)
    assert outputs.final.logits.shape[1] == model.config.object_decoder.num_queries


@torch.no_grad()
def test_extra_queries_beside_a_guiding_expression_change_nothing_either(
    model: GLEE, pixels: Tensor, extra: ExtraQueries
) -> None:
    tokens = torch.randn(2, 6, model.config.width, generator=torch.Generator().manual_seed(5))
    valid = torch.arange(6) < torch.tensor([[6], [3]])
    prompt = PromptBatch(model.expression_prompt(tokens, valid))

    assert_equal(model(pixels, prompt, extra=extra).final, model(pixels, prompt).final)


def two_marks() -> Regions:
    masks = torch.zeros(2, 64, 96, dtype=torch.bool)
    masks[0, 8:30, 10:40], masks[1, 30:50, 50:80] = True, True
    return Regions(masks, masks, torch.tensor([False, True]))


@torch.no_grad()
def test_a_mark_on_the_first_frame_serves_its_whole_clip(model: GLEE, names: PromptBatch) -> None:
    frames = torch.randn(4, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    prompt = PromptBatch(names.text, two_marks(), frames=2)
    first = model(frames[::2], PromptBatch(names.text, two_marks())).visual
    repeated = replace(
        first,
        template=first.template.repeat_interleave(2, 0),
        points=tuple(level.repeat_interleave(2, 0) for level in first.points),
        valid=first.valid.repeat_interleave(2, 0),
    )

    outputs = model(frames, prompt)

    assert prompt.num_rows == 4
    assert_equal(outputs.final, model(frames, PromptBatch(names.text, remembered=repeated)).final)
