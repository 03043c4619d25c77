from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from glee.config import tiny
from glee.model.build import build_glee
from glee.model.compact import load_compact, save_compact
from glee.model.weights import save_model

TEXT = "text_encoder."


def save_parts(folder: Path) -> tuple[dict[str, torch.Tensor], list[Path]]:
    torch.manual_seed(0)
    weights = build_glee(tiny()).state_dict()
    files = [folder / "text.safetensors", folder / "rest.safetensors"]
    text = {name: value for name, value in weights.items() if name.startswith(TEXT)}
    rest = {name: value for name, value in weights.items() if not name.startswith(TEXT)}
    save_compact(files[0], tiny(), text, whole=(TEXT,))
    save_compact(files[1], tiny(), rest)
    return weights, files


def test_a_network_in_several_files_comes_back_within_the_steps_of_their_numbers(
    tmp_path: Path,
) -> None:
    weights, files = save_parts(tmp_path)

    loaded = load_compact(files).state_dict()

    assert loaded.keys() == weights.keys()
    for name, value in weights.items():
        step = value.abs().max() * (0.5 / 127 if name.startswith(TEXT) else 2**-11)
        assert (loaded[name] - value).abs().max() <= step + 1e-7, name


def test_rows_of_whole_numbers_have_scales_of_their_own(tmp_path: Path) -> None:
    weights = build_glee(tiny()).state_dict()
    name = TEXT + "token_embedding.weight"
    weights[name][0] *= 1000

    save_compact(tmp_path / "a.safetensors", tiny(), weights, whole=(TEXT,))
    loaded = load_compact([tmp_path / "a.safetensors"]).state_dict()

    step = weights[name][1].abs().max() / 127
    assert (loaded[name][1] - weights[name][1]).abs().max() <= step


def test_vectors_keep_all_their_digits(tmp_path: Path) -> None:
    weights, files = save_parts(tmp_path)

    loaded = load_compact(files).state_dict()

    assert torch.equal(loaded["heads.norm.bias"], weights["heads.norm.bias"])


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "whole.safetensors"
    save_model(path, build_glee(tiny()))

    with pytest.raises(ValueError, match="not in the format glee-compact-1"):
        load_compact([path])


def test_files_that_make_up_no_network_are_refused(tmp_path: Path) -> None:
    _, files = save_parts(tmp_path)
    save_compact(files[1], tiny(), {})

    with pytest.raises(ValueError, match="weights do not fit the network; missing"):
        load_compact(files)


def test_the_first_file_says_what_network_it_is(tmp_path: Path) -> None:
    weights, files = save_parts(tmp_path)
    text = {name: value for name, value in weights.items() if name.startswith(TEXT)}
    own = replace(tiny(), resize=replace(tiny().resize, shortest=64))
    save_compact(files[0], own, text, whole=(TEXT,))

    assert load_compact(files).config == own


def test_a_network_of_unknown_parts_is_refused(tmp_path: Path) -> None:
    _, files = save_parts(tmp_path)
    tensors = load_file(files[0])
    save_file(tensors, files[0], {"format": "glee-compact-1", "config": '{"eyes": 3}'})

    with pytest.raises(ValueError, match=r"is of an unknown network: .*eyes"):
        load_compact(files)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    _, files = save_parts(tmp_path)
    files[1].unlink()

    with pytest.raises(FileNotFoundError, match=r"rest\.safetensors"):
        load_compact(files)
