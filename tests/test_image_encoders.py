from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from glee import Predictor, Prompts
from glee.config import Eva02Config, GleeConfig, ResizeConfig, SwinConfig, tiny
from glee.model.build import build_glee


def small_plus() -> GleeConfig:
    backbone = SwinConfig(width=16, depths=(1, 2, 1, 1), num_heads=(2, 2, 4, 4), window=4)
    return replace(tiny(), backbone=backbone)


def small_pro() -> GleeConfig:
    backbone = Eva02Config(
        width=32,
        depth=2,
        num_heads=2,
        mlp_width=48,
        window=4,
        global_blocks=(1,),
        rope_reference=4,
        rope_grid=10,
        pyramid_width=32,
    )
    resize = ResizeConfig(shortest=160, longest=160, square=True)
    return replace(tiny(), backbone=backbone, project_levels=False, resize=resize)


@pytest.mark.parametrize("preset", [small_plus, small_pro])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_image_encoder_serves_every_prompt(
    preset: type, dtype: torch.dtype, image: NDArray[np.uint8]
) -> None:
    torch.manual_seed(0)
    predictor = Predictor(build_glee(preset()), dtype=dtype)
    encoded = predictor.encode(image)

    named = predictor.predict(encoded, ["cat", "dog"], threshold=0)
    described = predictor.predict(encoded, Prompts(expression="the bright square"))
    marked = predictor.predict(encoded, Prompts(points=[(40, 30)], boxes=[(30, 20, 50, 40)]))

    assert (len(named), len(described), len(marked)) == (20, 1, 2)
    for found in (named, described, marked):
        assert found.boxes.isfinite().all()
        assert found.masks is not None
        assert found.masks.shape[1:] == image.shape[:2]


@pytest.mark.gpu
@pytest.mark.parametrize("preset", [tiny, small_plus, small_pro])
def test_a_gpu_finds_what_a_cpu_finds(preset: type, image: NDArray[np.uint8]) -> None:
    torch.manual_seed(0)
    network = build_glee(preset())
    prompts = Prompts(categories=["cat", "dog"], boxes=[(30, 20, 50, 40)])
    expected = Predictor(network).predict(image, prompts)

    found = Predictor(network, device="cuda").predict(image, prompts).to("cpu")

    torch.testing.assert_close(found.scores, expected.scores, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found.boxes, expected.boxes, rtol=1e-3, atol=0.1)
