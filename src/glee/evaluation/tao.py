"""TAO: tracks of boxes of 833 categories; its annotation files and results as labelled videos.

Dave et al., "TAO: A Large-Scale Benchmark for Tracking Any Object" (arXiv:2005.10356). From here
`teta` and `track_categories` give TETA, HOTA, MOTA and IDF1.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from glee.evaluation.arrays import FloatArray, Id, IntArray
from glee.evaluation.labelled_video import LabelledFrame, LabelledVideo
from glee.evaluation.overlaps import box_overlaps
from glee.evaluation.records import Json, listed, number, read_box, row_of, rows_by_id, whole

MAX_PER_FRAME = 300
"""How many predictions of a frame count, the best by score."""


def tao_videos(
    annotations: Json,
    predictions: Sequence[Json],
    *,
    max_per_frame: int = MAX_PER_FRAME,
) -> list[LabelledVideo]:
    """Bring annotations and predicted tracks together, video by video.

    annotations    a TAO annotation file: videos, images, annotations, categories
    predictions    a list of {image_id, category_id, track_id, bbox (xywh), score}
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
    by_id = {image["id"]: image for image in images}
    _check_predictions(predictions, by_id, categories)
    merged = _merged_categories(categories)
    truth, found = _by_image(objects), _by_image(predictions)
    frames: dict[Id, list[LabelledFrame]] = defaultdict(list)
    for image in sorted(by_id.values(), key=lambda image: image["frame_index"]):
        there = truth.get(image["id"], [])
        best = _best(found.get(image["id"], []), max_per_frame) if there else []
        frames[image["video_id"]].append(_labelled_frame(there, best, merged))
    return [
        LabelledVideo(
            frames=tuple(frames[video["id"]]),
            absent=frozenset(video["neg_category_ids"]),
            incomplete=frozenset(video["not_exhaustive_category_ids"]),
        )
        for video in videos
    ]


def _labelled_frame(
    truth: Sequence[Json], found: Sequence[Json], merged: Mapping[Id, Id]
) -> LabelledFrame:
    overlaps = box_overlaps(_boxes(found), _boxes(truth), np.zeros(len(truth), dtype=bool))
    return LabelledFrame(
        gt_ids=np.array([entry["track_id"] for entry in truth], dtype=np.int64),
        gt_labels=_labels(truth, merged),
        pred_ids=np.array([entry["track_id"] for entry in found], dtype=np.int64),
        pred_labels=_labels(found, merged),
        similarity=overlaps.T,
    )


def _labels(entries: Sequence[Json], merged: Mapping[Id, Id]) -> IntArray:
    categories = [entry["category_id"] for entry in entries]
    return np.array([merged.get(one, one) for one in categories], dtype=np.int64)


def _boxes(entries: Sequence[Json]) -> FloatArray:
    return np.array([entry["bbox"] for entry in entries], dtype=np.float64).reshape(-1, 4)


def _best(entries: Sequence[Json], count: int) -> Sequence[Json]:
    """Keep the entries with the highest scores, in the order of the file if all are kept."""
    if len(entries) <= count:
        return entries
    return sorted(entries, key=lambda entry: -entry["score"])[:count]


def _by_image(entries: Iterable[Json]) -> dict[Id, list[Json]]:
    grouped: dict[Id, list[Json]] = defaultdict(list)
    for entry in entries:
        grouped[entry["image_id"]].append(entry)
    return grouped


def _merged_categories(categories: Iterable[Json]) -> dict[Id, Id]:
    return {
        old["id"]: category["id"] for category in categories for old in category.get("merged", ())
    }


def _check_predictions(
    predictions: Sequence[Json], images: Mapping[Id, Json], categories: Sequence[Json]
) -> None:
    known_images = rows_by_id(list(images))
    known = rows_by_id([one["id"] for one in categories] + list(_merged_categories(categories)))
    for row, entry in enumerate(predictions):
        where = f"predictions[{row}]"
        row_of(entry, "image_id", known_images, where)
        row_of(entry, "category_id", known, where)
        whole(entry, "track_id", where)
        number(entry, "score", where)
        read_box(entry, where)
