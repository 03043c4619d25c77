from pathlib import Path

import pytest

import eval_cases_tracking
from compare_eval_cases import benchmarks, compare

GOLDEN = Path(__file__).parent / "golden" / "eval"
CASES = sorted(
    f"{case.parent.name}/{case.name}"
    for benchmark in eval_cases_tracking.BENCHMARKS
    for case in (GOLDEN / benchmark).glob("*")
)


def test_there_is_a_case_of_every_kind() -> None:
    kinds = {case.partition("/")[0] for case in CASES}

    assert kinds >= {"mot", "tao", "burst", "davis", "ytvos", "ref_davis", "interactive"}


@pytest.mark.parametrize("name", CASES)
def test_every_number_is_that_of_the_official_tool(name: str) -> None:
    result = compare(GOLDEN / name, benchmarks()[name.split("/", maxsplit=1)[0]])

    # TETA's tool rounds to three digits of a percentage.
    exact = {key: error for key, error in result.errors.items() if not key.startswith("teta/")}
    assert result.good, result.worst
    assert max(exact.values()) < 1e-9
