"""glee data check: what a data set holds, and what is wrong with it."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glee.data.check import Checked
    from glee.data.schema import Samples

SUMMARY = "count what is in a data set and find what is wrong; exits with 1 if too much is"
EXAMPLE = "example: glee data check my_photos --sheet sheet.png"

SHOWN_NAMES = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_source(parser)
    parser.add_argument("--limit", type=int, metavar="N", help="open at most N samples (all)")
    parser.add_argument(
        "--decode", action="store_true", help="decode every image and mask, not only headers"
    )
    parser.add_argument(
        "--bad-share",
        type=float,
        default=0.01,
        metavar="SHARE",
        help="largest share of bad entries that is put up with (%(default)s)",
    )
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="picture of some samples")
    parser.add_argument("--force", action="store_true", help="replace FILE.png if it exists")
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_source(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name a data set."""
    parser.add_argument(
        "folder",
        type=Path,
        metavar="DIR",
        help="a folder in the format of COCO, YOLO or Pascal VOC, or of shards; with --set, the "
        "data root",
    )
    parser.add_argument(
        "--set", metavar="NAME", help="a data set in its own layout, such as coco or lvis"
    )
    parser.add_argument("--split", help="only this split; with --set, which one (train)")


def read_source(options: argparse.Namespace) -> "dict[str, Samples]":
    """Return the samples of each split that was asked for.

    Raises ValueError for an unknown set or split, and OSError for what cannot be read.
    """
    # torch takes a second, not to be waited for by --help
    from glee.data.catalog import find_listed, read_listed  # noqa: PLC0415
    from glee.data.readers.folder import read_folder  # noqa: PLC0415
    from glee.data.shards.read import find_shards, read_shards  # noqa: PLC0415

    if options.set is not None:
        split = options.split or "train"
        find_listed(options.set, split)
    try:
        if options.set is not None:
            return {split: read_listed(options.set, options.folder, split=split)}
        packed = find_shards(options.folder)
        found: dict[str, Samples] = {name: read_shards(path) for name, path in packed.items()}
        found = found or dict(read_folder(options.folder))
    except ValueError as error:  # of the files, not of the usage
        raise OSError(str(error)) from error
    if options.split is None:
        return found
    if options.split not in found:
        raise ValueError(f"there is no split {options.split!r}; choose from {', '.join(found)}")
    return {options.split: found[options.split]}


def run(options: argparse.Namespace) -> int:
    """Check, print what was found, and say by the exit code whether it is good."""
    from glee.data.check import check_samples, find_leaks  # noqa: PLC0415

    _check_options(options)
    splits = read_source(options)
    found = {
        split: check_samples(samples, most=options.limit, decode=options.decode)
        for split, samples in splits.items()
    }
    leaks = find_leaks(found)
    worst = max([one.report.share for one in found.values()], default=0.0)
    good = worst <= options.bad_share and any(one.frames for one in found.values())
    if options.json:
        facts = {split: one.to_json() for split, one in found.items()}
        print(json.dumps({"good": good, "splits": facts, "leaks": dict(leaks.examples)}, indent=2))
    else:
        for split, one in found.items():
            _print_split(split, one)
        if leaks.counts:
            print(f"between splits: {leaks}")
    if options.sheet is not None:
        _write_sheet(options.sheet, next(iter(splits.values())))
    if not good:
        print(f"too much is bad: {worst:.1%} of the entries of a split", file=sys.stderr)
    return 0 if good else 1


def _check_options(options: argparse.Namespace) -> None:
    if not 0 <= options.bad_share <= 1:
        raise ValueError(f"--bad-share must lie in 0..1, got {options.bad_share}")
    if options.limit is not None and options.limit < 1:
        raise ValueError(f"--limit must be at least 1, got {options.limit}")
    if options.sheet is not None and options.sheet.exists() and not options.force:
        raise ValueError(f"{options.sheet} exists already; give --force to replace it")


def _print_split(split: str, found: "Checked") -> None:
    looked = f", {found.looked_at} of them opened" if found.looked_at < found.samples else ""
    print(f"{split}: {found.samples} samples{looked}")
    print(f"  {found.frames} images, {found.empty} of them without objects")
    print(f"  {found.objects} objects, {found.masks} with a mask, {found.small} below 2 pixels")
    if found.expressions:
        print(f"  {found.expressions} expressions")
    if found.sizes is not None:
        (low, high) = found.sizes
        print(f"  (height, width) from {low} to {high}")
    most = max(found.names.values(), default=0)
    width = max([len(name) for name in list(found.names)[:SHOWN_NAMES]], default=0)
    for name, count in found.names.most_common(SHOWN_NAMES):
        print(f"    {name:{width}} {count:8} {'#' * round(40 * count / max(most, 1))}")
    if len(found.names) > SHOWN_NAMES:
        print(f"    and {len(found.names) - SHOWN_NAMES} names more")
    if unseen := sum(not count for count in found.names.values()):
        print(f"  {unseen} names without an object")
    print("  " + str(found.report).replace("\n", "\n  "))


def _write_sheet(path: Path, samples: "Samples") -> None:
    from glee.data.contact_sheet import contact_sheet  # noqa: PLC0415
    from glee.files import replacing  # noqa: PLC0415

    sheet = contact_sheet(samples)
    with replacing(path) as beside:
        sheet.save(beside, format="PNG")
    print(f"the contact sheet is {path}", file=sys.stderr)
