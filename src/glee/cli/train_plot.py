"""glee train plot: the learning curves of runs as a picture."""

import argparse
from pathlib import Path

from glee.cli.parser import new_parser

DETAILS = (
    "Loss, rate, norm of the gradients, images per second, what evaluations found and each loss by "
    "source, against the step; several runs are drawn over one another. RUN_DIR is a folder that "
    "`glee train` or `glee finetune` writes to, during the run or after it. Losses are drawn "
    "faintly as they were logged, and over that as means of the tenth of the log around each step."
)

EXAMPLE = """examples:
  glee train plot runs/nano                             # runs/nano/curves.png
  glee train plot runs/first runs/second --out both.png
"""


def build_parser(name: str, summary: str) -> argparse.ArgumentParser:
    """Return the parser of this command's arguments."""
    parser = new_parser(name, f"{summary}. {DETAILS}", EXAMPLE)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN_DIR", help="folder of a run")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="picture to write, .png, .svg or .pdf (curves.png in the folder of the run, or here "
        "if there are several)",
    )
    return parser


def run(options: argparse.Namespace) -> int:
    """Draw, and say where the picture is."""
    from glee.training.curves import CURVES, draw_curves  # noqa: PLC0415  # not for --help

    folder = options.runs[0] if len(options.runs) == 1 else Path()
    path = options.out or folder / CURVES
    draw_curves(options.runs, path)
    print(path)
    return 0
