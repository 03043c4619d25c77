"""YouTube-VIS' JSON, from which tubes of masks are read; OVIS, UVO's videos and LV-VIS share it."""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np

from glee.evaluation.arrays import Id
from glee.evaluation.coco_json import (
    read_category_ids,
    read_crowds,
    read_places,
    read_sizes,
    require_unique,
    sorted_by_id,
)
from glee.evaluation.mask_json import read_mask, require_filled
from glee.evaluation.objects import Annotations, Catalog, Predictions
from glee.evaluation.records import (
    Json,
    RecordError,
    identity,
    is_number,
    listed,
    number,
    row_of,
    rows_by_id,
    shown,
    whole,
)
from glee.evaluation.regions import Tubes


def read_video_catalog(data: Json) -> Catalog:
    """Read the videos and categories of an annotation file.

    Raises ValueError for a part that is missing and for an id that occurs twice.
    """
    videos = sorted_by_id(data, "videos")
    frames: dict[Id, int] = defaultdict(int)
    for image in data.get("images", ()):  # TAO lists its frames apart
        frames[identity(image, "video_id", "an image")] += 1
    lengths = [
        whole({"length": frames[one["id"]], **one}, "length", f"video {one['id']!r}", least=0)
        for one in videos
    ]
    return Catalog(
        unit_ids=tuple(video["id"] for video in videos),
        unit_sizes=read_sizes(videos, "video"),
        unit_lengths=np.array(lengths, dtype=np.int64),
        category_ids=read_category_ids(data),
    )


def read_tube_annotations(data: Json, catalog: Catalog) -> Annotations:
    """Read the annotated tubes of an annotation file in the format of YouTube-VIS.

    Raises ValueError for ids that occur twice or that the catalog does not have, a tube that has
    not one entry for each frame, masks of another size than their video, and missing parts.
    """
    annotations = listed(data, "annotations", "the annotation file")
    require_unique(annotations, "annotations")
    units, categories = read_places(annotations, catalog, "annotations", "video_id")
    return Annotations(
        catalog=catalog,
        units=units,
        categories=categories,
        areas=np.array([_mean_area(one, f"annotations[{n}]") for n, one in enumerate(annotations)]),
        crowd=read_crowds(annotations),
        regions=Tubes(
            [
                _read_tube(one, unit, catalog, f"annotations[{place}]")
                for place, (one, unit) in enumerate(zip(annotations, units.tolist(), strict=True))
            ],
            catalog.unit_sizes[units],
        ),
    )


def read_tube_predictions(results: Iterable[Json], catalog: Catalog) -> Predictions:
    """Read predictions in the result format of YouTube-VIS.

    results  dicts with video_id, category_id, score and segmentations, one for each frame

    Raises ValueError as read_tube_annotations, and for scores that are no finite numbers.
    """
    units, categories, scores = array("q"), array("q"), array("d")
    unit_rows, category_rows = rows_by_id(catalog.unit_ids), rows_by_id(catalog.category_ids)
    tubes: list[list[bytes | None]] = []
    for place, one in enumerate(results):  # one by one: a file may be larger than memory
        where = f"predictions[{place}]"
        units.append(row_of(one, "video_id", unit_rows, where))
        categories.append(row_of(one, "category_id", category_rows, where))
        scores.append(number(one, "score", where))
        tubes.append(_read_tube(one, units[-1], catalog, where))
    rows = np.array(units, dtype=np.int64)
    return Predictions(
        catalog=catalog,
        units=rows,
        categories=np.array(categories, dtype=np.int64),
        scores=np.array(scores, dtype=np.float64),
        regions=Tubes(tubes, catalog.unit_sizes[rows]),
    )


def _mean_area(values: Json, where: str) -> float:
    """Return the mean of the areas of the frames in which an object has any."""
    areas = listed(values, "areas", where)
    if not all(area is None or (is_number(area) and area >= 0) for area in areas):
        raise RecordError(
            where, f"has areas {shown(repr(areas))}; give numbers of at least 0, or null"
        )
    present = [area for area in areas if area]
    return float(np.mean(present)) if present else 0.0


def _read_tube(values: Json, unit: int, catalog: Catalog, where: str) -> list[bytes | None]:
    """Return the mask of an object in each frame of the video of a row, None where it is absent."""
    segmentations = listed(values, "segmentations", where)
    if len(segmentations) != catalog.unit_lengths[unit]:
        raise RecordError(
            where,
            f"has {len(segmentations)} segmentations, but its video has "
            f"{catalog.unit_lengths[unit]} frames; give null where the object is absent",
        )
    size = catalog.unit_sizes[unit]
    masks = [
        None if mask is None else read_mask(mask, size, f"{where}, frame {frame}")
        for frame, mask in enumerate(segmentations)
    ]
    there = [(frame, mask) for frame, mask in enumerate(masks) if mask is not None]
    require_filled(
        [mask for _, mask in there],
        np.tile(size, (len(there), 1)),
        partial(_frame_place, where, [frame for frame, _ in there]),
    )
    return masks


def _frame_place(where: str, frames: Sequence[int], row: int) -> str:
    return f"{where}, frame {frames[row]}"
