import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from glee.config import GleeConfig, config_from_dict, config_to_dict, lite, plus, pro, tiny
from glee.model.glee import GLEE
from glee.model.weights import load_model, read_config, save_model


@pytest.mark.parametrize("preset", [lite, plus, pro, tiny])
def test_a_configuration_survives_json(preset: type) -> None:
    config: GleeConfig = preset()

    assert config_from_dict(GleeConfig, json.loads(json.dumps(config_to_dict(config)))) == config


def test_a_network_without_visual_prompts_survives_json() -> None:
    config = replace(tiny(), visual_prompts=None)

    assert config_from_dict(GleeConfig, config_to_dict(config)) == config


def test_unknown_fields_of_a_configuration_are_named() -> None:
    values = config_to_dict(tiny()) | {"colour": "red"}

    with pytest.raises(ValueError, match="unknown or missing: colour"):
        config_from_dict(GleeConfig, values)


def test_an_unknown_image_encoder_is_named() -> None:
    values = config_to_dict(tiny())
    values["backbone"]["kind"] = "vgg"

    with pytest.raises(ValueError, match=r"backbone\.kind must be one of resnet, swin, .* 'vgg'"):
        config_from_dict(GleeConfig, values)


def test_parts_that_do_not_fit_each_other_stop_at_the_configuration() -> None:
    with pytest.raises(ValueError, match=r"width \(30\) must be a multiple of"):
        replace(tiny(), width=30)


def test_saving_and_loading_gives_the_same_network(model: GLEE, tmp_path: Path) -> None:
    save_model(tmp_path / "tiny.safetensors", model, origin="a test")

    loaded = load_model(tmp_path / "tiny.safetensors")

    assert loaded.config == model.config
    assert not loaded.training
    stored, before = loaded.state_dict(), model.state_dict()
    assert stored.keys() == before.keys()
    assert all(torch.equal(stored[name], value) for name, value in before.items())


def test_saving_leaves_nothing_else_behind(model: GLEE, tmp_path: Path) -> None:
    save_model(tmp_path / "deep" / "tiny.safetensors", model)

    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["tiny.safetensors"]


def test_weights_of_another_network_are_refused_with_their_names(
    model: GLEE, tmp_path: Path
) -> None:
    weights = dict(model.state_dict())
    del weights["heads.norm.bias"]
    config = json.dumps(config_to_dict(model.config))
    metadata = {"format": "glee-1", "config": config, "origin": ""}
    save_file(weights, tmp_path / "other.safetensors", metadata)

    with pytest.raises(ValueError, match=r"missing: heads\.norm\.bias"):
        load_model(tmp_path / "other.safetensors")


def test_safetensors_of_others_are_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")

    with pytest.raises(ValueError, match=r"other\.safetensors is not in the format .* convert"):
        read_config(tmp_path / "other.safetensors")


def test_a_weight_file_that_is_cut_short_is_named(model: GLEE, tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    save_model(path, model)
    path.write_bytes(path.read_bytes()[:-1000])

    with pytest.raises(ValueError, match=r"cut\.safetensors is no safetensors file, or is cut"):
        load_model(path)
