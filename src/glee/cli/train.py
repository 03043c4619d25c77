"""glee train: a recipe, a folder of data sets, a trained network."""

import argparse
import sys
from pathlib import Path


def build_parser(name: str, summary: str) -> argparse.ArgumentParser:
    """Return the parser of this command's arguments."""
    parser = argparse.ArgumentParser(
        prog=name,
        description=f"{summary}. It goes on from the last checkpoint in --out, if there is one. "
        "Several processes: torchrun --nproc-per-node 8 -m glee train ...",
        epilog="example: glee train --recipe lite-stage2 --data /data --out runs/lite --start "
        "runs/stage1/model.safetensors",
    )
    parser.add_argument(
        "--recipe", required=True, metavar="NAME", help="such as lite-stage1; see docs/training.md"
    )
    parser.add_argument(
        "--data", type=Path, required=True, metavar="ROOT", help="folder of all data sets"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    parser.add_argument(
        "--start",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="weights to begin with: ours, or of MaskDINO, Swin, EVA-02 or CLIP; may be repeated",
    )
    parser.add_argument("--steps", type=int, metavar="N", help="stretch the recipe to N steps")
    parser.add_argument(
        "--until", type=int, metavar="N", help="stop after step N, to go on another time"
    )
    parser.add_argument(
        "--minutes",
        type=float,
        metavar="M",
        help="stop when M minutes have passed, to go on another time",
    )
    parser.add_argument("--accumulate", type=int, metavar="N", help="batches added up in a step")
    parser.add_argument(
        "--precision",
        choices=("float32", "bfloat16", "float16"),
        help="what most of the network computes in",
    )
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda or cuda:N")
    parser.add_argument(
        "--workers", type=int, default=2, metavar="N", help="processes that prepare batches"
    )
    parser.add_argument(
        "--shard", action="store_true", help="divide the network among the processes (FSDP2)"
    )
    parser.add_argument("--tensorboard", action="store_true", help="write for TensorBoard, too")
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
    return parser


def run(options: argparse.Namespace) -> int:
    """Train, and say where the network is."""
    from glee.evaluation.own_data import judge_network  # noqa: PLC0415  # help must not wait for it
    from glee.training.distributed import Processes  # noqa: PLC0415
    from glee.training.launch import Launch, launch  # noqa: PLC0415
    from glee.training.loop import MODEL, train  # noqa: PLC0415
    from glee.training.recipes import find_recipe  # noqa: PLC0415

    recipe = find_recipe(options.recipe)
    if not options.start:
        print(f"no --start: all weights are random; it wants {recipe.start}", file=sys.stderr)
    chosen = Launch(
        start=options.start,
        steps=options.steps,
        accumulate=options.accumulate,
        precision=options.precision,
        until=options.until,
        minutes=options.minutes,
        device=options.device,
        workers=options.workers,
        shard=options.shard,
        tensorboard=options.tensorboard,
        bad_share=options.bad_share,
        fail_fast=options.fail_fast,
    )
    try:
        train(launch(recipe, options.data, options.out, chosen, judge_network))
    except FloatingPointError as error:  # the training has diverged, which is no wrong usage
        raise OSError(str(error)) from error
    finally:
        Processes.leave()
    print(options.out / MODEL)
    return 0
