"""glee predict: objects in images, as pictures and as JSON."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import glee
from glee.cli.inputs import exists, find_images
from glee.cli.model import add_model, load_predictor
from glee.cli.output import (
    DESCRIPTION,
    check_targets,
    choose_targets,
    writable_folder,
    write_picture,
    write_report,
)
from glee.cli.parser import add_results, new_parser
from glee.cli.prompts import add_prompts, mark_names, read_prompts

if TYPE_CHECKING:
    from glee import Instances, Predictor, Prompts

DEFAULT_OUT = Path("glee_out")

DETAILS = (
    "Say what to look for by text, by marks, or both; coordinates are pixels of the image. One "
    "line an object is printed; pictures and predictions.json (COCO format) go to the folder --out."
)

EXAMPLE = """examples:
  glee predict street.jpg --text "person, red bus"
  glee predict photos --expression "the dog on the left" --out found
  glee predict street.jpg --point 120,85 --box 10,20,200,180 --json
"""


def build_parser(name: str, summary: str) -> argparse.ArgumentParser:
    """Return the parser of this command's arguments."""
    parser = new_parser(name, f"{summary}. {DETAILS}", EXAMPLE)
    parser.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help='image files, folders of them, or patterns such as "photos/*.jpg"',
    )
    add_prompts(parser.add_argument_group("what to look for (each may be repeated)"))
    add_model(parser)
    add_results(parser)
    parser.add_argument("--max-objects", type=int, help="at most so many objects (100 for --text)")
    parser.add_argument(
        "--nested",
        type=float,
        metavar="SHARE",
        help="of two objects of one name leave out the worse if more than this share of the "
        "smaller box lies in the other; 1 keeps all (for --text with nano 0.5)",
    )
    parser.add_argument(
        "--no-second-look",
        action="store_true",
        help="do not look at the best boxes again, enlarged: faster with nano, which then names "
        "less well",
    )
    parser.add_argument(
        "--scoring",
        default="object",
        choices=("object", "pair", "confidence"),
        help="by probability of the best name; by probability x mask quality of every pair of "
        "object and name; or marked objects by confidence (%(default)s)",
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
        "--json", action="store_true", help="print JSON Lines: one object for each image"
    )
    return parser


def run(options: argparse.Namespace) -> int:
    """Predict image by image; those that fail are listed at the end."""
    images = find_images(options.images)
    prompts = read_prompts(options)
    _check_options(options, prompts)
    if not any(exists(path) for path in images):
        _list_failures([f"{path}: there is no such file" for path in images])
        return 1
    out = options.out or (None if options.json else DEFAULT_OUT)
    if out is None:
        unsaved = [(path, None) for path in images]
        return _predict_all(load_predictor(options), prompts, unsaved, None, options)
    pictures = choose_targets(images, out)
    check_targets(out, pictures, [*images, *options.mask], force=options.force)
    with writable_folder(out):
        saved = list(zip(images, pictures, strict=True))
        return _predict_all(load_predictor(options), prompts, saved, out, options)


def _predict_all(
    predictor: "Predictor",
    prompts: "Prompts",
    images: Sequence[tuple[Path, Path | None]],
    out: Path | None,
    options: argparse.Namespace,
) -> int:
    """Predict each image, given with the picture to write; return the exit code."""
    from tqdm import tqdm  # noqa: PLC0415

    from glee.coco_file import CocoFile  # noqa: PLC0415  # torch: not to be waited for by --help

    failures: list[str] = []
    report = CocoFile(prompts.names, description=DESCRIPTION)
    marks = mark_names(prompts)
    try:
        with tqdm(images, unit="image", file=sys.stderr, disable=len(images) == 1) as bar:
            for path, picture in bar:
                try:
                    found = _predict(predictor, path, prompts, options, picture)
                except (OSError, ValueError) as error:
                    failures.append(f"{path}: {error}")
                    continue
                report.add(str(path), found)
                # Not by print, which would go on in the line of the bar.
                text = _as_json(path, found) if options.json else _as_text(path, found, marks)
                tqdm.write(text, file=sys.stdout)
    finally:
        # What was found before an interruption is kept.
        try:
            if out is not None and len(report):
                write_report(report, out)
        finally:
            _list_failures(failures)
    return 1 if failures else 0


def _list_failures(failures: Sequence[str]) -> None:
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)


def _check_options(options: argparse.Namespace, prompts: "Prompts") -> None:
    """Refuse what no image could make sense of, before the model is loaded."""
    from glee.inference.postprocess import Selection  # noqa: PLC0415

    given = {name: getattr(options, name) for name in ("threshold", "max_objects", "nested")}
    Selection(**{name: value for name, value in given.items() if value is not None})
    if options.scoring == "confidence" and not prompts.marks:
        raise ValueError(
            "--scoring confidence ranks marked objects; give --point, --box, --scribble or --mask"
        )


def _predict(
    predictor: "Predictor",
    path: Path,
    prompts: "Prompts",
    options: argparse.Namespace,
    picture: Path | None,
) -> "Instances":
    from glee.images import load_image  # noqa: PLC0415

    image = load_image(path)
    found = predictor.predict(
        image,
        prompts,
        threshold=options.threshold,
        max_objects=options.max_objects,
        masks=not options.no_masks,
        scoring=options.scoring,
        nested=options.nested,
        second_look=not options.no_second_look,
    )
    if picture is not None:
        write_picture(glee.draw_instances(image, found), picture)
    return found


def _as_json(path: Path, found: "Instances") -> str:
    return json.dumps({"file": str(path)} | found.to_json())


def _as_text(path: Path, found: "Instances", marks: Sequence[str]) -> str:
    """Say what was found: a line for the image and one for each object."""
    labels = found.label_names()
    if marks and found.prompt_ids is not None:
        ids = found.prompt_ids.tolist()
        labels = [f"{marks[n]}: {label}" for n, label in zip(ids, labels, strict=True)]
    lines = [f"{path}: {len(found)} object{'' if len(found) == 1 else 's'}"]
    for label, score, box in zip(labels, found.scores.tolist(), found.boxes.tolist(), strict=True):
        lines.append(f"  {label} {score:.2f} at {', '.join(f'{value:.0f}' for value in box)}")
    return "\n".join(lines)
