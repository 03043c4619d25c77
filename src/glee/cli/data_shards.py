"""glee data shards: a data set packed into tar files, for training from object storage."""

import argparse
import sys
from pathlib import Path

from glee.cli.data_check import add_source, read_source

SUMMARY = "pack a data set into tar files with an index, a folder for each split"
EXAMPLE = "example: glee data shards DATA coco_shards --set coco --split train"

MEBIBYTE = 2**20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
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
