import pickle
import re
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from glee.model.convert import convert_file, convert_state, read_released, unwrap_state
from glee.model.weights import load_model, read_config

State = dict[str, Tensor]


def without(state: State, start: str) -> State:
    return {name: value for name, value in state.items() if not name.startswith(start)}


def test_unknown_entries_are_listed(released_state: State) -> None:
    state = released_state | {"predictor.surprise": torch.zeros(1)}

    with pytest.raises(ValueError, match=r"does not know: predictor\.surprise"):
        convert_state(state)


def test_missing_entries_are_listed_by_our_names(released_state: State) -> None:
    state = without(released_state, "predictor.enc_output.bias")

    with pytest.raises(ValueError, match=r"missing: query_selection\.project\.bias"):
        convert_state(state)


def test_misshapen_entries_are_listed_with_both_shapes(released_state: State) -> None:
    state = released_state | {"predictor.enc_output.bias": torch.zeros(3)}

    with pytest.raises(
        ValueError, match=r"query_selection\.project\.bias \[3\] instead of \[256\]"
    ):
        convert_state(state)


def test_copies_of_a_shared_tensor_must_agree(released_state: State) -> None:
    copy = "predictor.decoder.bbox_embed.1.layers.0.bias"
    state = released_state | {copy: released_state[copy] + 1}

    with pytest.raises(ValueError, match=f"differ: {re.escape(copy)}"):
        convert_state(state)


def test_nan_is_refused_by_name(released_state: State) -> None:
    state = released_state | {"predictor.enc_output.bias": torch.full((256,), torch.nan)}

    with pytest.raises(ValueError, match=r"NaN or infinity in: query_selection\.project\.bias"):
        convert_state(state)


def test_a_checkpoint_that_was_never_trained_is_refused(released_state: State) -> None:
    state = released_state | {"predictor.category_embed": torch.rand(256, 256)}

    with pytest.raises(ValueError, match="never trained"):
        convert_state(state)


def test_another_network_is_refused() -> None:
    with pytest.raises(ValueError, match="no complete GLEE checkpoint"):
        convert_state({"conv1.weight": torch.zeros(64, 3, 7, 7)})


def test_a_stage_without_visual_prompts_becomes_a_network_without_them(
    released_state: State,
) -> None:
    conversion = convert_state(without(released_state, "sot_fuser."))

    assert conversion.config.visual_prompts is None
    assert "trained without them" in conversion.ignored["pn_indicator.weight"]


@pytest.mark.parametrize("prefix", ["", "glee.", "module.glee."])
@pytest.mark.parametrize("wrapper", [None, "model", "state_dict"])
def test_prefixes_and_wrappers_are_taken_off(prefix: str, wrapper: str | None) -> None:
    table = {f"{prefix}a.weight": torch.ones(1), "criterion.empty_weight": torch.ones(2)}
    content = table if wrapper is None else {wrapper: table, "iteration": 3}

    assert set(unwrap_state(content, "file")) == {"a.weight", "criterion.empty_weight"}


def test_a_converted_file_holds_exactly_the_converted_tensors(
    released_state: State, tmp_path: Path
) -> None:
    torch.save({f"glee.{n}": v for n, v in released_state.items()}, tmp_path / "official.pth")

    conversion = convert_file(tmp_path / "official.pth", tmp_path / "ours.safetensors")

    stored = load_model(tmp_path / "ours.safetensors").state_dict()
    assert stored.keys() == conversion.weights.keys()
    assert all(torch.equal(stored[name], value) for name, value in conversion.weights.items())
    assert read_config(tmp_path / "ours.safetensors") == (conversion.config, "official.pth")


def test_training_entries_are_kept_on_request_and_do_not_disturb_loading(
    released_state: State, tmp_path: Path
) -> None:
    torch.save(released_state, tmp_path / "official.pth")

    convert_file(tmp_path / "official.pth", tmp_path / "ours.safetensors", keep_training=True)

    assert load_model(tmp_path / "ours.safetensors").config.width == 256
    with safe_open(tmp_path / "ours.safetensors", "pt") as file:
        assert "training.predictor.coco_label_enc.weight" in set(file.keys())


class Code:
    """Runs a command when it is unpickled, as a malicious checkpoint would."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("/nonexistent/owned"),))  # type: ignore[return-value]


def test_a_file_with_code_in_it_is_refused_and_the_code_not_run(tmp_path: Path) -> None:
    path = tmp_path / "bad.pth"
    torch.save({"model": Code()}, path)

    with pytest.raises(ValueError, match=r"bad\.pth is refused: it holds more than tensors"):
        read_released(path)


def test_a_plain_pickle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.pth"
    path.write_bytes(pickle.dumps({"model": [1, 2]}))

    with pytest.raises(ValueError, match=r"bad\.pth"):
        read_released(path)


def test_a_checkpoint_that_is_cut_short_is_named(released_state: State, tmp_path: Path) -> None:
    path = tmp_path / "cut.pth"
    torch.save({"pn_indicator.weight": released_state["pn_indicator.weight"]}, path)
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(ValueError, match=r"cut\.pth is not a readable checkpoint, or is cut short"):
        read_released(path)


def test_nothing_is_written_when_conversion_fails(released_state: State, tmp_path: Path) -> None:
    torch.save(without(released_state, "predictor.enc_output.bias"), tmp_path / "official.pth")

    with pytest.raises(ValueError, match="missing"):
        convert_file(tmp_path / "official.pth", tmp_path / "ours.safetensors")

    assert [path.name for path in tmp_path.iterdir()] == ["official.pth"]
