"""glee predict: objects in images, as pictures and as JSON."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import glee
from glee.files import replacing

if TYPE_CHECKING:
    from glee import Instances, Predictor, Prompts

DEFAULT_OUT = Path("glee_out")
REPORT = "predictions.json"

# What our report says about itself, and how the file begins therefore.
DESCRIPTION = "glee predict"
BEGINNING = json.dumps({"info": {"description": DESCRIPTION}}).rstrip("}")

EXAMPLE = """examples:
  glee predict street.jpg --text "person, red bus"
  glee predict *.jpg --expression "the dog on the left" --out found
  glee predict street.jpg --point 120,85 --box 10,20,200,180 --json
"""


def build_parser(name: str, summary: str) -> argparse.ArgumentParser:
    """Return the parser of this command's arguments."""
    parser = argparse.ArgumentParser(
        prog=name,
        description=f"{summary.capitalize()}. Say what to look for by text, by marks, or both; "
        "coordinates are pixels of the image. One line an object is printed; pictures and "
        "predictions.json (COCO format) go to the folder --out.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="image files")
    _add_prompts(parser.add_argument_group("what to look for (marks may be repeated)"))
    parser.add_argument(
        "--model",
        default="lite",
        help="lite, plus, pro, another released model, a weight file or a hub id (%(default)s)",
    )
    parser.add_argument("--threshold", type=float, help="least score, 0..1 (0.2 for --text)")
    parser.add_argument("--max-objects", type=int, help="at most so many objects (100 for --text)")
    parser.add_argument(
        "--scoring",
        default="object",
        choices=("object", "pair", "confidence"),
        help="by probability of the best name; by probability x mask quality of every pair of "
        "object and name; or marked objects by confidence (%(default)s)",
    )
    parser.add_argument("--no-masks", action="store_true", help="boxes only")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, mps (the machine's best)")
    parser.add_argument(
        "--dtype",
        default="float32",
        choices=("float32", "bfloat16", "float16"),
        help="what most of the network computes in (%(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help=f"folder for pictures and predictions.json ({DEFAULT_OUT}; none with --json)",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace files in DIR that are not of an earlier run"
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object an image, for machines"
    )
    return parser


def _add_prompts(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--text", metavar="NAMES", help='names, separated by commas: "dog, bus"')
    group.add_argument(
        "--expression", action="append", default=[], help="description of one object"
    )
    group.add_argument(
        "--point",
        action="append",
        default=[],
        type=_clicks,
        metavar="X,Y",
        help='a point on an object, or several on the same: "120,85;130,90"',
    )
    group.add_argument(
        "--box",
        action="append",
        default=[],
        type=_numbers(4),
        metavar="X1,Y1,X2,Y2",
        help="a box around an object",
    )
    group.add_argument(
        "--scribble",
        action="append",
        default=[],
        type=_line,
        metavar="X,Y,X,Y,...",
        help="a line on an object",
    )
    group.add_argument(
        "--mask",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="picture of an object, white on black, of the image's size",
    )


def _numbers(count: int) -> Callable[[str], tuple[float, ...]]:
    def parse(text: str) -> tuple[float, ...]:
        try:
            values = tuple(float(part) for part in text.split(","))
        except ValueError:
            values = ()
        if len(values) != count:
            raise argparse.ArgumentTypeError(f"needs {count} numbers with commas, got {text!r}")
        return values

    return parse


def _clicks(text: str) -> list[tuple[float, ...]]:
    return [_numbers(2)(click) for click in text.split(";")]


def _line(text: str) -> list[tuple[float, float]]:
    values = _numbers(text.count(",") + 1)(text)
    if len(values) % 2:
        raise argparse.ArgumentTypeError(f"needs pairs x,y, got {len(values)} numbers")
    return list(zip(values[::2], values[1::2], strict=True))


def run(options: argparse.Namespace) -> int:
    """Predict image by image; those that fail are listed at the end."""
    from tqdm import tqdm  # noqa: PLC0415

    from glee.results import CocoFile  # noqa: PLC0415  # torch: not to be waited for by --help

    prompts = _prompts(options)
    _check_options(options, prompts)
    out = options.out or (None if options.json else DEFAULT_OUT)
    pictures = _targets(options.images, out) if out else [None] * len(options.images)
    if out:
        _check_targets(options, out, [out / REPORT, *(path for path in pictures if path)])
    predictor = _load(options)
    failures: list[str] = []
    report = CocoFile(prompts.names, description=DESCRIPTION)
    bar = tqdm(options.images, unit="image", file=sys.stderr, disable=len(options.images) == 1)
    try:
        for path, picture in zip(bar, pictures, strict=True):
            try:
                found = _predict(predictor, path, prompts, options, picture)
            except (OSError, ValueError) as error:
                failures.append(f"{path}: {error}")
                continue
            report.add(str(path), found)
            _print_found(path, found, as_json=options.json)
    finally:
        # What was found before an interruption is kept.
        if out:
            with replacing(out / REPORT) as beside:
                beside.write_text(json.dumps(report.to_json()))
            print(f"pictures and {REPORT} are in {out}", file=sys.stderr)
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    return 1 if failures else 0


def _prompts(options: argparse.Namespace) -> "Prompts":
    from glee.inference.images import load_mask  # noqa: PLC0415

    names = options.text.split(",") if options.text is not None else []
    return glee.Prompts(
        categories=names,
        expression=options.expression,
        points=options.point,
        boxes=options.box,
        scribbles=options.scribble,
        masks=[load_mask(path) for path in options.mask],
    )


def _check_options(options: argparse.Namespace, prompts: "Prompts") -> None:
    """Refuse what no image could make sense of, before the model is loaded."""
    from glee.inference.postprocess import Selection  # noqa: PLC0415

    given = {"threshold": options.threshold, "max_objects": options.max_objects}
    Selection(**{name: value for name, value in given.items() if value is not None})
    if options.scoring == "confidence" and not prompts.marks:
        raise ValueError(
            "--scoring confidence ranks marked objects; give --point, --box, --scribble or --mask"
        )


def _targets(images: list[Path], out: Path) -> list[Path | None]:
    """Return the picture to write for each image; images of one name do not share it."""
    taken: set[str] = set()
    targets: list[Path | None] = []
    for path in images:
        name, number = path.stem, 1
        while name.casefold() in taken:  # some systems take cat.png and Cat.png for one file
            number += 1
            name = f"{path.stem}_{number}"
        taken.add(name.casefold())
        targets.append(out / f"{name}.png")
    return targets


def _check_targets(options: argparse.Namespace, out: Path, targets: list[Path]) -> None:
    """Refuse to write over what is read, or over files that no earlier run has written."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out {out} is a file; give a folder")
    inputs = [path.expanduser() for path in (*options.images, *options.mask)]
    read = {_identity(path) for path in inputs if path.exists()}
    existing = [path for path in targets if path.exists()]
    for path in existing:
        if _identity(path) in read:
            raise ValueError(f"{path} is read and would be replaced; give another folder by --out")
    if existing and not options.force and not _is_ours(out / REPORT):
        raise ValueError(
            f"{existing[0]} exists and is not of an earlier run; give another folder by --out, or "
            "--force to replace it"
        )


def _identity(path: Path) -> tuple[int, int]:
    """Return what tells files apart whatever their paths, links and letter case."""
    facts = path.stat()
    return facts.st_dev, facts.st_ino


def _is_ours(report: Path) -> bool:
    if not report.is_file():
        return False
    with report.open("rb") as file:
        return file.read(len(BEGINNING)) == BEGINNING.encode()


def _load(options: argparse.Namespace) -> "Predictor":
    """Load the model; a damaged file is a failure, all else that is wrong is usage."""
    import torch  # noqa: PLC0415

    dtype = getattr(torch, options.dtype)
    try:
        return glee.load(options.model, device=options.device, dtype=dtype)
    except ValueError as error:
        if _is_damaged(options.model):
            raise OSError(str(error)) from error
        raise


def _is_damaged(model: str) -> bool:
    """Whether a model's weights are there, but cannot be read."""
    from glee.inference.info import describe_weights, find_weights  # noqa: PLC0415

    try:
        path = find_weights(model)
    except ValueError:  # a name that is none
        return False
    try:
        describe_weights(path or model)
    except ValueError:
        return True
    return False


def _predict(
    predictor: "Predictor",
    path: Path,
    prompts: "Prompts",
    options: argparse.Namespace,
    picture: Path | None,
) -> "Instances":
    from glee.inference.images import load_image  # noqa: PLC0415

    image = load_image(path)
    found = predictor.predict(
        image,
        prompts,
        threshold=options.threshold,
        max_objects=options.max_objects,
        masks=not options.no_masks,
        scoring=options.scoring,
    )
    if picture is not None:
        with replacing(picture) as beside:
            glee.draw_instances(image, found).save(beside, format="PNG")
    return found


def _print_found(path: Path, found: "Instances", *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"file": str(path)} | found.to_json()))
        return
    print(f"{path}: {len(found)} object{'' if len(found) == 1 else 's'}")
    for name, score, box in zip(
        found.label_names(), found.scores.tolist(), found.boxes.tolist(), strict=True
    ):
        print(f"  {name} {score:.2f} at {', '.join(f'{value:.0f}' for value in box)}")
