"""What a small network finds in photos, scenes and videos: the table of its goals, and pictures.

    python benchmarks/nano_quality.py --model nano --data PACKS --out DIR [--quick]

PACKS is the folder with `coco_photos`, `cutouts`, `backgrounds` and `davis_dev`. Writes into DIR
quality.json, quality.md, sheet.png and twenty pictures. The same network gives the same numbers.

What is held out: photos of the split `eval`, and DAVIS' videos, are in no training. The ten names
of "unseen" are in none either, but ImageNet, which encoders may have seen, has three of them
(hedgehog, saxophone, trilobite). The scenes of expressions are drawn by a seed of their own from
the cut-outs that training draws from: their arrangement is new, not their objects.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch

import glee
from glee import Predictor
from quality.expressions import expression_scenes, expression_values
from quality.figures import Report, Values
from quality.photos import (
    Encoder,
    Json,
    absent_values,
    mark_values,
    name_values,
    person_values,
    read_photos,
)
from quality.pictures import Shown, draw_pictures, write_pictures
from quality.scenes import unseen_scenes, unseen_values
from quality.videos import read_videos, video_values

FULL_SCENES, QUICK_SCENES = 100, 20
QUICK_PHOTOS, QUICK_OBJECTS, QUICK_FRAMES = 8, 3, 15
ALONE, QUICK_ALONE = 4, 2  # absent names of each photo that are asked for one by one


def sections(
    predictor: Predictor, shown: Shown, data: Path, *, quick: bool
) -> dict[str, Callable[[], Values]]:
    """Return what computes each section of the figures."""
    encoder, photos = Encoder(predictor), shown.photos
    people = read_photos(data, "persons.json")
    if quick:
        people = people.take(_some(people.images, QUICK_PHOTOS))
    return {
        "photos": lambda: name_values(encoder, photos),
        "marks": lambda: mark_values(encoder, photos, most=QUICK_OBJECTS if quick else None),
        "people": lambda: person_values(encoder, people),
        "absent": lambda: absent_values(encoder, photos, alone=QUICK_ALONE if quick else ALONE),
        "unseen": lambda: unseen_values(predictor, shown.unseen),
        "expressions": lambda: expression_values(predictor, shown.sayings),
        "videos": lambda: video_values(predictor, shown.videos),
    }


def _some(images: list[Json], count: int) -> list[Json]:
    """Return so many of the photos, spread over all of them."""
    return images[:: max(len(images) // count, 1)][:count]


def read_all(data: Path, *, quick: bool) -> Shown:
    """Read photos and videos and compose the scenes; some of them if it shall be quick."""
    photos, videos = read_photos(data, "instances_eval.json"), read_videos(data)
    count = QUICK_SCENES if quick else FULL_SCENES
    if quick:
        photos = photos.take(_some(photos.images, QUICK_PHOTOS))
        videos = [video.every(QUICK_FRAMES) for video in videos]
    return Shown(photos, unseen_scenes(data, count), expression_scenes(data, count), videos)


def measure(parts: dict[str, Callable[[], Values]]) -> tuple[dict[str, Values], dict[str, float]]:
    """Return the figures of each section, and the seconds that it took."""
    values, seconds = {}, {}
    for name, compute in parts.items():
        start = time.perf_counter()
        values[name] = compute()
        seconds[name] = time.perf_counter() - start
        print(f"{name}: {seconds[name]:.1f} s", flush=True)
    return values, seconds


def main() -> None:
    """Measure one network, print the table and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="nano", help="name or weight file, as glee.load takes")
    parser.add_argument("--data", type=Path, required=True, help="folder of the packs")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--quick", action="store_true", help="a part of everything")
    parser.add_argument("--only", nargs="+", metavar="SECTION", help="some sections")
    options = parser.parse_args()
    predictor = glee.load(options.model, device="cpu")
    shown = read_all(options.data, quick=options.quick)
    parts = sections(predictor, shown, options.data, quick=options.quick)
    wanted = options.only or list(parts)
    if unknown := set(wanted) - set(parts):
        parser.error(f"unknown section {', '.join(unknown)}; choose from {', '.join(parts)}")
    values, seconds = measure({name: parts[name] for name in wanted})
    extent = "a part, not to be quoted" if options.quick else "all"
    settings = {
        "extent": extent,
        "torch": torch.__version__,
        "threads": str(torch.get_num_threads()),
    }
    report = Report(
        model=Path(options.model).name, settings=settings, sections=values, seconds=seconds
    )
    report.write(options.out)
    if not options.only:
        write_pictures(options.out, draw_pictures(predictor, shown))
    print(report.to_markdown())


if __name__ == "__main__":
    main()
