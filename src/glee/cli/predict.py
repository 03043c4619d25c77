"""glee predict: objects in images, as pictures and as JSON."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import glee
from glee.files import replacing

if TYPE_CHECKING:
    from glee import Instances, Predictor, Prompts

DEFAULT_OUT = Path("glee_out")

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
        type=_numbers(2),
        metavar="X,Y",
        help="a point on an object",
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
        help="black and white picture of an object, of the image's size",
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


def _line(text: str) -> list[tuple[float, float]]:
    values = _numbers(text.count(",") + 1)(text)
    if len(values) % 2:
        raise argparse.ArgumentTypeError(f"needs pairs x,y, got {len(values)} numbers")
    return list(zip(values[::2], values[1::2], strict=True))


def run(options: argparse.Namespace) -> int:
    """Predict image by image; those that fail are listed at the end."""
    import torch  # noqa: PLC0415  # a second, not to be waited for by --help
    from tqdm import tqdm  # noqa: PLC0415

    prompts = _prompts(options)
    _check_options(options)
    predictor = glee.load(options.model, device=options.device, dtype=getattr(torch, options.dtype))
    out = options.out or (None if options.json else DEFAULT_OUT)
    failures: list[str] = []
    report = CocoReport(prompts.names)
    bar = tqdm(options.images, unit="image", file=sys.stderr, disable=len(options.images) == 1)
    try:
        for path, picture in zip(bar, _targets(options.images, out), strict=True):
            try:
                found = _predict(predictor, path, prompts, options, picture)
            except (OSError, ValueError) as error:
                failures.append(f"{path}: {error}")
                continue
            report.add(path, found)
            _print_found(path, found, as_json=options.json)
    finally:
        # What was found before an interruption is kept.
        if out is not None:
            report.write(out / "predictions.json")
            print(f"pictures and predictions.json are in {out}", file=sys.stderr)
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    return 1 if failures else 0


def _prompts(options: argparse.Namespace) -> "Prompts":
    from PIL import Image  # noqa: PLC0415

    masks = []
    for path in options.mask:
        with Image.open(path) as image:
            masks.append(image.convert("L"))
    names = options.text.split(",") if options.text is not None else []
    return glee.Prompts(
        categories=names,
        expression=options.expression,
        points=options.point,
        boxes=options.box,
        scribbles=options.scribble,
        masks=masks,
    )


def _check_options(options: argparse.Namespace) -> None:
    """Refuse what no image could make sense of, before the model is loaded."""
    from glee.inference.postprocess import Selection  # noqa: PLC0415

    Selection(
        threshold=options.threshold,
        max_objects=1 if options.max_objects is None else options.max_objects,
    )


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


def _targets(images: list[Path], out: Path | None) -> Iterator[Path | None]:
    """Yield the picture to write for each image; images of one name do not share it."""
    taken: set[str] = set()
    for path in images:
        name, number = path.stem, 1
        while name in taken:
            number += 1
            name = f"{path.stem}_{number}"
        taken.add(name)
        yield None if out is None else out / f"{name}.png"


def _print_found(path: Path, found: "Instances", *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"file": str(path)} | found.to_json()))
        return
    print(f"{path}: {len(found)} object{'' if len(found) == 1 else 's'}")
    for name, score, box in zip(
        found.label_names(), found.scores.tolist(), found.boxes.tolist(), strict=True
    ):
        print(f"  {name} {score:.2f} at {', '.join(f'{value:.0f}' for value in box)}")


class CocoReport:
    """Predictions of all images as one COCO annotation file."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self._categories = [{"id": label, "name": name} for label, name in enumerate(names)]

    def add(self, path: Path, found: "Instances") -> None:
        """Add the objects of one image."""
        image_id, (height, width) = len(self._images), found.image_size
        self._images.append(
            {"id": image_id, "file_name": path.name, "height": height, "width": width}
        )
        for result in found.to_coco(image_id):
            _, _, w, h = result["bbox"]
            extra = {"id": len(self._annotations) + 1, "area": w * h, "iscrowd": 0}
            self._annotations.append(result | extra)

    def write(self, path: Path) -> None:
        """Write the file."""
        content = {
            "images": self._images,
            "annotations": self._annotations,
            "categories": self._categories,
        }
        with replacing(path) as beside:
            beside.write_text(json.dumps(content))
