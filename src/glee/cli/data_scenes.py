"""glee data scenes: draw samples of the composed corpus, to look at them."""

import argparse
import sys
from pathlib import Path

SUMMARY = "compose training samples from the packs of the corpus, and draw some of them"
EXAMPLE = "example: glee data scenes --root data --show scenes.png"

KINDS = (
    "scenes",
    "held-out",
    "expressions",
    "phrases",
    "photo-expressions",
    "clips",
    "photos",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument(
        "--root",
        type=Path,
        required=True,
        help="the folder with the packs cutouts, backgrounds and coco_photos",
    )
    parser.add_argument("--show", type=Path, required=True, metavar="PNG", help="what to write")
    parser.add_argument(
        "--kind", choices=KINDS, default=KINDS[0], help="which samples (default: %(default)s)"
    )
    parser.add_argument(
        "--count", type=int, default=12, help="how many samples (default: %(default)s)"
    )
    parser.add_argument(
        "--first", type=int, default=0, help="the first of them (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="for all that is random (default: %(default)s)"
    )
    parser.add_argument(
        "--misleading",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share 0..1 of expressions that fit nothing (default: %(default)s)",
    )
    parser.add_argument(
        "--allow-missing",
        action="store_true",
        help="go without the sources of cut-outs that are not there",
    )


def run(options: argparse.Namespace) -> int:
    """Draw samples."""
    # torch takes a second, not to be waited for by --help
    from glee.data.corpus.packs import check_packs  # noqa: PLC0415
    from glee.data.corpus.sheet import draw_sheet  # noqa: PLC0415
    from glee.data.corpus.sources import open_source  # noqa: PLC0415
    from glee.files import replacing  # noqa: PLC0415

    if options.count < 1 or options.first < 0:
        raise ValueError(
            f"--count must be at least 1 and --first at least 0, got {options.count} and "
            f"{options.first}"
        )
    if options.allow_missing:
        for line in check_packs(options.root, ("cutouts",), allow_missing=True):
            print(line, file=sys.stderr)
    samples = open_source(
        options.kind,
        options.root,
        seed=options.seed,
        misleading=options.misleading,
        allow_missing=options.allow_missing,
    )
    end = min(options.first + options.count, len(samples))
    sheet = draw_sheet(samples, range(options.first, end))
    with replacing(options.show) as beside:
        sheet.save(beside, "PNG")
    print(options.show)
    return 0
