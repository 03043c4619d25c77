"""glee convert: a released checkpoint, or weights to start training with, become a weight file."""

import argparse
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import glee
from glee.config import lite, plus, pro

SIZES = {"lite": lite, "plus": plus, "pro": pro}


def build_parser(name: str, summary: str) -> argparse.ArgumentParser:
    """Return the parser of this command's arguments."""
    parser = argparse.ArgumentParser(
        prog=name,
        description=f"{summary}. Every entry of a source is used or ignored for a reason that is "
        "printed; anything else is an error. No code inside it is run.",
        epilog="examples: glee convert GLEE_Lite_joint.pth lite.safetensors; "
        "glee convert --start plus maskdino_r50.pth swin_large_22k.pth clip.safetensors "
        "start.safetensors",
    )
    parser.add_argument(
        "sources",
        type=Path,
        nargs="+",
        metavar="SOURCE",
        help="released checkpoint; with --start, weights of MaskDINO R50, Swin, EVA-02 and CLIP",
    )
    parser.add_argument("target", type=Path, metavar="OUT.safetensors", help="file to write")
    parser.add_argument(
        "--start",
        choices=SIZES,
        metavar="SIZE",
        help="write weights to start training a network of this size with: lite, plus or pro; "
        "what none of the sources has is random",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of random weights; default: 0"
    )
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
    if options.start is None and len(options.sources) > 1:
        raise ValueError(f"{len(options.sources)} sources need --start SIZE; give one without it")
    if options.start and options.keep_training:
        raise ValueError("--keep-training is for released checkpoints; leave it out with --start")
    try:
        if options.start:
            _start(options)
        else:
            _convert(options)
    except ValueError as error:  # of the file, not of the usage
        raise OSError(str(error)) from error
    return 0


def _convert(options: argparse.Namespace) -> None:
    (source,) = options.sources
    conversion = glee.convert_file(source, options.target, keep_training=options.keep_training)
    print(f"{options.target}: {len(conversion.weights)} tensors")
    _print_reasons(conversion.ignored.values())


def _start(options: argparse.Namespace) -> None:
    from glee.training.start import write_start  # noqa: PLC0415  # only this needs it

    config = SIZES[options.start]()
    begun = write_start(config, options.sources, options.target, seed=options.seed)
    for path, found in zip(options.sources, begun.files, strict=True):
        print(f"{path}: {len(found.weights)} tensors of {found.kind}")
        _print_reasons(found.ignored.values())
    parts = Counter(name.split(".")[0] for name in begun.random)
    listed = ", ".join(f"{part} {count}" for part, count in parts.items()) or "none"
    print(f"{options.target}: tensors that stay random: {listed}")


def _print_reasons(reasons: Iterable[str]) -> None:
    for reason, count in Counter(reasons).most_common():
        print(f"left out {count:4}: {reason}")
