"""glee data filter-sa1b: SA-1B without the parts that lie inside kept wholes."""

import argparse
import sys
from pathlib import Path

SUMMARY = "leave out the masks of SA-1B that overlap larger ones, as GLEE was trained"
EXAMPLE = "example: glee data filter-sa1b SA-1B SA-1B-filtered --workers 8"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("source", type=Path, metavar="DIR", help="holds sa_000000 and so on")
    parser.add_argument("target", type=Path, metavar="OUT", help="folder to write")
    parser.add_argument("--threshold", type=float, default=0.5, help="overlap, 0..1 (%(default)s)")
    parser.add_argument(
        "--strict", action="store_true", help="masks that are left out do not suppress others"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """Filter, and say how many masks are left."""
    from glee.data.sa1b_filter import filter_sa1b  # noqa: PLC0415  # imports torch

    done, report = filter_sa1b(
        options.source,
        options.target,
        threshold=options.threshold,
        strict=options.strict,
        workers=options.workers,
    )
    given, kept = sum(one.given for one in done), sum(one.kept for one in done)
    print(f"{len(done)} images, {kept} of {given} masks kept, in {options.target}")
    if report.counts:
        print(report, file=sys.stderr)
    return 0 if done else 1
