"""glee data shards: a data set packed into tar files, for training from object storage."""

import argparse
import sys
from pathlib import Path
from typing import Any

from glee.cli.data_check import add_source, read_source

MEBIBYTE = 2**20


def add_parser(commands: Any) -> None:
    """Add this command and its arguments."""
    summary = "pack a data set into tar files with an index"
    parser = commands.add_parser(
        "shards",
        help=summary,
        description=f"{summary}. Training reads them from a folder, or from object storage by "
        "their URL. Every split gets a folder of its own in OUT.",
        epilog="example: glee data shards DATA coco_shards --set coco --split train",
    )
    add_source(parser)
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write")
    parser.add_argument(
        "--shard-size", type=int, default=1024, metavar="MIB", help="of each file (%(default)s)"
    )
    parser.add_argument(
        "--bad-share",
        type=float,
        default=0.01,
        metavar="SHARE",
        help="largest share of samples that may be left out (%(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Pack every split, and say what was left out."""
    if options.shard_size < 1:
        raise ValueError(f"--shard-size must be at least 1, got {options.shard_size}")
    splits = read_source(options)
    from glee.data.shards.write import write_shards  # noqa: PLC0415  # imports torch

    good = True
    for split, samples in splits.items():
        try:
            report = write_shards(
                samples, options.out / split, shard_bytes=options.shard_size * MEBIBYTE
            )
        except ValueError as error:  # of the files, not of the usage
            raise OSError(str(error)) from error
        print(f"{options.out / split}: {report.total - report.counts.total()} samples")
        if report.counts:
            print(report, file=sys.stderr)
        good &= report.share <= options.bad_share
    return 0 if good else 1
