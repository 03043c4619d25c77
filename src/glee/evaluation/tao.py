"""TAO: tracks of boxes of 833 categories; its annotation files and results as labelled videos.

Dave et al., "TAO: A Large-Scale Benchmark for Tracking Any Object" (arXiv:2005.10356). From here
`teta` and `track_categories` give TETA, HOTA, MOTA and IDF1.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glee.evaluation.arrays import FloatArray, Id, IntArray
from glee.evaluation.labelled_video import LabelledFrame, LabelledVideo
from glee.evaluation.overlaps import box_overlaps
from glee.evaluation.records import Json, listed, number, read_box, row_of, rows_by_id, whole

MAX_PER_FRAME = 300
"""How many predictions of a frame count, the best by score."""


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """Predicted boxes in the order of their file, as arrays: there may be millions.

    images      [N] int64, rows of the file's images
    tracks      [N] int64
    categories  [N] int64, merged ones replaced
    scores      [N] float64
    xywh        [N, 4] float64
    """

    images: IntArray
    tracks: IntArray
    categories: IntArray
    scores: FloatArray
    xywh: FloatArray


def tao_videos(
    annotations: Json,
    predictions: Iterable[Json],
    *,
    max_per_frame: int = MAX_PER_FRAME,
) -> list[LabelledVideo]:
    """Bring annotations and predicted tracks together, video by video.

    annotations    a TAO annotation file: videos, images, annotations, categories
    predictions    {image_id, category_id, track_id, bbox (xywh), score} of each, in any order
    max_per_frame  predictions kept of a frame, the best by score

    Categories that the file merges into another become that one. Predictions in frames without any
    annotation do not count.

    Raises ValueError for predictions of an image or category that the file does not have, for
    scores that are no finite numbers, for boxes of negative size and for missing parts.
    """
    videos, images, objects, categories = (
        listed(annotations, name, "the annotation file")
        for name in ("videos", "images", "annotations", "categories")
    )
    merged, truth = _merged_categories(categories), _by_image(objects)
    found = _read_found(predictions, [one["id"] for one in images], categories)
    order = np.argsort(found.images, kind="stable")
    bounds = np.searchsorted(found.images[order], np.arange(len(images) + 1))
    frames: dict[Id, list[LabelledFrame]] = defaultdict(list)
    for row in sorted(range(len(images)), key=lambda row: images[row]["frame_index"]):
        there = truth.get(images[row]["id"], [])
        rows = order[bounds[row] : bounds[row + 1]] if there else order[:0]
        best = _best(rows, found.scores, max_per_frame)
        frames[images[row]["video_id"]].append(_labelled_frame(there, found, best, merged))
    return [
        LabelledVideo(
            frames=tuple(frames[video["id"]]),
            absent=_named(video, "neg_category_ids"),
            incomplete=_named(video, "not_exhaustive_category_ids"),
        )
        for video in videos
    ]


def _named(video: Json, key: str) -> frozenset[int]:
    """Return the categories that a list names in a video; raise RecordError for what is none."""
    where = f"videos, id {video['id']!r},"
    return frozenset(whole({key: one}, key, where) for one in listed(video, key, where))


def _labelled_frame(
    truth: Sequence[Json], found: _Found, rows: IntArray, merged: Mapping[Id, Id]
) -> LabelledFrame:
    boxes = np.array([one["bbox"] for one in truth], dtype=np.float64).reshape(-1, 4)
    overlaps = box_overlaps(found.xywh[rows], boxes, np.zeros(len(truth), dtype=bool))
    labels = [merged.get(one["category_id"], one["category_id"]) for one in truth]
    return LabelledFrame(
        gt_ids=np.array([one["track_id"] for one in truth], dtype=np.int64),
        gt_labels=np.array(labels, dtype=np.int64),
        pred_ids=found.tracks[rows],
        pred_labels=found.categories[rows],
        similarity=overlaps.T,
    )


def _best(rows: IntArray, scores: FloatArray, count: int) -> IntArray:
    """Keep the rows with the highest scores, in the order of the file if all are kept."""
    if len(rows) <= count:
        return rows
    return rows[np.argsort(-scores[rows], kind="stable")[:count]]


def _by_image(entries: Iterable[Json]) -> dict[Id, list[Json]]:
    grouped: dict[Id, list[Json]] = defaultdict(list)
    for entry in entries:
        grouped[entry["image_id"]].append(entry)
    return grouped


def _merged_categories(categories: Iterable[Json]) -> dict[Id, Id]:
    return {
        old["id"]: category["id"] for category in categories for old in category.get("merged", ())
    }


def _read_found(
    predictions: Iterable[Json], image_ids: Sequence[Id], categories: Sequence[Json]
) -> _Found:
    """Read predictions one by one, and keep their numbers only."""
    image_rows, merged = rows_by_id(image_ids), _merged_categories(categories)
    known = rows_by_id([one["id"] for one in categories] + list(merged))
    images, tracks, labels = array("q"), array("q"), array("q")
    scores, boxes = array("d"), array("d")
    for row, entry in enumerate(predictions):
        where = f"predictions[{row}]"
        images.append(row_of(entry, "image_id", image_rows, where))
        row_of(entry, "category_id", known, where)
        category = merged.get(entry["category_id"], entry["category_id"])
        labels.append(whole({"category_id": category}, "category_id", where))
        tracks.append(whole(entry, "track_id", where))
        scores.append(number(entry, "score", where))
        boxes.extend(read_box(entry, where))
    return _Found(
        images=np.array(images, dtype=np.int64),
        tracks=np.array(tracks, dtype=np.int64),
        categories=np.array(labels, dtype=np.int64),
        scores=np.array(scores, dtype=np.float64),
        xywh=np.array(boxes, dtype=np.float64).reshape(-1, 4),
    )
