import pickle
import re
import tarfile
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


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_precision_becomes_float32(released_state: State, dtype: torch.dtype) -> None:
    state = {name: value.to(dtype) for name, value in released_state.items()}

    conversion = convert_state(state)

    assert {value.dtype for value in conversion.weights.values()} == {torch.float32}
    assert {value.dtype for value in conversion.training.values()} == {torch.float32}
    expected = state["predictor.enc_output.bias"].float()
    assert torch.equal(conversion.weights["query_selection.project.bias"], expected)


def test_whole_numbers_in_place_of_weights_are_named(released_state: State) -> None:
    state = released_state | {"predictor.enc_output.bias": torch.ones(256, dtype=torch.int64)}

    with pytest.raises(ValueError, match=r"type: query_selection\.project\.bias torch\.int64"):
        convert_state(state)


def test_names_that_differ_by_their_prefix_only_are_refused() -> None:
    with pytest.raises(ValueError, match=r"file holds entries twice, .*: a\.weight$"):
        unwrap_state({"glee.a.weight": torch.ones(1), "a.weight": torch.ones(1)}, "file")


def test_paths_may_be_text_and_begin_at_home(
    released_state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))  # the home folder on Windows
    torch.save(released_state, tmp_path / "official.pth")

    convert_file("~/official.pth", "~/ours.safetensors")

    assert read_config(tmp_path / "ours.safetensors")[1] == "official.pth"


class Code:
    """Writes a file when it is unpickled, as a malicious checkpoint would."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return (Path.touch, (self.file,))


def test_a_file_with_code_in_it_is_refused_and_the_code_not_run(tmp_path: Path) -> None:
    path = tmp_path / "bad.pth"
    torch.save({"model": Code(tmp_path / "written")}, path)

    with pytest.raises(ValueError, match=r"bad\.pth is refused: it holds more") as raised:
        read_released(path)

    assert not (tmp_path / "written").exists()
    assert "weights_only" not in str(raised.value)


def test_a_file_that_is_no_checkpoint_at_all_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.pth"
    path.write_text("hello, these are notes\n")

    with pytest.raises(ValueError, match=r"notes\.pth is not a readable checkpoint"):
        read_released(path)


def test_an_archive_of_another_kind_is_refused_without_advice_to_load_it(tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("storages"))

    with pytest.raises(ValueError, match=r"old\.pth is not a readable") as raised:
        read_released(path)

    assert "weights_only" not in str(raised.value)


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
