from dataclasses import replace

import pytest
import torch

from glee.config import tiny
from glee.model.build import build_glee
from glee.model.fold import fold_frozen_norms
from glee.model.glee import GLEE
from glee.model.layers.conv import FrozenBatchNorm2d


@pytest.fixture(scope="module")
def model() -> GLEE:
    torch.manual_seed(0)
    model = build_glee(tiny()).eval()
    for module in model.modules():
        if isinstance(module, FrozenBatchNorm2d):
            for buffer in module.buffers():
                buffer.copy_(torch.rand_like(buffer) + 0.5)
    return model


@torch.no_grad()
def test_folded_norms_leave_the_pyramid_as_it_was(model: GLEE) -> None:
    pixels = torch.randn(1, 3, 64, 96)

    folded = fold_frozen_norms(model)

    for ours, before in zip(folded.backbone(pixels).maps, model.backbone(pixels).maps, strict=True):
        torch.testing.assert_close(ours, before, rtol=1e-4, atol=1e-4)


def test_folding_leaves_no_norm_behind_and_says_so_in_the_configuration(model: GLEE) -> None:
    folded = fold_frozen_norms(model)

    assert not any(isinstance(module, FrozenBatchNorm2d) for module in folded.modules())
    assert folded.config == replace(
        model.config, backbone=replace(model.config.backbone, frozen_norm=False)
    )


def test_folding_twice_changes_nothing(model: GLEE) -> None:
    folded = fold_frozen_norms(model)

    assert fold_frozen_norms(folded) is folded
