import json
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from glee.config import GleeConfig, VisualPromptConfig, lite, plus, pro, tiny
from glee.config_json import ADDED_LATER, config_from_dict, config_to_dict
from glee.files import replacing
from glee.model.glee import GLEE
from glee.model.weights import load_model, read_config, save_model, save_weights


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


@dataclass(frozen=True)
class Grown:
    """A configuration that got a field after files had been written."""

    width: int = 1
    rounds: int = field(default=2, metadata=ADDED_LATER)


def test_a_field_that_was_added_later_may_be_missing_and_no_other() -> None:
    assert config_from_dict(Grown, {"width": 3}) == Grown(width=3, rounds=2)
    assert config_from_dict(Grown, {"width": 3, "rounds": 4}) == Grown(width=3, rounds=4)
    with pytest.raises(ValueError, match="unknown or missing: width"):
        config_from_dict(Grown, {"rounds": 4})


def test_a_field_that_went_may_still_be_there_with_the_value_that_changes_nothing() -> None:
    values = config_to_dict(tiny())

    values["object_decoder"]["coarse_priors"] = False
    assert config_from_dict(GleeConfig, values) == tiny()
    values["object_decoder"]["coarse_priors"] = True
    with pytest.raises(ValueError, match="unknown or missing: coarse_priors"):
        config_from_dict(GleeConfig, values)


@pytest.mark.parametrize("kind", ["vgg", ["resnet"]])
def test_an_unknown_image_encoder_is_named(kind: object) -> None:
    values = config_to_dict(tiny())
    values["backbone"]["kind"] = kind

    with pytest.raises(ValueError, match=r"backbone\.kind must be one of resnet, swin, .*"):
        config_from_dict(GleeConfig, values)


@pytest.mark.parametrize("damaged", ["5", "[1]", "null", '"text"'])
def test_a_configuration_that_is_no_object_is_named(damaged: str, tmp_path: Path) -> None:
    metadata = {"format": "glee-1", "config": damaged, "origin": ""}
    save_file({"a": torch.zeros(1)}, tmp_path / "own.safetensors", metadata)

    with pytest.raises(ValueError, match=r"inside .*own\.safetensors cannot be read: GleeConfig"):
        read_config(tmp_path / "own.safetensors")


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        (None, "width", -32),
        ("backbone", "widths", [16, 24, -32, 48]),
        ("text", "vocabulary", -1),
        ("early_fusion", "dropout", -0.5),
        ("object_decoder", "num_queries", 0),
    ],
)
def test_sizes_below_one_are_named(part: str | None, name: str, value: object) -> None:
    values = config_to_dict(tiny())
    (values[part] if part else values)[name] = value

    with pytest.raises(ValueError, match=rf"{part + '.' if part else ''}{name} .* at least"):
        config_from_dict(GleeConfig, values)


def test_a_canvas_without_a_divisor_is_named() -> None:
    with pytest.raises(ValueError, match=r"resize\.divisor \(0\)"):
        replace(pro().resize, divisor=0)


def test_a_template_must_fit_the_stride_of_the_image_encoder() -> None:
    with pytest.raises(ValueError, match=r"visual_prompts\.template_size \(100\) .*\(32\)"):
        VisualPromptConfig(template_size=100)


def test_visual_prompts_cannot_read_more_levels_than_there_are() -> None:
    with pytest.raises(ValueError, match=r"visual_prompts\.num_levels \(5\) .* num_levels \(4\)"):
        replace(tiny(), visual_prompts=VisualPromptConfig(num_levels=5))


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


def test_a_file_may_have_a_name_as_long_as_the_disk_allows(tmp_path: Path) -> None:
    path = tmp_path / f"{'a' * 243}.safetensors"  # 255 characters

    with replacing(path) as beside:
        beside.write_text("done")

    assert path.read_text() == "done"


def test_a_network_of_half_precision_is_refused_when_loaded(model: GLEE, tmp_path: Path) -> None:
    weights = model.state_dict() | {"heads.norm.bias": model.heads.norm.bias.detach().half()}
    save_weights(tmp_path / "half.safetensors", model.config, weights)

    with pytest.raises(ValueError, match=r"another type: heads\.norm\.bias torch\.float16"):
        load_model(tmp_path / "half.safetensors")


def test_a_network_of_half_precision_is_not_saved(model: GLEE, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"torch\.bfloat16 instead of torch\.float32"):
        save_model(tmp_path / "half.safetensors", deepcopy(model).bfloat16())

    assert not list(tmp_path.iterdir())


def test_weights_of_another_network_are_refused_with_their_names(
    model: GLEE, tmp_path: Path
) -> None:
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
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


def test_saved_files_can_be_read_by_whom_the_umask_allows(model: GLEE, tmp_path: Path) -> None:
    save_model(tmp_path / "tiny.safetensors", model)
    (tmp_path / "plain").touch()

    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1
