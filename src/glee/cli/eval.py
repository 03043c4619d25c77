"""glee eval: a benchmark's predictions and numbers, beside the paper's."""

import argparse
import json
import os
import sys
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Literal

import glee
from glee.cli.model import add_model

if TYPE_CHECKING:
    from glee.evaluation.benchmark import Benchmark
    from glee.evaluation.cache import Shard
    from glee.evaluation.result import EvaluationResult

HELP_WIDTH = 78
DETAILS = (
    "Predicts a whole data set and prints the table that a paper would print. What was predicted "
    "is kept in the folder --out: the same command goes on where an earlier one was stopped. See "
    "docs/evaluation.md for the benchmarks, their data and their protocols."
)

EXAMPLE = """examples:
  glee eval coco --data datasets --model lite
  glee eval lvis --data datasets --model plus --shard 0/2 --out runs/lvis
  glee eval coco --data datasets --predictions other_model.json
  torchrun --nproc-per-node 8 -m glee eval lvis --data datasets --model pro
"""

Role = Literal["alone", "share", "lead", "follow"]
"""A process on its own; one of several that were started by hand; of those that torchrun starts the
first, which waits for the others and scores, and the others."""


def build_parser(name: str, summary: str) -> argparse.ArgumentParser:
    """Return the parser of this command's arguments."""
    parser = argparse.ArgumentParser(
        prog=name,
        description=fill(f"{summary}. {DETAILS}", HELP_WIDTH),
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("benchmark", metavar="BENCHMARK", help="such as coco; `list` shows all")
    parser.add_argument("--data", type=Path, metavar="ROOT", help="folder with the data sets")
    parser.add_argument("--annotations", type=Path, help="annotation file, if not where it belongs")
    parser.add_argument("--images", type=Path, help="folder of pictures, if not where it belongs")
    add_model(parser)
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the run (eval_out/BENCHMARK-MODEL)"
    )
    parser.add_argument(
        "--restart", action="store_true", help="delete what an earlier run has left in the folder"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="the first N images or videos only")
    parser.add_argument("--shard", metavar="I/N", help="this process' share of the work, from 0/N")
    parser.add_argument(
        "--predictions",
        type=Path,
        action="append",
        metavar="FILE",
        help="score these, ours or in the benchmark's own format, and predict nothing; repeat it "
        "for runs with other shots or seeds: mean and standard deviation",
    )
    parser.add_argument(
        "--paper",
        metavar="NAME",
        help="print the paper's numbers of this model beside, such as lite or lite-5-shot (those "
        "of --model)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SWITCH=VALUE",
        help="change the protocol; the result says so (may be repeated)",
    )
    parser.add_argument(
        "--no-report",
        action="store_true",
        help="write neither report.html nor what `glee eval compare` needs",
    )
    parser.add_argument("--json", action="store_true", help="print the whole result as JSON")
    return parser


def run(options: argparse.Namespace) -> int:
    """Evaluate one benchmark."""
    from glee.evaluation.benchmarks.open import (  # noqa: PLC0415  # torch: --help must not wait
        NAMES,
        open_benchmark,
        require_benchmark,
    )
    from glee.evaluation.benchmarks.source import Source  # noqa: PLC0415
    from glee.evaluation.paper import require_reported  # noqa: PLC0415

    if options.benchmark == "list":
        print("\n".join(NAMES))
        return 0
    require_benchmark(options.benchmark)
    if options.data is None:
        raise ValueError("--data is missing; give the folder with the data sets")
    source = Source(
        root=options.data.expanduser(),
        annotations=options.annotations,
        images=options.images,
        switches=_read_switches(options.set),
        needs_images=options.predictions is None,
    )
    if options.paper is not None:
        require_reported(options.benchmark, options.paper)
    benchmark = open_benchmark(options.benchmark, source)
    if options.predictions is not None:
        return _show(_score(benchmark, options), options)
    return _predict(benchmark, options)


def _score(benchmark: "Benchmark", options: argparse.Namespace) -> "EvaluationResult":
    """Score stored predictions of one run, or of several together."""
    from glee.evaluation.repeats import score_repeats  # noqa: PLC0415
    from glee.evaluation.scoring import score_predictions  # noqa: PLC0415

    if len(options.predictions) > 1:
        return score_repeats(
            benchmark,
            options.predictions,
            options.out,
            paper=options.paper,
            limit=options.limit,
        )
    return score_predictions(
        benchmark,
        options.predictions[0],
        options.out,
        paper=options.paper,
        limit=options.limit,
        report=not options.no_report,
    )


def _predict(benchmark: "Benchmark", options: argparse.Namespace) -> int:
    """Predict what is left to be predicted, and score if that is all of it."""
    from glee.evaluation.processes import meeting  # noqa: PLC0415
    from glee.evaluation.runner import (  # noqa: PLC0415
        Model,
        pending_units,
        predict_units,
        restart,
    )
    from glee.evaluation.scoring import score_run  # noqa: PLC0415

    shard, role = _shard(options)
    out = options.out or Path("eval_out") / f"{benchmark.name}-{Path(options.model).stem}"
    with meeting() as wait_for_all:
        if options.restart and role != "follow":
            restart(benchmark, out)
        wait_for_all()  # before the first writes to the folder
        model = Model(name=options.model, predictor=_load(options))
        seconds = predict_units(benchmark, model, out, limit=options.limit, shard=shard)
        wait_for_all()  # before one reads what all have written
    if role == "share":
        left = len(pending_units(benchmark, out, options.limit))
        print(
            f"--shard {options.shard} is done, {left} {benchmark.unit} are left to others; "
            "when they are done, the same command without --shard scores",
            file=sys.stderr,
        )
    if role in ("share", "follow"):
        return 0
    result = score_run(
        benchmark,
        out,
        model=options.model,
        paper=options.paper,
        limit=options.limit,
        seconds=seconds,
        report=not options.no_report,
    )
    files = "result.json" if options.no_report else "report.html, result.json"
    print(f"{files} and predictions.jsonl are in {out}", file=sys.stderr)
    return _show(result, options)


def _shard(options: argparse.Namespace) -> "tuple[Shard | None, Role]":
    """Return this process' share of the work, and what it does when that is done."""
    from glee.evaluation.cache import Shard, parse_shard  # noqa: PLC0415

    if options.shard is not None:
        if options.restart:
            raise ValueError(
                "--restart would delete what the processes of other shards predict; delete the "
                "folder of the run before the first of them, or give another by --out"
            )
        return parse_shard(options.shard), "share"
    rank, count = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return None, "alone"
    return Shard(rank, count), "follow" if rank else "lead"


def _load(options: argparse.Namespace) -> "glee.Predictor":
    import torch  # noqa: PLC0415

    device = options.device
    if device is None and "LOCAL_RANK" in os.environ and torch.cuda.is_available():
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    return glee.load(options.model, device=device, dtype=getattr(torch, options.dtype))


def _read_switches(words: list[str]) -> dict[str, str]:
    switches = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"--set must be SWITCH=VALUE, got {word!r}")
        switches[name.strip()] = value.strip()
    return switches


def _show(result: "EvaluationResult", options: argparse.Namespace) -> int:
    """Print a result; return the exit code."""
    if options.json:
        print(json.dumps(result.to_json()))
    else:
        from glee.evaluation.table import format_result  # noqa: PLC0415

        print(format_result(result))
    return 0
