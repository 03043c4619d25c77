"""TAO: boxes of 302 classes in the annotated frames of long videos."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from glee.evaluation.arrays import Id
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
from glee.evaluation.benchmarks.tracks import find_boxes
from glee.evaluation.encoder import Encoder
from glee.evaluation.federated import read_federation
from glee.evaluation.protocol import Protocol, choose
from glee.evaluation.tao import tao_videos
from glee.evaluation.teta import teta_scores
from glee.evaluation.track_ap import track_ap_scores
from glee.evaluation.track_json import read_track_annotations, read_track_predictions
from glee.evaluation.video_json import read_video_catalog
from glee.ops.boxes import xyxy_to_xywh
from glee.results import Instances

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
        offset = int(key) * choice.chosen.max_tracks
        found = find_boxes(encoder, frames, names.names, choice.chosen)
        return [
            {
                "image_id": image["id"],
                "video_id": key,
                "category_id": names.ids[label],
                "track_id": offset + track,
                "score": score,
                "bbox": box,
            }
            for image, objects in zip(images[key], found, strict=True)
            for label, track, score, box in _columns(objects)
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


def _columns(found: Instances) -> Iterator[tuple[int, int, float, list[float]]]:
    """Yield label, track, score and box (left, top, width, height) of each object of a frame."""
    assert found.track_ids is not None
    return zip(
        found.labels.tolist(),
        found.track_ids.tolist(),
        found.scores.tolist(),
        xyxy_to_xywh(found.boxes).tolist(),
        strict=True,
    )


def _annotated_categories(data: Json) -> list[Json]:
    """Return the categories with an annotated object; those merged into another count as that."""
    merged = {old["id"]: one["id"] for one in data["categories"] for old in one.get("merged", ())}
    shown_ids = {merged.get(one["category_id"], one["category_id"]) for one in data["annotations"]}
    return [one for one in data["categories"] if one["id"] in shown_ids]


def _score(data: dict[str, Any], rows: Rows, keys: Sequence[Id]) -> Scored:
    """Compute TETA, and AP of tracks at overlaps of 0.5 to 0.95."""
    chosen = restrict(data, keys, "videos", "video_id")
    catalog = read_video_catalog(chosen)
    precision = track_ap_scores(
        read_track_annotations(chosen, catalog),
        read_track_predictions(rows(), chosen, catalog),
        read_federation(chosen, catalog, "videos"),
        thresholds=THRESHOLDS,
    )
    teta = teta_scores(tao_videos(chosen, rows()))
    parts = tuple(percent(name, teta[name]) for name in ("TETA", "LocA", "AssocA", "ClsA"))
    return Scored(
        metrics=(*parts, percent("track AP", precision["AP"])),
        tables={"TETA": teta, "track": precision},
        names=class_names(data["categories"]),
    )
