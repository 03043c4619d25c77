"""glee bench: speed and memory of a model on this machine."""

import argparse
import json
import sys
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

from glee.cli.model import add_model

if TYPE_CHECKING:
    from glee.bench.plan import BenchPlan
    from glee.bench.report import BenchReport, Measurement
    from glee.inference.predictor import Predictor

DEFAULT_OUT = Path("glee_bench")

HELP_WIDTH = 78
AXES = ("stages", "vocabulary", "resolution", "batch", "marks", "length")
DETAILS = (
    "Times each stage, and the model against the number of names, the size of the image, the "
    "batch, marked objects and the length of a clip, on invented pictures. A page of tables is "
    "printed; bench.json, bench.md and a picture of the curves go to the folder --out. The exit "
    "code is 1 if two ways to the same result differ."
)

EXAMPLE = """examples:
  glee bench --model lite
  glee bench --model lite --random-weights --quick --device cpu
  glee bench --model tiny --only vocabulary --only batch --json
"""


def build_parser(name: str, summary: str) -> argparse.ArgumentParser:
    """Return the parser of this command's arguments."""
    parser = argparse.ArgumentParser(
        prog=name,
        description=fill(f"{summary}. {DETAILS}", HELP_WIDTH),
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_model(parser, names="nano, lite, plus, pro, tiny")
    parser.add_argument(
        "--random-weights",
        action="store_true",
        help="build --model (nano, lite, plus, pro, tiny) without its weights: as fast, and no "
        "download",
    )
    parser.add_argument("--quick", action="store_true", help="fewer and smaller inputs, 3 runs")
    parser.add_argument(
        "--only", action="append", choices=AXES, metavar="AXIS", help=f"one of {', '.join(AXES)}"
    )
    parser.add_argument("--runs", type=int, help="timed runs of each, at most (20)")
    parser.add_argument("--size", metavar="HxW", help="size of the image (the model's own)")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help=f"folder for the files ({DEFAULT_OUT}; none with --json)",
    )
    parser.add_argument("--force", action="store_true", help="replace files of an earlier run")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    return parser


def run(options: argparse.Namespace) -> int:
    """Measure, print and write."""
    from glee.bench.files import check_folder, write_bench  # noqa: PLC0415 - torch

    out = options.out or (None if options.json else DEFAULT_OUT)
    if out is not None:
        check_folder(out, force=options.force)
    report = _measure(options)
    print(json.dumps(report.to_json()) if options.json else report.to_markdown(), end="")
    if out is not None:
        lacking = write_bench(report, out)
        names = "bench.json and bench.md" if lacking else "bench.json, bench.md and bench.png"
        print(f"{names} are in {out}", file=sys.stderr)
        if lacking:
            print(f"no picture of the curves: {lacking}", file=sys.stderr)
    if not report.passed:
        print("failed: two ways to the same result differ, see above", file=sys.stderr)
    return 0 if report.passed else 1


def _measure(options: argparse.Namespace) -> "BenchReport":
    # torch takes a second, not to be waited for by --help
    import torch  # noqa: PLC0415

    from glee.bench.hardware import describe_setting  # noqa: PLC0415
    from glee.bench.models import open_model  # noqa: PLC0415
    from glee.bench.runner import run_bench  # noqa: PLC0415

    predictor = open_model(
        options.model,
        random_weights=options.random_weights,
        device=options.device,
        dtype=getattr(torch, options.dtype),
    )
    facts = describe_setting(
        predictor, options.model + (", random weights" if options.random_weights else "")
    )
    return run_bench(predictor, _plan(predictor, options), facts, say=_say)


def _plan(predictor: "Predictor", options: argparse.Namespace) -> "BenchPlan":
    from glee.bench.plan import choose_plan  # noqa: PLC0415

    return choose_plan(
        predictor.model.config.resize,
        quick=options.quick,
        axes=options.only,
        runs=options.runs,
        size=options.size,
    )


def _say(one: "Measurement") -> None:
    from glee.bench.report import in_milliseconds  # noqa: PLC0415

    words = f"{one.axis} {one.label}: {one.stage} {in_milliseconds(one.median)} ms"
    print(words, file=sys.stderr, flush=True)
