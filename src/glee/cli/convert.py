"""glee convert: a released checkpoint becomes a weight file."""

import argparse
from collections import Counter
from pathlib import Path

import glee


def build_parser(name: str, summary: str) -> argparse.ArgumentParser:
    """Return the parser of this command's arguments."""
    parser = argparse.ArgumentParser(
        prog=name,
        description=f"{summary}. Every entry of the checkpoint is used or ignored "
        "for a reason that is printed; anything else is an error. No code inside it is run.",
        epilog="example: glee convert GLEE_Lite_joint.pth lite.safetensors",
    )
    parser.add_argument("source", type=Path, metavar="OFFICIAL.pth", help="released checkpoint")
    parser.add_argument("target", type=Path, metavar="OUT.safetensors", help="file to write")
    parser.add_argument(
        "--keep-training",
        action="store_true",
        help="also store what only training reads: teacher text encoder and denoising labels",
    )
    parser.add_argument("--force", action="store_true", help="replace OUT if it exists")
    return parser


def run(options: argparse.Namespace) -> int:
    """Convert, and say what was left out."""
    if options.target.suffix != ".safetensors":
        raise ValueError(f"OUT must end in .safetensors, got {options.target}")
    if options.target.exists() and not options.force:
        raise ValueError(f"{options.target} exists already; give --force to replace it")
    try:
        conversion = glee.convert_file(
            options.source, options.target, keep_training=options.keep_training
        )
    except ValueError as error:  # of the file, not of the usage
        raise OSError(str(error)) from error
    print(f"{options.target}: {len(conversion.weights)} tensors")
    for reason, count in Counter(conversion.ignored.values()).most_common():
        print(f"left out {count:4}: {reason}")
    return 0
