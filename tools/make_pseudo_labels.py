"""Label photos with a teacher, NanoDet-g, that knows COCO's 80 names; and measure its labels.

    python tools/make_pseudo_labels.py WEIGHTS PHOTOS --out FILE.json [--images DIR]
        [--split train] [--without annotated.json] [--least 0.05]
    python tools/make_pseudo_labels.py WEIGHTS instances.json --images DIR --measure [--split train]

WEIGHTS is the teacher's safetensors file (Apache-2.0, RangiLyu/nanodet). PHOTOS is a folder, or a
file in COCO's format whose photos are in the folder --images. FILE.json is in COCO's format, too:
boxes have a `score`, and each photo lists in `neg_category_ids` the names of which nothing scores
--least or more.
`glee.data.readers.pseudo_labels` reads it, and marks its samples as made by a machine.

--measure compares the labels with those of PHOTOS instead: precision and recall of the boxes from
several scores on, and how often a name counts as absent that is there.
"""

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from glee.data.readers.index import read_size
from glee.files import replacing
from glee.images import load_image
from glee.ops.boxes import box_area, pairwise_iou
from glee.results import Instances
from glee.training.nanodet import COCO_NAMES, NanoDet, detect, load_teacher

Json = dict[str, Any]

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
THRESHOLDS = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6)
LEAST_SCORES = (0.05, 0.1, 0.15, 0.2)
MOST = 5_000  # boxes of a photo: a limit would make names absent whose boxes it cuts off
OVERLAP = 0.5  # from which a box is right
INSIDE = 0.5  # share of a box inside a crowd, from which it does not count


def photos_of(source: Path, *, split: str | None, without: Path | None) -> list[Json]:
    """Return the photos of a folder, or of a file in COCO's format, as entries of its `images`.

    split    keep the photos whose `split` it is
    without  leave out the photos of this file in COCO's format, by id
    """
    if source.is_dir():
        paths = sorted(path for path in source.iterdir() if path.suffix.lower() in SUFFIXES)
        entries = [_entry(number, path) for number, path in enumerate(paths, 1)]
    else:
        entries = _read(source)["images"]
    known = {image["id"] for image in _read(without)["images"]} if without else set()
    return [
        image
        for image in entries
        if image["id"] not in known and split in (None, image.get("split"))
    ]


def label_photos(
    teacher: NanoDet, photos: Iterable[Json], folder: Path, *, least: float
) -> Iterator[tuple[Json, Instances]]:
    """Yield each photo with what the teacher finds in it at a score of `least` or more."""
    for image in photos:
        pixels = load_image(folder / Path(image["file_name"]).name)
        yield image, detect(teacher, pixels, threshold=least, most=MOST)


def to_coco(labelled: Iterable[tuple[Json, Instances]], *, least: float) -> Json:
    """Return labels as COCO's format; ids of categories count COCO's names from 1."""
    ids = range(1, len(COCO_NAMES) + 1)
    images, annotations = [], list[Json]()
    for image, found in labelled:
        seen = {label + 1 for label in found.labels.tolist()}
        own = {key: image[key] for key in ("id", "file_name", "height", "width")}
        images.append({**own, "neg_category_ids": [one for one in ids if one not in seen]})
        for entry in found.to_coco(image["id"], ids):
            box = [round(value, 1) for value in entry["bbox"]]
            score, area = round(entry["score"], 4), round(box[2] * box[3], 1)
            number = len(annotations) + 1
            entry |= {"id": number, "bbox": box, "score": score, "area": area, "iscrowd": 0}
            annotations.append(entry)
    text = (
        f"MACHINE-MADE boxes of NanoDet-g at 416 px, score {least} and more; a name of which there "
        "is none is listed as absent in neg_category_ids. Not ground truth"
    )
    return {
        "info": {"description": text, "least_score": least},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": n, "name": name} for n, name in zip(ids, COCO_NAMES, strict=True)],
    }


@dataclass(slots=True)
class Tally:
    """What became of the teacher's boxes; lists have a row for each box, or name of a photo.

    scores, right  of each box that counts
    objects        how many there were to find
    best, shown    of each photo and name: the best score, and whether the photo shows it
    """

    scores: list[float]
    right: list[bool]
    objects: int
    best: list[float]
    shown: list[bool]

    def lines(self) -> Iterator[str]:
        """Yield tables as text."""
        scores, right = torch.tensor(self.scores), torch.tensor(self.right, dtype=torch.bool)
        yield "score   boxes  precision  recall"
        for threshold in THRESHOLDS:
            kept = scores >= threshold
            hits = int((kept & right).sum())
            precision, recall = hits / max(int(kept.sum()), 1), hits / max(self.objects, 1)
            yield f"{threshold:5.2f}  {int(kept.sum()):6}  {precision:9.3f}  {recall:6.3f}"
        best, shown = torch.tensor(self.best), torch.tensor(self.shown, dtype=torch.bool)
        yield "absent below  names said absent  of these shown  of the shown said absent"
        for least in LEAST_SCORES:
            absent = best < least
            wrong = int((absent & shown).sum())
            yield (
                f"{least:12.2f}  {int(absent.sum()):17}  {wrong / max(int(absent.sum()), 1):14.4f}"
                f"  {wrong / max(int(shown.sum()), 1):24.3f}"
            )


def measure(labelled: Iterable[tuple[Json, Instances]], truth: Json) -> Tally:
    """Compare labels with annotations in COCO's format, such as COCO's rules do at one overlap."""
    names = {one["id"]: one["name"] for one in truth["categories"]}
    tally = Tally([], [], 0, [], [])
    for image, found in labelled:
        own = [one for one in truth["annotations"] if one["image_id"] == image["id"]]
        for label, name in enumerate(COCO_NAMES):
            entries = [one for one in own if names[one["category_id"]] == name]
            rows = found[found.labels == label]
            _match(rows, entries, tally)
            tally.best.append(float(rows.scores.max()) if len(rows) else 0.0)
            tally.shown.append(bool(entries))
    return tally


def _match(found: Instances, entries: Sequence[Json], tally: Tally) -> None:
    """Match boxes of one name in one photo with annotated ones, the best first."""
    things = _boxes([one for one in entries if not one.get("iscrowd")])
    crowds = _boxes([one for one in entries if one.get("iscrowd")])
    overlaps = pairwise_iou(found.boxes, things)
    tally.objects += len(things)
    for row, score in enumerate(found.scores.tolist()):
        best = int(overlaps[row].argmax()) if len(things) else -1
        hit = best >= 0 and float(overlaps[row, best]) >= OVERLAP
        if hit:
            overlaps[:, best] = 0
        elif _share_inside(found.boxes[row], crowds) >= INSIDE:
            continue
        tally.scores.append(score)
        tally.right.append(hit)


def _share_inside(box: torch.Tensor, others: torch.Tensor) -> float:
    """Return the largest share of a box [4] that lies inside one of others [N, 4]."""
    if not len(others):
        return 0.0
    low, high = torch.maximum(box[:2], others[:, :2]), torch.minimum(box[2:], others[:, 2:])
    inside = box_area(torch.cat([low, high], dim=1))
    return float((inside / box_area(box).clamp(min=1e-9)).max())


def _boxes(entries: Sequence[Json]) -> torch.Tensor:
    xywh = torch.tensor([one["bbox"] for one in entries], dtype=torch.float32).reshape(-1, 4)
    return torch.cat([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], dim=1)


def _entry(number: int, path: Path) -> Json:
    height, width = read_size(path)
    return {"id": number, "file_name": path.name, "height": height, "width": width}


def _read(path: Path) -> Json:
    content: Json = json.loads(path.read_text(encoding="utf-8"))
    return content


def main() -> None:
    """Label the photos named on the command line, or measure such labels."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path, help="the teacher's weights (.safetensors)")
    parser.add_argument("photos", type=Path, help="a folder, or a file in COCO's format")
    parser.add_argument("--images", type=Path, help="folder of the photos of such a file")
    parser.add_argument("--split", help="only photos of this split")
    parser.add_argument("--without", type=Path, metavar="JSON", help="leave out its photos")
    parser.add_argument("--least", type=float, default=0.05, help="least score of a box")
    parser.add_argument("--out", type=Path, help="file to write")
    parser.add_argument("--measure", action="store_true", help="compare with the file's own labels")
    options = parser.parse_args()
    folder = options.images or options.photos
    if not folder.is_dir():
        parser.error("PHOTOS is no folder: give the folder of its photos with --images")
    if options.measure == bool(options.out):
        parser.error("give either --out or --measure")
    teacher = load_teacher(options.weights)
    photos = photos_of(options.photos, split=options.split, without=options.without)
    least = min(LEAST_SCORES) if options.measure else options.least
    labelled = label_photos(teacher, photos, folder, least=least)
    if options.measure:
        print("\n".join(measure(labelled, _read(options.photos)).lines()))
        return
    content = to_coco(labelled, least=least)
    with replacing(options.out) as beside:
        beside.write_text(json.dumps(content), encoding="utf-8")
    print(f"{options.out}: {len(content['annotations'])} boxes in {len(photos)} photos")


if __name__ == "__main__":
    main()
