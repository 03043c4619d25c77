import gzip
import json

import pytest
import torch
from torch import Tensor

from conftest import GOLDEN
from glee.config import GleeConfig, lite, plus, pro
from glee.model.convert import convert_state
from glee.model.infer_config import infer_config


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

    assert infer_config(state, num_queries=300) == preset()


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
