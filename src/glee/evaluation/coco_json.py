"""COCO's JSON, from which images, annotations and predictions are read; LVIS and UVO share it."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from glee.evaluation.arrays import FloatArray, Id, IntArray
from glee.evaluation.objects import Annotations, Catalog, Predictions
from glee.evaluation.regions import Boxes, Masks

Json = Mapping[str, Any]
Kind = Literal["boxes", "masks"]


def read_catalog(data: Json) -> Catalog:
    """Read the images and categories of an annotation file.

    Raises ValueError for a part that is missing and for an id that occurs twice.
    """
    images = sorted_by_id(data, "images")
    sizes = [[part(one, "height", "an image"), part(one, "width", "an image")] for one in images]
    return Catalog(
        unit_ids=tuple(image["id"] for image in images),
        unit_sizes=np.array(sizes, dtype=np.int64).reshape(-1, 2),
        unit_lengths=np.ones(len(images), dtype=np.int64),
        category_ids=read_category_ids(data),
    )


def read_category_ids(data: Json) -> tuple[Id, ...]:
    """Read the ids of the categories of an annotation file, rising."""
    return tuple(one["id"] for one in sorted_by_id(data, "categories"))


def sorted_by_id(data: Json, key: str) -> list[Json]:
    """Return the entries of one part of an annotation file, by rising id.

    Raises ValueError if the part or an id is missing.
    """
    entries: list[Json] = part(data, key, "the annotation file")
    return sorted(entries, key=lambda one: part(one, "id", f"an entry of {key}"))


def read_annotations(data: Json, catalog: Catalog, kind: Kind) -> Annotations:
    """Read the annotated objects of an annotation file.

    kind  what to compare: "boxes" or "masks", which may be polygons or run lengths

    Raises ValueError for ids that occur twice or that the catalog does not have, masks of another
    size than their image, boxes of negative size, and parts that are missing.
    """
    annotations = part(data, "annotations", "the annotation file")
    require_unique(annotations, "annotations")
    units, categories = read_places(annotations, catalog, "annotations", "image_id")
    regions = _read_regions(annotations, units, catalog, kind, "annotations")
    return Annotations(
        catalog=catalog,
        units=units,
        categories=categories,
        areas=np.array([part(one, "area", "an annotation") for one in annotations], np.float64),
        crowd=np.array([bool(one.get("iscrowd", 0)) for one in annotations], dtype=np.bool_),
        regions=regions,
    )


def read_predictions(results: Iterable[Json], catalog: Catalog, kind: Kind) -> Predictions:
    """Read predictions in COCO's result format, as one list or one by one from a larger file.

    results  dicts with image_id, category_id, score, and bbox or segmentation
    kind     what to read: "boxes" or "masks"

    Raises ValueError for images and categories that the annotations do not have, scores that are
    NaN, masks of another size than their image, boxes of negative size, and missing parts.
    """
    units, categories, scores = array("q"), array("q"), array("d")
    boxes, counts = array("d"), list[bytes]()
    unit_rows, category_rows = rows_by_id(catalog.unit_ids), rows_by_id(catalog.category_ids)
    for number, result in enumerate(results):
        where = f"predictions[{number}]"
        units.append(row_of(result, "image_id", unit_rows, where))
        categories.append(row_of(result, "category_id", category_rows, where))
        scores.append(part(result, "score", where))
        if kind == "boxes":
            boxes.extend(read_box(result, where))
        else:
            size = catalog.unit_sizes[units[-1]]
            counts.append(read_mask(part(result, "segmentation", where), size, where))
    rows = np.array(units, dtype=np.int64)
    return Predictions(
        catalog=catalog,
        units=rows,
        categories=np.array(categories, dtype=np.int64),
        scores=np.array(scores, dtype=np.float64),
        regions=Boxes(np.array(boxes, dtype=np.float64).reshape(-1, 4))
        if kind == "boxes"
        else Masks(counts, catalog.unit_sizes[rows]),
    )


def _read_regions(
    objects: Sequence[Json], units: IntArray, catalog: Catalog, kind: Kind, name: str
) -> Boxes | Masks:
    """Read the boxes or the masks of annotated objects."""
    if kind == "boxes":
        boxes = [read_box(one, f"{name}[{number}]") for number, one in enumerate(objects)]
        return Boxes(np.array(boxes, dtype=np.float64).reshape(-1, 4))
    sizes = catalog.unit_sizes[units]
    counts = [
        read_mask(part(one, "segmentation", f"{name}[{number}]"), size, f"{name}[{number}]")
        for number, (one, size) in enumerate(zip(objects, sizes, strict=True))
    ]
    return Masks(counts, sizes)


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


def rows_by_id(ids: Sequence[Id]) -> dict[Id, int]:
    """Return the row of each id."""
    return {one: row for row, one in enumerate(ids)}


def row_of(values: Json, key: str, rows: Mapping[Id, int], where: str) -> int:
    """Return the row of the id that `values` has under `key`.

    Raises ValueError if it has none, or one that is unknown.
    """
    found = part(values, key, where)
    if found not in rows:
        raise ValueError(
            f"{where} has {key} {found!r}, which is not among the {len(rows)} of the annotation "
            "file; evaluate predictions with the annotations of the same split"
        )
    return rows[found]


def part(values: Json, key: str, where: str) -> Any:
    """Return values[key]; raise ValueError if it is missing."""
    if key not in values:
        raise ValueError(f"{where} has no {key!r}, only {', '.join(map(str, values)) or 'nothing'}")
    return values[key]


def require_unique(entries: Iterable[Json], name: str) -> None:
    """Raise ValueError if an id is missing or occurs twice."""
    seen: set[Id] = set()
    for one in entries:
        entry_id = part(one, "id", f"an entry of {name}")
        if entry_id in seen:
            raise ValueError(f"{name} have id {entry_id!r} twice; give each its own id")
        seen.add(entry_id)


def read_box(values: Json, where: str) -> FloatArray | Sequence[float]:
    """Return the box (left, top, width, height) of an object; raise ValueError if it is none."""
    box: Sequence[float] = part(values, "bbox", where)
    if len(box) != len("xywh"):
        raise ValueError(f"{where} must have a bbox of 4 numbers, got {box!r}")
    return box


def read_mask(segmentation: Any, size: IntArray, where: str) -> bytes:
    """Return the compressed run lengths of a mask given as such, as run lengths or as polygons.

    size  (height, width) of the image in pixels

    Raises ValueError if the mask has another size.
    """
    from pycocotools.mask import frPyObjects, merge  # noqa: PLC0415 - only when masks are read

    height, width = int(size[0]), int(size[1])
    if isinstance(segmentation, list) and segmentation:
        counts: bytes = merge(frPyObjects(segmentation, height, width))["counts"]
        return counts
    if not isinstance(segmentation, Mapping) or not {"size", "counts"} <= set(segmentation):
        raise ValueError(f"{where} must have a mask as polygons or run lengths")
    if list(segmentation["size"]) != [height, width]:
        raise ValueError(
            f"{where} has a mask of size {list(segmentation['size'])}, but its image is "
            f"{[height, width]} (height, width); give masks in original pixels"
        )
    counts = segmentation["counts"]
    if isinstance(counts, list):
        packed = frPyObjects(dict(segmentation), height, width)
        return bytes(packed["counts"])
    return counts.encode("ascii") if isinstance(counts, str) else bytes(counts)
