"""Photos of COCO with masks, with boxes of people, or with boxes that a detector has made."""

import json
from pathlib import Path
from typing import Literal

from glee.data.corpus.packs import check_packs
from glee.data.readers.builder import IndexBuilder, IndexOptions
from glee.data.readers.coco import add_image, box_of, name_categories
from glee.data.readers.columns import Numbering
from glee.data.readers.index import Coverage, ImageIndex
from glee.data.report import Report

Split = Literal["train", "eval"]


def read_masks(root: Path, split: Split = "train") -> ImageIndex:
    """Read the photos with a mask for every object of COCO's 80 names.

    Raises MissingPackError without the pack.
    """
    return _read(root, f"instances_{split}.json", split, coverage="listed")


def read_people(root: Path, split: Split = "train") -> ImageIndex:
    """Read the photos with a box for every person; of all other names they teach nothing.

    Raises MissingPackError without the pack.
    """
    return _read(root, "persons.json", split, coverage=frozenset({"person"}))


def read_machine_boxes(root: Path, split: Split = "train", *, least_score: float) -> ImageIndex:
    """Read the photos with boxes by a detector; they teach nothing to be absent.

    least_score  of the boxes taken; of the pack's boxes .76 are right from .35 on, .99 from .50

    Raises MissingPackError without the pack.
    """
    return _read(root, "machine_boxes.json", split, coverage=frozenset(), least_score=least_score)


def _read(
    root: Path, file: str, split: Split, *, coverage: Coverage, least_score: float | None = None
) -> ImageIndex:
    """Read the photos of a split, and of their annotations those of a score, if these have any."""
    check_packs(root, ("coco_photos",), allow_missing=True)
    path = root / "coco_photos" / file
    if not path.is_file():
        check_packs(root, ("coco_photos",))
    entries = json.loads(path.read_text(encoding="utf-8"))
    options = IndexOptions(
        coverage=coverage, machine_made=least_score is not None, keep_empty=least_score is None
    )
    builder, numbers = IndexBuilder(root / "coco_photos" / "images", options, Report()), Numbering()
    kept = {image["id"] for image in entries["images"] if image["split"] == split}
    for image in entries["images"]:
        if image["id"] in kept:
            add_image(builder, image)
    for mark in entries["annotations"]:
        if mark["image_id"] in kept and mark.get("score", 1) >= (least_score or 0):
            builder.add_object(
                mark["image_id"],
                numbers.add(mark["category_id"]),
                box_of(mark),
                segmentation=mark.get("segmentation"),
                crowd=bool(mark.get("iscrowd")),
            )
    return builder.finish(*name_categories(entries["categories"], numbers))
