"""Compare our evaluation numbers with those of the official tools, in a directory of cases.

    python tools/compare_eval_cases.py DIR

DIR holds <benchmark>/<case>/ with inputs and an expected.json. One line is printed for a case:
how many numbers were compared, the worst error and where. The exit code is 1 if any is too large.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import eval_cases_detection
import eval_cases_tracking
import eval_cases_video_ap

TOLERANCE = 1e-6
# The tool of TETA rounds to three digits of a percentage.
WIDER_TOLERANCES = {("tao", "teta/"): 1e-3}

Numbers = dict[str, float]
Benchmark = Callable[[Path], Numbers]


@dataclass(frozen=True)
class Comparison:
    """The errors of one case.

    errors   absolute difference of each expected number, infinite where we have none
    excess   the same in units of what is tolerated
    """

    errors: Numbers
    excess: Numbers

    @property
    def worst(self) -> str:
        """Return the key of the number that is furthest off for its tolerance."""
        return max(self.excess, key=lambda key: self.excess[key])

    @property
    def good(self) -> bool:
        """Return whether every number is within its tolerance."""
        return all(one <= 1 for one in self.excess.values())


def benchmarks() -> dict[str, list[Benchmark]]:
    """Return the functions that compute the numbers of each folder."""
    found: dict[str, list[Benchmark]] = {}
    for module in (eval_cases_detection, eval_cases_video_ap, eval_cases_tracking):
        for name, function in module.BENCHMARKS.items():
            found.setdefault(name, []).append(function)
    return found


def flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield the numbers of nested JSON with their keys joined by slashes; no text, no null."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flatten(inner, f"{prefix}/{key}" if prefix else key)
    elif isinstance(value, list):
        yield from flatten({str(row): inner for row, inner in enumerate(value)}, prefix)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield prefix, float(value)


def compare(case: Path, functions: list[Benchmark]) -> Comparison:
    """Compute the numbers of one case and compare each expected one."""
    ours: Numbers = {}
    for function in functions:
        ours |= {key.strip("/"): value for key, value in function(case).items()}
    errors, excess = {}, {}
    for key, expected in flatten(json.loads((case / "expected.json").read_text())):
        error = abs(ours.get(key, math.inf) - expected)
        errors[key] = math.inf if math.isnan(error) else error
        excess[key] = errors[key] / tolerance(case.parent.name, key)
    return Comparison(errors, excess)


def tolerance(benchmark: str, key: str) -> float:
    """Return the error that a number may have."""
    for (name, prefix), wider in WIDER_TOLERANCES.items():
        if benchmark == name and key.startswith(prefix):
            return wider
    return TOLERANCE


def main() -> int:
    """Compare all cases of a directory; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("directory", type=Path, help="holds <benchmark>/<case>/expected.json")
    parser.add_argument("--only", metavar="BENCHMARK", help="one folder, such as coco")
    parser.add_argument("--verbose", action="store_true", help="print every number's error")
    options = parser.parse_args()
    files = sorted(options.directory.glob(f"{options.only or '*'}/*/expected.json"))
    if not files:
        parser.error(f"{options.directory} has no <benchmark>/<case>/expected.json")
    known = benchmarks()
    good = [report(file.parent, known, verbose=options.verbose) for file in files]
    return 0 if all(good) else 1


def report(case: Path, known: dict[str, list[Benchmark]], *, verbose: bool) -> bool:
    """Print how one case compares; return whether it is good."""
    name = f"{case.parent.name}/{case.name}"
    if case.parent.name not in known:
        print(f"{name:28} FAILED no function computes this benchmark")
        return False
    try:
        result = compare(case, known[case.parent.name])
    except (ValueError, OSError) as problem:
        print(f"{name:28} FAILED {problem}")
        return False
    worst = result.worst
    print(
        f"{name:28} {len(result.errors):5} numbers, worst error {result.errors[worst]:.1e} "
        f"({worst}) {'ok' if result.good else 'FAILED'}"
    )
    if verbose:
        for key, error in result.errors.items():
            print(f"    {error:.1e} {key}")
    return result.good


if __name__ == "__main__":
    sys.exit(main())
