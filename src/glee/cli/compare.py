"""glee eval compare: two runs of a benchmark, and whether luck explains their difference."""

import argparse
import json
import sys
from pathlib import Path
from textwrap import fill

HELP_WIDTH = 78
DETAILS = (
    "Draws images again and again from those that both runs were made on, and scores both runs on "
    "each draw (paired bootstrap). A change whose interval holds 0 may be luck. A and B are "
    "folders that `glee eval` has written."
)

EXAMPLE = """examples:
  glee eval compare eval_out/coco-lite eval_out/coco-mine
  glee eval compare A B --replicates 10000 --out comparison.json
"""


def build_parser(name: str, summary: str) -> argparse.ArgumentParser:
    """Return the parser of this command's arguments."""
    parser = argparse.ArgumentParser(
        prog=name,
        description=fill(f"{summary}. {DETAILS}", HELP_WIDTH),
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("first", type=Path, metavar="A", help="folder of a run")
    parser.add_argument("second", type=Path, metavar="B", help="folder of the other run")
    parser.add_argument(
        "--replicates", type=int, default=1000, help="data sets that are drawn (%(default)s)"
    )
    parser.add_argument(
        "--confidence", type=float, default=0.95, help="share that an interval holds (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the draws (%(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the comparison as JSON")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


def run(options: argparse.Namespace) -> int:
    """Compare and print."""
    # numpy, not to be waited for by --help
    from glee.evaluation.bootstrap import Drawing  # noqa: PLC0415
    from glee.evaluation.compare import compare_runs, write_comparison  # noqa: PLC0415

    drawing = Drawing(
        replicates=options.replicates, confidence=options.confidence, seed=options.seed
    )
    found = compare_runs(options.first, options.second, drawing)
    print(json.dumps(found.to_json()) if options.json else found.to_text(), end="")
    if options.out is not None:
        write_comparison(found, options.out)
        print(f"the comparison is in {options.out}", file=sys.stderr)
    return 0
