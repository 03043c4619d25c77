"""TAO: boxes of 302 classes in the annotated frames of long videos."""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from glee.evaluation.arrays import FloatArray, Id
from glee.evaluation.average_precision import THRESHOLDS
from glee.evaluation.benchmark import Benchmark, Json, Rows, Scored
from glee.evaluation.benchmarks.detection import percent
from glee.evaluation.benchmarks.source import (
    Source,
    category_names,
    class_names,
    load_annotations,
    other_version,
    read_entries,
    restrict,
)
from glee.evaluation.benchmarks.tracks import VideoTrack, find_objects
from glee.evaluation.encoder import Encoder
from glee.evaluation.federated import read_federation
from glee.evaluation.overlaps import box_overlaps
from glee.evaluation.protocol import Protocol, choose
from glee.evaluation.tao import tao_videos
from glee.evaluation.teta import teta_scores
from glee.evaluation.track_ap import track_ap_scores
from glee.evaluation.track_json import read_track_annotations, read_track_predictions
from glee.evaluation.video_json import read_video_catalog

SWITCHES = ("shortest", "max_tracks", "nms", "min_pixels", "released_boxes")
FILES = (
    "TAO/annotations/validation.json",
    "TAO/TAO_annotations/validation.json",
    "TAO/annotations/validation_with_freeform.json",
)
PARTS = ("videos", "images", "annotations", "categories")


def tao(source: Source) -> Benchmark:
    """Open TAO's validation set: TETA, and AP of tracks.

    Asked for are the classes that are annotated in the file, 302 in the official one.
    """
    file = source.file(*FILES)
    data = load_annotations(file, *PARTS)
    folder = source.folder("TAO/frames", "TAO")
    paper = Protocol(shortest=640, max_tracks=50)
    choice = choose(paper, SWITCHES, source.switches)
    names = category_names(_annotated_categories(data))
    images: dict[Id, list[Json]] = defaultdict(list)
    for one in sorted(data["images"], key=lambda one: one["frame_index"]):
        images[one["video_id"]].append(one)

    def predict(encoder: Encoder, key: Id) -> list[Json]:
        frames = [folder / one["file_name"] for one in images[key]]
        tracks = find_objects(encoder, frames, names.names, choice.chosen)
        offset = int(key) * choice.chosen.max_tracks
        return [
            {
                "image_id": image["id"],
                "video_id": key,
                "category_id": names.ids[track.label],
                "track_id": offset + track.track,
                "score": track.score,
                "bbox": _xywh(track.boxes[[frame]])[0].tolist(),
            }
            for frame, image in enumerate(images[key])
            for track in shown(tracks, frame, choice.chosen)
        ]

    videos_of = {one["id"]: one["video_id"] for one in data["images"]}
    return Benchmark(
        name="tao",
        unit="videos",
        keys=tuple(sorted(one["id"] for one in data["videos"])),
        choice=choice,
        files=(file,),
        predict=predict,
        key_of=lambda row: videos_of[row["image_id"]],
        score=partial(_score, data),
        read=read_entries,
        image=lambda key: folder / images[key][0]["file_name"],
        notes=other_version("TAO val", data, {"videos": 988}),
    )


def shown(tracks: Sequence[VideoTrack], frame: int, protocol: Protocol) -> list[VideoTrack]:
    """Return the tracks that are there in a frame, best first.

    Those of hardly any pixel are not, nor are boxes that overlap one of a surer track too much.
    The released code compares boxes whose centre it takes their corner for; `released_boxes`
    does so too.
    """
    there = [one for one in tracks if one.pixels[frame] > protocol.min_pixels]
    if not there:
        return []
    boxes = _xywh(np.stack([one.boxes[frame] for one in there]))
    if protocol.released_boxes:
        boxes = np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, 2:]], axis=1)
    overlaps = box_overlaps(boxes, boxes, np.zeros(len(there), dtype=np.bool_))
    kept: list[int] = []
    for row in range(len(there)):
        if not (overlaps[row, kept] > protocol.nms).any():
            kept.append(row)
    return [there[row] for row in kept]


def _xywh(xyxy: FloatArray) -> FloatArray:
    """Return boxes [N, 4] as left, top, width and height, none of them negative."""
    sides = np.maximum(xyxy[:, 2:] - xyxy[:, :2], 0)
    return np.concatenate([xyxy[:, :2], sides], axis=1)


def _annotated_categories(data: Json) -> list[Json]:
    """Return the categories with an annotated object; those merged into another count as that."""
    merged = {old["id"]: one["id"] for one in data["categories"] for old in one.get("merged", ())}
    shown_ids = {merged.get(one["category_id"], one["category_id"]) for one in data["annotations"]}
    return [one for one in data["categories"] if one["id"] in shown_ids]


def _score(data: dict[str, Any], rows: Rows, keys: Sequence[Id]) -> Scored:
    """Compute TETA, and AP of tracks at overlaps of 0.5 to 0.95."""
    chosen = restrict(data, keys, "videos", "video_id")
    results = list(rows())
    teta = teta_scores(tao_videos(chosen, results))
    catalog = read_video_catalog(chosen)
    precision = track_ap_scores(
        read_track_annotations(chosen, catalog),
        read_track_predictions(results, chosen, catalog),
        read_federation(chosen, catalog, "videos"),
        thresholds=THRESHOLDS,
    )
    parts = tuple(percent(name, teta[name]) for name in ("TETA", "LocA", "AssocA", "ClsA"))
    return Scored(
        metrics=(*parts, percent("track AP", precision["AP"])),
        tables={"TETA": teta, "track": precision},
        names=class_names(data["categories"]),
    )
