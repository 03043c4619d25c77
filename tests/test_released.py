import gzip
import json

import pytest
import torch
from torch import Tensor

from conftest import GOLDEN
from glee.config import GleeConfig, lite, plus, pro
from glee.model.convert import convert_state
from glee.model.infer_config import UnseenSizes, infer_config


def official_state(name: str) -> dict[str, Tensor]:
    """Every entry of an official checkpoint, at its size but without memory of its own."""
    shapes = json.loads(gzip.decompress((GOLDEN / f"state_dict_{name}.json.gz").read_bytes()))
    return {
        key.removeprefix("glee."): torch.full((), 2.0).expand(shape)
        for key, shape in shapes.items()
    }


@pytest.mark.parametrize("preset", [lite, plus, pro])
def test_sizes_read_off_a_released_checkpoint_are_those_of_its_preset(preset: type) -> None:
    state = official_state(preset.__name__)

    assert infer_config(state) == preset()


def test_a_text_encoder_narrower_than_a_head_has_one() -> None:
    table = "text_encoder.text_model.embeddings.token_embedding.weight"

    assert infer_config(official_state("lite") | {table: torch.ones(64, 32)}).text.num_heads == 1


def with_few_points(heads: int) -> dict[str, Tensor]:
    """A state whose deformable attentions read one point per head and level."""
    state = official_state("lite")
    few = {n: torch.ones(heads * 4) for n in state if n.endswith("attention_weights.bias")}
    return state | few


def test_sizes_that_no_tensor_shows_are_those_that_are_given() -> None:
    unseen = UnseenSizes(num_queries=30, num_heads=4, fusion_heads=2, text_heads=16)

    config = infer_config(with_few_points(heads=4), unseen)

    pixel, objects = config.pixel_decoder, config.object_decoder
    assert (pixel.num_heads, pixel.num_points) == (4, 1)
    assert (objects.num_heads, objects.num_points, objects.num_queries) == (4, 1, 30)
    assert (config.early_fusion.num_heads, config.text.num_heads) == (2, 16)


def test_heads_that_do_not_fit_the_points_are_an_error_that_asks_for_their_number() -> None:
    with pytest.raises(ValueError, match=r"has 16 values, which 8 heads on 4 .* own num_heads"):
        infer_config(with_few_points(heads=4))


def test_a_network_without_queries_is_refused() -> None:
    with pytest.raises(ValueError, match="num_queries must be at least 1, got 0"):
        UnseenSizes(num_queries=0)


@pytest.mark.parametrize("preset", [lite, plus, pro])
def test_every_entry_of_a_released_checkpoint_is_used_or_ignored_for_a_reason(
    preset: type,
) -> None:
    state = official_state(preset.__name__)

    conversion = convert_state(state)  # strict: raises for anything missing, unknown or misshapen

    config: GleeConfig = preset()
    assert conversion.config == config
    assert all(conversion.ignored.values())
    assert len([n for n in conversion.training if n.startswith("text_encoder_teacher.")]) == 196
    assert len([n for n in conversion.training if n.startswith("predictor.")]) == 10
