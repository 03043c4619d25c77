"""COCO's JSON, from which images, annotations and predictions are read; LVIS and UVO share it."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from glee.evaluation.arrays import BoolArray, Id, IntArray
from glee.evaluation.mask_json import read_mask, require_filled
from glee.evaluation.objects import Annotations, Catalog, Predictions
from glee.evaluation.records import (
    Json,
    RecordError,
    flag,
    identity,
    listed,
    number,
    part,
    read_box,
    row_of,
    rows_by_id,
    whole,
)
from glee.evaluation.regions import Boxes, Masks

Kind = Literal["boxes", "masks"]
KEYS: dict[Kind, str] = {"boxes": "bbox", "masks": "segmentation"}
"""What the result format calls them."""

MOST_PIXELS = 2**28
"""Of one image; more is a mistake in the file."""


def read_catalog(data: Json) -> Catalog:
    """Read the images and categories of an annotation file.

    Raises ValueError for a part that is missing or wrong, and for an id that occurs twice.
    """
    images = sorted_by_id(data, "images")
    return Catalog(
        unit_ids=tuple(image["id"] for image in images),
        unit_sizes=read_sizes(images, "image"),
        unit_lengths=np.ones(len(images), dtype=np.int64),
        category_ids=read_category_ids(data),
    )


def read_sizes(units: Sequence[Json], name: str) -> IntArray:
    """Return the (height, width) [U, 2] of images or videos, called so by `name`."""
    sizes = [
        [whole(one, side, f"{name} {one['id']!r}", least=0) for side in ("height", "width")]
        for one in units
    ]
    for one, (height, width) in zip(units, sizes, strict=True):
        if height * width > MOST_PIXELS:
            raise RecordError(
                f"{name} {one['id']!r}", f"has {height} x {width} pixels, more than {MOST_PIXELS}"
            )
    return np.array(sizes, dtype=np.int64).reshape(-1, 2)


def read_category_ids(data: Json) -> tuple[Id, ...]:
    """Read the ids of the categories of an annotation file, rising."""
    return tuple(one["id"] for one in sorted_by_id(data, "categories"))


def sorted_by_id(data: Json, key: str) -> list[Json]:
    """Return the entries of one part of an annotation file, by rising id.

    Raises ValueError if the part or an id is missing, or ids are numbers and texts.
    """
    entries: list[Json] = listed(data, key, "the annotation file")
    ids = [identity(one, "id", f"an entry of {key}") for one in entries]
    if len({isinstance(one, str) for one in ids}) > 1:
        raise RecordError("the annotation file", f"has {key} with numbers and texts as ids")
    return sorted(entries, key=lambda one: one["id"])


def read_annotations(data: Json, catalog: Catalog, kind: Kind) -> Annotations:
    """Read the annotated objects of an annotation file.

    kind  what to compare: "boxes" or "masks", which may be polygons or run lengths

    Raises ValueError for ids that occur twice or that the catalog does not have, masks of another
    size than their image, boxes of negative size, and parts that are missing or wrong.
    """
    annotations = listed(data, "annotations", "the annotation file")
    require_unique(annotations, "annotations")
    units, categories = read_places(annotations, catalog, "annotations", "image_id")
    areas = [
        number(one, "area", f"annotations[{row}]", least=0) for row, one in enumerate(annotations)
    ]
    gathered = _Gathered(catalog, "annotations")
    for row, (one, unit) in enumerate(zip(annotations, units.tolist(), strict=True)):
        gathered.add_region(one, unit, kind, f"annotations[{row}]")
    return Annotations(
        catalog=catalog,
        units=units,
        categories=categories,
        areas=np.array(areas, np.float64),
        crowd=read_crowds(annotations),
        regions=gathered.regions(kind, units),
    )


def read_predictions(
    results: Iterable[Json], catalog: Catalog, kind: Kind, name: str = "predictions"
) -> Predictions:
    """Read predictions in COCO's result format, as one list or one by one from a larger file.

    results  dicts with image_id, category_id, score, and bbox or segmentation
    kind     what to read: "boxes" or "masks"
    name     what messages call them

    Raises RecordError for images and categories that the annotations do not have, scores that are
    no finite numbers, masks of another size than their image or that do not fill it, boxes of
    negative size, and parts that are missing or wrong.
    """
    return read_both(results, catalog, (kind,), name)[kind]


def read_both(
    results: Iterable[Json],
    catalog: Catalog,
    kinds: Sequence[Kind],
    name: str = "predictions",
    *,
    without: Sequence[Kind] = (),
) -> dict[Kind, Predictions]:
    """Read boxes and masks of the same predictions, going through a large file once.

    without  what no entry may have, so that none is left out unseen

    The other arguments and what is raised are those of `read_predictions`.
    """
    units, categories, scores = array("q"), array("q"), array("d")
    unit_rows, category_rows = rows_by_id(catalog.unit_ids), rows_by_id(catalog.category_ids)
    gathered = _Gathered(catalog, name)
    for place, result in enumerate(results):
        where = f"{name}[{place}]"
        unit = row_of(result, "image_id", unit_rows, where)
        units.append(unit)
        categories.append(row_of(result, "category_id", category_rows, where))
        scores.append(number(result, "score", where))
        for kind in kinds:
            gathered.add_region(result, unit, kind, where)
        for kind in without:
            if KEYS[kind] in result:
                raise RecordError(where, f"has a {KEYS[kind]}, the first prediction has none")
    rows = np.array(units, dtype=np.int64)
    return {
        kind: Predictions(
            catalog=catalog,
            units=rows,
            categories=np.array(categories, dtype=np.int64),
            scores=np.array(scores, dtype=np.float64),
            regions=gathered.regions(kind, rows),
        )
        for kind in kinds
    }


@dataclass(frozen=True, slots=True, eq=False)
class _Gathered:
    """Boxes and masks, as they are read.

    catalog  of the images
    name     what messages call the objects
    """

    catalog: Catalog
    name: str
    boxes: "array[float]" = field(default_factory=lambda: array("d"))
    counts: list[bytes] = field(default_factory=list)

    def add_region(self, values: Json, unit: int, kind: Kind, where: str) -> None:
        """Read the box or the mask of an object in the image of a row."""
        if kind == "boxes":
            self.boxes.extend(read_box(values, where))
        else:
            mask: Any = part(values, "segmentation", where)
            self.counts.append(read_mask(mask, self.catalog.unit_sizes[unit], where))

    def regions(self, kind: Kind, units: IntArray) -> Boxes | Masks:
        """Return what was read; raises RecordError for masks that do not fill their images."""
        if kind == "boxes":
            return Boxes(np.array(self.boxes, dtype=np.float64).reshape(-1, 4))
        sizes = self.catalog.unit_sizes[units]
        require_filled(self.counts, sizes, lambda row: f"{self.name}[{row}]")
        return Masks(self.counts, sizes)


def read_places(
    objects: Sequence[Json], catalog: Catalog, name: str, unit_key: str
) -> tuple[IntArray, IntArray]:
    """Return the rows of the image or video and of the category of each object in the catalog."""
    columns = []
    for key, ids in ((unit_key, catalog.unit_ids), ("category_id", catalog.category_ids)):
        rows = rows_by_id(ids)
        column = [row_of(one, key, rows, f"{name}[{n}]") for n, one in enumerate(objects)]
        columns.append(np.array(column, dtype=np.int64))
    return columns[0], columns[1]


def read_crowds(annotations: Sequence[Json]) -> BoolArray:
    """Return which annotations [G] stand for many objects; those that do not say stand for one."""
    return np.array(
        [
            "iscrowd" in one and flag(one, "iscrowd", f"annotations[{row}]")
            for row, one in enumerate(annotations)
        ],
        dtype=np.bool_,
    )


def require_unique(entries: Iterable[Json], name: str) -> None:
    """Raise RecordError if an id is missing or occurs twice."""
    seen: set[Id] = set()
    for one in entries:
        entry_id = identity(one, "id", f"an entry of {name}")
        if entry_id in seen:
            raise RecordError(name, f"have id {entry_id!r} twice; give each its own id")
        seen.add(entry_id)
