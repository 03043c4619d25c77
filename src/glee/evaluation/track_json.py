"""TAO's JSON, from which tracks of boxes are read."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from glee.evaluation.arrays import FloatArray, Id, IntArray
from glee.evaluation.coco_json import require_unique, sorted_by_id
from glee.evaluation.objects import Annotations, Catalog, Predictions, keep_surest
from glee.evaluation.records import (
    LARGEST,
    Json,
    RecordError,
    identity,
    listed,
    number,
    read_box,
    row_of,
    rows_by_id,
    whole,
)
from glee.evaluation.regions import Tracks


def read_track_annotations(data: Json, catalog: Catalog) -> Annotations:
    """Read the annotated tracks of a TAO annotation file.

    catalog  of its videos, from read_video_catalog

    Raises ValueError for ids that occur twice or that the file does not define, boxes of negative
    size, tracks with two categories or with two boxes in a frame, and missing parts.
    """
    annotations = listed(data, "annotations", "the annotation file")
    require_unique(annotations, "annotations")
    boxes = _read_boxes(annotations, data, catalog, "area")
    tracks = _join(boxes)
    areas = boxes.values
    # Python's sum keeps the order of TAO's toolkit: areas decide about ranges.
    means = [sum(areas[rows].tolist()) / len(rows) for rows in tracks]
    firsts = np.array([rows[0] for rows in tracks], dtype=np.int64)
    return Annotations(
        catalog=catalog,
        units=boxes.videos[firsts],
        categories=boxes.categories[firsts],
        areas=np.array(means, dtype=np.float64),
        crowd=np.zeros(len(tracks), dtype=np.bool_),
        regions=_regions(boxes, tracks),
    )


def read_track_predictions(
    results: Iterable[Json], data: Json, catalog: Catalog, *, max_per_image: int = 300
) -> Predictions:
    """Read predictions in the result format of TAO.

    results        dicts of boxes with image_id, category_id, track_id, score and bbox, read one by
                   one; a track's score is the mean of those of its boxes
    data           the annotation file, which tells the frames
    max_per_image  how many of the surest boxes of a frame are kept, before tracks are formed

    Raises ValueError as read_track_annotations, and for scores that are no finite numbers.
    """
    boxes = _read_boxes(results, data, catalog, "score")
    kept = keep_surest(boxes.values, boxes.images, max_per_image)
    boxes = boxes.take(np.flatnonzero(kept))
    tracks = _join(boxes)
    firsts = np.array([rows[0] for rows in tracks], dtype=np.int64)
    predictions = Predictions(
        catalog=catalog,
        units=boxes.videos[firsts],
        categories=boxes.categories[firsts],
        scores=np.array([_mean_score(boxes.values[rows]) for rows in tracks], dtype=np.float64),
        regions=_regions(boxes, tracks),
    )
    if dropped := int((~kept).sum()):
        note = f"{dropped} boxes beyond the {max_per_image} surest of their frame left out"
        predictions = predictions.with_note(note)
    return predictions


@dataclass(frozen=True, slots=True, eq=False)
class _TrackBoxes:
    """The boxes of a file, one by one.

    images      [M] int64, place of the frame among all images by rising id
    videos      [M] int64, row of the catalog
    categories  [M] int64, row of the catalog
    tracks      [M] int64, the file's number of the track
    xywh        [M, 4] float64
    values      [M] float64, the areas of annotations, the scores of predictions
    """

    images: IntArray
    videos: IntArray
    categories: IntArray
    tracks: IntArray
    xywh: FloatArray
    values: FloatArray

    def take(self, rows: IntArray) -> "_TrackBoxes":
        return _TrackBoxes(
            self.images[rows],
            self.videos[rows],
            self.categories[rows],
            self.tracks[rows],
            self.xywh[rows],
            self.values[rows],
        )


def _read_boxes(
    objects: Iterable[Json], data: Json, catalog: Catalog, value: Literal["area", "score"]
) -> _TrackBoxes:
    """Read boxes one by one, and keep their numbers only: there may be millions.

    value  what is read beside the box: the area of annotations, the score of predictions
    """
    name, least = {"area": ("annotations", 0.0), "score": ("predictions", -LARGEST)}[value]
    images = sorted_by_id(data, "images")
    require_unique(images, "images")
    image_rows = rows_by_id([one["id"] for one in images])
    video_rows, category_rows = rows_by_id(catalog.unit_ids), rows_by_id(catalog.category_ids)
    merged = _merged_categories(data)
    rows, videos, categories, tracks = array("q"), array("q"), array("q"), array("q")
    boxes, values = array("d"), array("d")
    for place, one in enumerate(objects):
        where = f"{name}[{place}]"
        rows.append(row_of(one, "image_id", image_rows, where))
        video, category = images[rows[-1]]["video_id"], identity(one, "category_id", where)
        if one.get("video_id", video) != video:
            raise RecordError(
                where, f"has video_id {one['video_id']!r}, but its image belongs to {video!r}"
            )
        videos.append(row_of({"video_id": video}, "video_id", video_rows, where))
        category = merged.get(category, category)
        categories.append(row_of({"category_id": category}, "category_id", category_rows, where))
        tracks.append(whole(one, "track_id", where))
        boxes.extend(read_box(one, where))
        values.append(number(one, value, where, least=least))
    return _TrackBoxes(
        images=np.array(rows, dtype=np.int64),
        videos=np.array(videos, dtype=np.int64),
        categories=np.array(categories, dtype=np.int64),
        tracks=np.array(tracks, dtype=np.int64),
        xywh=np.array(boxes, dtype=np.float64).reshape(-1, 4),
        values=np.array(values, dtype=np.float64),
    )


def _merged_categories(data: Mapping[str, Any]) -> dict[Id, Id]:
    """Return the category that takes the place of each one that TAO merged into another."""
    return {
        old["id"]: one["id"] for one in data.get("categories", ()) for old in one.get("merged", ())
    }


def _join(boxes: _TrackBoxes) -> list[list[int]]:
    """Return the rows of the boxes of each track, in order of the frames.

    Tracks come in the order of their first frames, which decides between equal scores.
    """
    tracks: dict[tuple[int, int], list[int]] = {}
    for row in np.argsort(boxes.images, kind="stable").tolist():
        tracks.setdefault((int(boxes.videos[row]), int(boxes.tracks[row])), []).append(row)
    for (video, track), rows in tracks.items():
        if len(np.unique(boxes.categories[rows])) > 1:
            raise ValueError(
                f"track_id {track} of the video in row {video} has boxes of several categories; "
                "a track has one"
            )
    return list(tracks.values())


def _regions(boxes: _TrackBoxes, tracks: Sequence[Sequence[int]]) -> Tracks:
    return Tracks([boxes.images[rows] for rows in tracks], [boxes.xywh[rows] for rows in tracks])


def _mean_score(scores: FloatArray) -> float:
    """Return the mean score; of equal scores exactly that one, so that ties stay ties."""
    return float(scores[0] if (scores == scores[0]).all() else scores.mean())
