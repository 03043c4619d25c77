"""Photos of COCO: names, marks, people, and names that are not there."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from glee import Predictor, Prompts
from glee.evaluation.coco_json import (
    Kind,
    read_annotations,
    read_catalog,
    read_predictions,
)
from glee.evaluation.detection import coco_scores
from glee.evaluation.interactive import next_click
from glee.evaluation.mask_json import read_mask
from glee.evaluation.region_contour import region_similarity
from glee.inference.predictor import EncodedImage
from glee.ops.masks import Rle, decode_rle

Json = dict[str, Any]
Mask = NDArray[np.bool_]

SMALL, LARGE = 32**2, 96**2
"""Areas in pixels that COCO tells sizes apart by."""


@dataclass(frozen=True, slots=True, eq=False)
class Photos:
    """Annotated photos in COCO's format.

    data    images, annotations and categories
    folder  where the photos are
    """

    data: Json
    folder: Path

    @property
    def images(self) -> list[Json]:
        """The entries of the photos."""
        images: list[Json] = self.data["images"]
        return images

    @property
    def names(self) -> dict[int, str]:
        """The names of the categories by their ids, rising."""
        rows = sorted(self.data["categories"], key=lambda row: row["id"])
        return {row["id"]: row["name"] for row in rows}

    def path(self, image: Json) -> Path:
        """Return the file of a photo."""
        return self.folder / Path(image["file_name"]).name

    def objects(self, image: Json) -> list[Json]:
        """Return the annotations of a photo."""
        return [one for one in self.data["annotations"] if one["image_id"] == image["id"]]

    def take(self, images: Sequence[Json]) -> "Photos":
        """Return some of the photos with their annotations."""
        ids = {image["id"] for image in images}
        annotations = [one for one in self.data["annotations"] if one["image_id"] in ids]
        data = {**self.data, "images": list(images), "annotations": annotations}
        return Photos(data, self.folder)

    def of_val2017(self) -> "Photos":
        """Return the photos that are of COCO's val2017, which no teacher has seen."""
        return self.take([one for one in self.images if "/val2017/" in one.get("coco_url", "")])


def read_photos(root: Path, file: str, split: str = "eval") -> Photos:
    """Read the photos of one split of a file of the pack `coco_photos`."""
    path = root / "coco_photos" / file
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; give the folder of the packs with --data")
    photos = Photos(json.loads(path.read_text(encoding="utf-8")), path.parent / "images")
    return photos.take([image for image in photos.images if image["split"] == split])


class Encoder:
    """Encodes each photo once for all that is asked of it."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        self.encode = cache(self._encode)

    def _encode(self, path: Path) -> EncodedImage:
        return self.predictor.encode(path)


def detection_values(data: Json, results: Sequence[Json], *, masks: bool) -> dict[str, float]:
    """Return AP and AP50 of boxes, and of masks if wanted, by COCO's rules."""
    catalog, values = read_catalog(data), dict[str, float]()
    kinds: dict[str, Kind] = {"box": "boxes", "mask": "masks"} if masks else {"box": "boxes"}
    for title, kind in kinds.items():
        truths = read_annotations(data, catalog, kind)
        found = read_predictions(results, catalog, kind)
        scores = coco_scores(truths, found)
        values |= {f"{title} {name}": scores[name] for name in ("AP50", "AP")}
    return values


def find_names(encoder: Encoder, photos: Photos, *, masks: bool) -> list[Json]:
    """Return all that is found of the categories of some photos, as COCO's results."""
    ids, names = list(photos.names), list(photos.names.values())
    predictor, results = encoder.predictor, []
    vocabulary = predictor.vocabulary(names)
    for image in photos.images:
        encoded = encoder.encode(photos.path(image))
        found = predictor.predict(encoded, vocabulary, scoring="pair", masks=masks)
        results += found.to_coco(image["id"], ids)
    return results


def name_values(encoder: Encoder, photos: Photos) -> dict[str, float]:
    """Return AP of boxes and masks of all names at once; also of val2017 alone."""
    results = find_names(encoder, photos, masks=True)
    values = {"photos": float(len(photos.images))}
    values |= detection_values(photos.data, results, masks=True)
    alone = photos.of_val2017()
    if alone.images:
        own = {image["id"] for image in alone.images}
        kept = [one for one in results if one["image_id"] in own]
        values["val2017: photos"] = float(len(own))
        for name, value in detection_values(alone.data, kept, masks=True).items():
            values[f"val2017: {name}"] = value
    return values


def person_values(encoder: Encoder, photos: Photos) -> dict[str, float]:
    """Return AP of boxes of people, asked for by that one name."""
    values = detection_values(photos.data, find_names(encoder, photos, masks=False), masks=False)
    return {"photos": float(len(photos.images)), **values}


def object_mask(entry: Json, image: Json) -> Mask:
    """Return the mask [H, W] of an annotation."""
    size = int(image["height"]), int(image["width"])
    counts = read_mask(entry["segmentation"], np.array(size), "an annotation").decode("ascii")
    return decode_rle([Rle(size=list(size), counts=counts)], size)[0].numpy()


def deep_point(mask: Mask) -> tuple[float, float]:
    """Return (x, y) of the pixel that lies deepest in a mask."""
    nothing = np.zeros_like(mask)
    click = next_click(mask.astype(np.int64), nothing, nothing)
    return click.column + 0.5, click.row + 0.5


def random_point(mask: Mask, seed: int) -> tuple[float, float]:
    """Return (x, y) of some pixel of a mask."""
    rows, columns = np.nonzero(mask)
    pick = int(np.random.default_rng(seed).integers(len(rows)))
    return columns[pick] + 0.5, rows[pick] + 0.5


def mark_values(encoder: Encoder, photos: Photos, *, most: int | None = None) -> dict[str, float]:
    """Return the mean IoU of the masks of objects that a box, or a point, shows.

    most  objects of a photo at most, the first ones; None for all. Crowds are left out
    """
    ious: dict[str, list[float]] = {"box": [], "deep point": [], "random point": []}
    areas = []
    for image in photos.images:
        entries = [one for one in photos.objects(image) if not one.get("iscrowd")][:most]
        masks = [object_mask(one, image) for one in entries]
        entries = [one for one, mask in zip(entries, masks, strict=True) if mask.any()]
        masks = [mask for mask in masks if mask.any()]
        if not masks:
            continue
        areas += [int(mask.sum()) for mask in masks]
        seeds = [int(one["id"]) for one in entries]
        marks = {
            "box": Prompts(boxes=[_corners(one["bbox"]) for one in entries]),
            "deep point": Prompts(points=[deep_point(mask) for mask in masks]),
            "random point": Prompts(
                points=[random_point(mask, seed) for mask, seed in zip(masks, seeds, strict=True)]
            ),
        }
        encoded = encoder.encode(photos.path(image))
        for kind, prompts in marks.items():
            ious[kind] += mask_ious(encoder.predictor, encoded, prompts, masks)
    return {"objects": float(len(areas)), **_by_size(ious, np.array(areas))}


def mask_ious(
    predictor: Predictor, encoded: EncodedImage, prompts: Prompts, masks: Sequence[Mask]
) -> list[float]:
    """Return the IoU of the mask found for each mark with the right one."""
    found = predictor.predict(encoded, prompts)
    assert found.masks is not None
    assert found.prompt_ids is not None
    guesses = dict(zip(found.prompt_ids.tolist(), found.masks.cpu().numpy(), strict=True))
    return [
        region_similarity(mask, guesses.get(n, np.zeros_like(mask))) for n, mask in enumerate(masks)
    ]


def _corners(xywh: Sequence[float]) -> list[float]:
    left, top, width, height = xywh
    return [left, top, left + max(width, 1), top + max(height, 1)]


def _by_size(ious: Mapping[str, list[float]], areas: NDArray[Any]) -> dict[str, float]:
    values = {}
    sizes = {
        "": areas >= 0,
        " small": areas < SMALL,
        " medium": (areas >= SMALL) & (areas <= LARGE),
        " large": areas > LARGE,
    }
    for kind, own in ious.items():
        for size, rows in sizes.items():
            if rows.any():
                values[f"{kind}: mIoU{size}"] = float(np.array(own)[rows].mean())
    return values


def absent_values(encoder: Encoder, photos: Photos, *, alone: int) -> dict[str, float]:
    """Return how often names are found, at the default threshold, that no photo shows.

    alone  names of each photo that are also asked for one by one, drawn at random

    "alarms" is the share of photos and absent names with at least one object when all the names
    that a photo does not show are asked for together, "asked alone" that of the names drawn, and
    "beside the present" that of all when those shown are asked for, too.
    """
    counts = {"alarms": [0, 0], "asked alone": [0, 0], "beside the present": [0, 0]}
    random = np.random.default_rng(0)
    for image in photos.images:
        encoded = encoder.encode(photos.path(image))
        shown = {photos.names[one["category_id"]] for one in photos.objects(image)}
        absent = [name for name in photos.names.values() if name not in shown]
        drawn = [absent[n] for n in random.permutation(len(absent))[:alone]]
        together = _found_names(encoder.predictor, encoded, absent)
        every = _found_names(encoder.predictor, encoded, list(photos.names.values()))
        single = [_found_names(encoder.predictor, encoded, [name]) for name in drawn]
        for kind, alarms, asked in (
            ("alarms", len(together), len(absent)),
            ("beside the present", len(every - shown), len(absent)),
            ("asked alone", sum(map(len, single)), len(drawn)),
        ):
            counts[kind][0] += alarms
            counts[kind][1] += asked
    return {kind: alarms / max(asked, 1) for kind, (alarms, asked) in counts.items()}


@torch.no_grad()
def _found_names(predictor: Predictor, encoded: EncodedImage, names: list[str]) -> set[str]:
    return set(predictor.predict(encoded, names, masks=False).label_names())
