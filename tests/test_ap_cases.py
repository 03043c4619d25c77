from pathlib import Path

import pytest

import eval_cases_detection
import eval_cases_video_ap
from compare_eval_cases import benchmarks, compare, main

GOLDEN = Path(__file__).parent / "golden" / "eval"
CASES = sorted(
    f"{case.parent.name}/{case.name}"
    for benchmark in eval_cases_detection.BENCHMARKS | eval_cases_video_ap.BENCHMARKS
    for case in (GOLDEN / benchmark).glob("*")
)


def test_there_is_a_case_of_every_kind() -> None:
    kinds = {case.split("/")[0] for case in CASES}

    assert kinds >= {"coco", "lvis", "lvvis", "tao", "odinw", "refcoco", "omnilabel", "saco_cgf1"}


@pytest.mark.parametrize("name", CASES)
def test_every_number_is_that_of_the_official_tool(name: str) -> None:
    result = compare(GOLDEN / name, benchmarks()[name.split("/", maxsplit=1)[0]])

    # TETA's tool rounds to three digits of a percentage.
    exact = {key: error for key, error in result.errors.items() if not key.startswith("teta/")}
    assert result.good, result.worst
    assert max(exact.values()) < 1e-9


def test_a_wrong_number_fails_the_comparison(tmp_path: Path) -> None:
    (tmp_path / "expected.json").write_text('{"a": {"AP": 0.5, "AR": 0.25}, "tool": "x"}')

    result = compare(tmp_path, [lambda _: {"a/AP": 0.5, "a/AR": 0.2501}])

    assert result.worst == "a/AR"
    assert not result.good


def test_a_number_that_we_do_not_compute_fails_the_comparison(tmp_path: Path) -> None:
    (tmp_path / "expected.json").write_text('{"AP": 0.5}')

    assert not compare(tmp_path, [lambda _: {}]).good


def test_a_directory_without_cases_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["compare_eval_cases.py", str(tmp_path)])

    with pytest.raises(SystemExit):
        main()
