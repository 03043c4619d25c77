"""Names of boxes by the image encoder's maps: means in boxes, and what they add to logits."""

from dataclasses import replace

import pytest
import torch

from glee.config import GleeConfig, tiny
from glee.model.box_names import average_in_boxes
from glee.model.build import build_glee
from glee.model.interfaces import PromptBatch


@pytest.mark.parametrize(
    ("box", "mean"),
    [
        ([0.25, 0.25, 0.5, 0.5], 2.5),  # cells 0, 1, 4 and 5 of 4 x 4
        ([0.5, 0.5, 1.0, 1.0], 7.5),
        ([0.5, 0.125, 0.5, 0.25], 1.5),  # cells 1 and 2
        ([0.375, 0.125, 0.5, 0.25], 1.0),  # half of cell 0, cell 1, half of cell 2
        ([0.375, 0.125, 0.0, 0.0], 1.0),  # at least a cell
        ([0.0, 0.0, 0.25, 0.25], 0.0),  # beyond the border there is nothing
    ],
)
def test_cells_count_by_the_share_of_them_in_the_box(box: list[float], mean: float) -> None:
    maps = torch.arange(16.0).view(1, 1, 4, 4)

    assert average_in_boxes(maps, torch.tensor([[box]])).item() == pytest.approx(mean)


@pytest.fixture
def config() -> GleeConfig:
    return replace(tiny(), box_names=True)


@torch.no_grad()
def test_logits_gain_what_the_map_says_of_the_predicted_boxes(config: GleeConfig) -> None:
    model = build_glee(config).eval()
    assert model.box_names is not None
    pixels, tokens = torch.randn(1, 3, 64, 96), torch.randn(3, config.width)
    prompt = PromptBatch(model.names_prompt(tokens, tokens))
    image = model.encode_image(pixels)
    assert image.names is not None

    told = model.detect(image, prompt).final
    silent = model.detect(replace(image, names=None), prompt).final

    added = average_in_boxes(image.names, told.boxes_cxcywh) @ tokens.T
    torch.testing.assert_close(told.logits, silent.logits + added)
    torch.testing.assert_close(told.boxes_cxcywh, silent.boxes_cxcywh)


def test_the_map_learns_and_boxes_do_not_learn_from_it(config: GleeConfig) -> None:
    model = build_glee(config)
    assert model.box_names is not None
    names = torch.randn(1, config.width, 4, 4, requires_grad=True)
    boxes = torch.rand(1, 2, 4, requires_grad=True)

    model.box_names(names, boxes, torch.randn(1, 3, config.width)).sum().backward()

    assert names.grad is not None
    assert boxes.grad is None
