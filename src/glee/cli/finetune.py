"""glee finetune: a model, a folder of annotated images, a tuned model."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from glee.files import replacing

if TYPE_CHECKING:
    from glee.training.finetune import Finetuned

REPORT = "report.json"


def build_parser(name: str, summary: str) -> argparse.ArgumentParser:
    """Return the parser of this command's arguments."""
    parser = argparse.ArgumentParser(
        prog=name,
        description=f"{summary}, in COCO's, YOLO's or Pascal VOC's format, and compare it with "
        "the model as it was. It goes on from the last checkpoint in --out, if there is one.",
        epilog="example: glee finetune nano my_images --out runs/mine",
    )
    parser.add_argument("model", help="as for glee predict: a name, or a weight file")
    parser.add_argument("data", type=Path, metavar="DATA_DIR", help="folder of annotated images")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    parser.add_argument(
        "--mode",
        choices=("head", "lora", "full"),
        default="lora",
        help="what learns: the heads; low-rank changes of the decoders, and the heads (default); "
        "or everything",
    )
    parser.add_argument("--steps", type=int, metavar="N", help="default: by the number of images")
    parser.add_argument("--rate", type=float, metavar="R", help="of learning; default: by the mode")
    parser.add_argument("--batch-size", type=int, default=4, metavar="N", help="default: 4")
    parser.add_argument(
        "--hold-out",
        nargs="+",
        default=[],
        metavar="NAME",
        help="names of the data set that are not trained on, to see whether they get worse",
    )
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda or cuda:N")
    parser.add_argument(
        "--bad-share",
        type=float,
        default=0.05,
        metavar="SHARE",
        help="largest share of bad entries and images that is put up with (%(default)s)",
    )
    parser.add_argument(
        "--fail-fast", action="store_true", help="stop at the first entry that cannot be used"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser


def run(options: argparse.Namespace) -> int:
    """Tune, judge, and print the numbers."""
    from glee.evaluation.own_data import judge_network  # noqa: PLC0415  # help must not wait
    from glee.inference.load import load_network  # noqa: PLC0415
    from glee.training.finetune import FinetuneConfig, finetune  # noqa: PLC0415
    from glee.training.log import finite  # noqa: PLC0415
    from glee.training.loop import MODEL  # noqa: PLC0415

    config = FinetuneConfig(
        mode=options.mode,
        steps=options.steps,
        rate=options.rate,
        batch_size=options.batch_size,
        hold_out=tuple(options.hold_out),
        bad_share=options.bad_share,
        fail_fast=options.fail_fast,
    )
    try:
        tuned = finetune(
            load_network(options.model),
            options.data,
            options.out,
            judge_network,
            config,
            device=options.device,
        )
    except FloatingPointError as error:  # the training has diverged, which is no wrong usage
        raise OSError(str(error)) from error
    report = finite({"model": str(options.out / MODEL), **_report(tuned)})
    with replacing(options.out / REPORT) as beside:
        beside.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report) if options.json else "\n".join(_lines(tuned, options.out / MODEL)))
    for warning in tuned.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return 0


def _report(tuned: "Finetuned") -> dict[str, object]:
    return {
        "images_trained_on": tuned.images[0],
        "images_judged_on": tuned.images[1],
        "best_step": tuned.step,
        "steps": tuned.steps,
        "before": dict(tuned.before),
        "after": dict(tuned.after),
        "held_out_before": dict(tuned.held_out_before),
        "held_out_after": dict(tuned.held_out_after),
        "warnings": list(tuned.warnings),
    }


def _lines(tuned: "Finetuned", path: Path) -> Sequence[str]:
    return [
        f"trained on {tuned.images[0]} images, judged on {tuned.images[1]}",
        f"{'':30} before  after",
        *_rows(tuned.before, tuned.after, ""),
        *_rows(tuned.held_out_before, tuned.held_out_after, ", names not trained on"),
        f"kept: the network after step {tuned.step} of {tuned.steps}"
        if tuned.step
        else f"kept: the network as it was, no step of {tuned.steps} was better",
        str(path),
    ]


def _rows(before: Mapping[str, float], after: Mapping[str, float], what: str) -> list[str]:
    return [f"{name + what:30} {value:6.3f} {after[name]:6.3f}" for name, value in before.items()]
