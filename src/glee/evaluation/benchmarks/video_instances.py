"""Objects of many classes in videos: YouTube-VIS, OVIS, LV-VIS and UVO's videos."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from glee.evaluation.arrays import Id
from glee.evaluation.benchmark import Benchmark, Json, Rows, Scored
from glee.evaluation.benchmarks.detection import percent
from glee.evaluation.benchmarks.source import (
    Names,
    Source,
    category_names,
    class_names,
    load_annotations,
    other_version,
    read_entries,
    restrict,
)
from glee.evaluation.benchmarks.tracks import find_tracks
from glee.evaluation.encoder import Encoder
from glee.evaluation.objects import Annotations, Predictions
from glee.evaluation.protocol import Protocol, choose
from glee.evaluation.scores import Scores
from glee.evaluation.submissions import write_results_zip
from glee.evaluation.video_instances import (
    lvvis_scores,
    read_partitions,
    uvo_video_scores,
    youtube_vis_scores,
)
from glee.evaluation.video_json import (
    read_tube_annotations,
    read_tube_predictions,
    read_video_catalog,
)

SWITCHES = ("shortest", "max_tracks", "released_boxes")

PRECISIONS = {"AP": "AP", "AP50": "AP50", "AP75": "AP75"}
"""Numbers that the paper prints, by its names for them."""

Score = Callable[[Json, Annotations, Predictions], Scores]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where a data set lies, and how it is shown to the network.

    annotations  candidates for the annotation file
    images       candidates for the folder of videos
    shortest     pixels of the shorter side of what the network sees
    score        annotation file, annotations and predictions to numbers
    metrics      those that the paper prints
    counts       how many entries the official file has
    is_server    only a server can score the validation set
    """

    annotations: tuple[str, ...]
    images: tuple[str, ...]
    shortest: int
    score: Score
    metrics: Mapping[str, str]
    counts: Mapping[str, int]
    is_server: bool = False


def _youtube_vis(year: int, videos: int) -> Layout:
    root = f"ytvis_{year}"
    return Layout(
        annotations=(
            f"{root}/annotations/instances_val_sub.json",
            f"{root}/annotations/valid.json",
            f"{root}/valid/instances.json",
            f"{root}/valid.json",
        ),
        images=(f"{root}/val/JPEGImages", f"{root}/valid/JPEGImages"),
        shortest=480,
        score=lambda _, annotations, found: youtube_vis_scores(annotations, found),
        metrics=PRECISIONS,
        counts={"videos": videos, "categories": 40},
        is_server=True,
    )


LAYOUTS: Mapping[str, Layout] = {
    "ytvis19": _youtube_vis(2019, 302),
    "ytvis21": _youtube_vis(2021, 421),
    "ovis": Layout(
        annotations=("ovis/annotations_valid.json", "ovis/annotations/annotations_valid.json"),
        images=("ovis/valid",),
        shortest=720,
        score=lambda _, annotations, found: youtube_vis_scores(annotations, found),
        metrics=PRECISIONS,
        counts={"videos": 140, "categories": 25},
        is_server=True,
    ),
    "lvvis": Layout(
        annotations=("lvvis/val_instances.json", "lvvis/annotations/val_instances.json"),
        images=("lvvis/val/JPEGImages",),
        shortest=480,
        score=lambda data, annotations, found: lvvis_scores(
            annotations, found, read_partitions(data)
        ),
        metrics={"AP": "AP", "APb": "APb", "APn": "APn"},
        counts={"videos": 837, "categories": 1_196},
    ),
    "uvo-video": Layout(
        annotations=(
            "UVO/annotations/VideoDenseSet/UVO_video_val_dense_objectlabel.json",
            "UVO/annotations/VideoDenseSet/UVO_video_val_dense.json",
        ),
        images=("UVO/uvo_videos_dense_frames_jpg", "UVO/uvo_videos_dense_frames"),
        shortest=480,
        score=lambda _, annotations, found: uvo_video_scores(annotations, found),
        metrics={"AP": "AP", "AR100": "AR100"},
        counts={},
    ),
}
NAMES = tuple(LAYOUTS)


def video_instances(source: Source, name: str) -> Benchmark:
    """Open one data set: AP of tubes of masks.

    Where the file has no annotations, as for validation sets that only a server scores, there are
    no numbers, but a submission.
    """
    layout = LAYOUTS[name]
    file = source.file(*layout.annotations)
    data = load_annotations(file, "videos", "categories")
    folder = source.folder(*layout.images)
    choice = choose(Protocol(shortest=layout.shortest), SWITCHES, source.switches)
    names = category_names(data["categories"])
    if name == "uvo-video":
        names = Names(("object",), (min(one["id"] for one in data["categories"]),))
    videos = {one["id"]: one for one in data["videos"]}

    def predict(encoder: Encoder, key: Id) -> list[Json]:
        frames = [folder / one for one in videos[key]["file_names"]]
        tracks = find_tracks(encoder, frames, names.names, choice.chosen)
        return [
            {
                "video_id": key,
                "category_id": names.ids[track.label],
                "score": track.score,
                "segmentations": list(track.masks),
            }
            for track in tracks
        ]

    return Benchmark(
        name=name,
        unit="videos",
        keys=tuple(sorted(videos)),
        choice=choice,
        files=(file,),
        predict=predict,
        key_of=lambda row: row["video_id"],
        score=partial(_score, layout, data) if data.get("annotations") else None,
        submission=(f"{name}.zip", partial(_submit, data)) if layout.is_server else None,
        read=read_entries,
        image=lambda key: folder / videos[key]["file_names"][0],
        notes=other_version(name, data, layout.counts),
    )


def _submit(data: Json, rows: Rows, path: Path) -> None:
    """Write the file to upload; raises RecordError for tubes that the server would refuse."""
    read_tube_predictions(rows(), read_video_catalog(data))
    write_results_zip(rows, path)


def _score(layout: Layout, data: dict[str, Any], rows: Rows, keys: Sequence[Id]) -> Scored:
    """Compute the numbers of a data set."""
    chosen = restrict(data, keys, "videos", "video_id")
    catalog = read_video_catalog(chosen)
    scores = layout.score(
        chosen, read_tube_annotations(chosen, catalog), read_tube_predictions(rows(), catalog)
    )
    return Scored(
        metrics=tuple(percent(name, scores[key]) for name, key in layout.metrics.items()),
        tables={"mask": scores},
        names={**class_names(data["categories"]), "all": "object"},
    )
