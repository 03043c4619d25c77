import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import compare_golden
from compare_golden import (
    Comparison,
    compare,
    compare_all_cases,
    main,
    tolerance,
)
from golden_cases import Case, Golden, tensor_error


def error_of(name: str, ours: Tensor, expected: Tensor) -> float:
    entry = {"shape": list(expected.shape), "max": 1.0}
    return tensor_error(name, {name: ours}, expected, entry)


def record(
    folder: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], computed: list[str]
) -> Golden:
    """A recorded case "some" with tensors of given names, of which ours computes a few."""
    tensors = {name: torch.ones(2) for name in names}
    index = json.dumps({name: {"shape": [2], "max": 1.0} for name in names})
    save_file(tensors, folder / "expected_some.safetensors", {"index": index})
    found = {name: torch.ones(2) for name in computed}
    monkeypatch.setattr(compare_golden, "run_case", lambda golden, case: found)
    return Golden(folder, {}, {}, None, None, {})  # type: ignore[arg-type]  # neither is used


@pytest.mark.parametrize("training", [[], ["--training"]])
@pytest.mark.parametrize("files", [None, [], ["config.json"], ["expected_coco.safetensors"]])
def test_a_directory_without_recordings_is_an_error(
    files: list[str] | None,
    training: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "missing" if files is None else tmp_path
    for file in files or []:
        (folder / file).write_text("{}")
    monkeypatch.setattr(sys, "argv", ["compare_golden.py", str(folder), *training])

    with pytest.raises(SystemExit) as raised:
        main()

    assert raised.value.code == 2
    assert str(folder) in capsys.readouterr().err


def test_whole_numbers_must_be_equal() -> None:
    expected = torch.arange(10_000, dtype=torch.int32)
    ours = expected.long()
    assert error_of("proposals.topk_index", ours, expected) == 0

    ours[7] += 1

    assert error_of("proposals.topk_index", ours, expected) == torch.inf


def test_binary_masks_and_their_areas_may_differ_a_little() -> None:
    expected = torch.zeros(1, 10_000, dtype=torch.uint8)
    ours = expected.bool()
    ours[0, :10] = True

    assert error_of("result.masks_sub5", ours, expected) == pytest.approx(1e-3)
    assert tolerance("result.masks_sub5") == tolerance("result.mask_area") == 2e-3
    assert tolerance("out.pred_masks") == 1e-3


@pytest.mark.parametrize("value", [-torch.inf, torch.nan, 0.0])
def test_infinity_must_be_the_same_infinity(value: float) -> None:
    expected = torch.tensor([1.0, torch.inf])

    assert error_of("a", torch.tensor([1.0, torch.inf]), expected) == 0
    assert error_of("a", torch.tensor([1.0, value]), expected) == torch.inf


def test_each_tensor_is_held_to_its_own_tolerance() -> None:
    comparison = Comparison({"result.masks_sub5": 1.8e-3, "out.pred_boxes": 1.5e-3}, ())

    assert not comparison.good
    assert comparison.worst == ("out.pred_boxes", 1.5e-3)
    assert Comparison({"result.masks_sub5": 1.8e-3}, ()).good


@pytest.mark.parametrize("missing", ["result.query", "track.match0", "encoder.layer0"])
def test_a_recorded_tensor_that_we_do_not_compute_is_an_error(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    golden = record(tmp_path, monkeypatch, ["a", missing], computed=["a"])

    with pytest.raises(SystemExit, match=f"nothing of ours corresponds to the recorded {missing}"):
        compare(golden, "some", Case([], []))


def test_a_recorded_case_that_nothing_is_known_of_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    golden = record(tmp_path, monkeypatch, ["a"], computed=["a"])
    monkeypatch.setattr(compare_golden, "build_cases", lambda golden: {})

    with pytest.raises(SystemExit, match="nothing is known of the recorded case some"):
        compare_all_cases(golden, ["some"], verbose=False)
