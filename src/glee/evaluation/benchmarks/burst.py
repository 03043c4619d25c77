"""BURST: masks of 482 classes in the annotated frames of TAO's videos."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from glee.evaluation.arrays import Id
from glee.evaluation.benchmark import Benchmark, Json, Rows, Scored
from glee.evaluation.benchmarks.detection import percent
from glee.evaluation.benchmarks.source import (
    Source,
    category_names,
    class_names,
    load_annotations,
    other_version,
    read_entries,
)
from glee.evaluation.benchmarks.tracks import VideoTrack, find_tracks
from glee.evaluation.burst import burst_scores
from glee.evaluation.burst_json import (
    read_burst_predictions,
    read_burst_truth,
    tell_categories,
    tell_frames,
)
from glee.evaluation.encoder import Encoder
from glee.evaluation.protocol import Protocol, choose

SWITCHES = ("shortest", "max_tracks", "released_boxes")
FILES = (
    "TAO/burst_annotations/val/all_classes.json",
    "TAO/burst_annotations/all_classes.json",
    "burst/annotations/val/all_classes.json",
)

GROUPS = {"": "", " common": "_common", " uncommon": "_uncommon"}


def burst(source: Source) -> Benchmark:
    """Open BURST's validation set: HOTA and mAP over all, common and uncommon classes."""
    file = source.file(*FILES)
    data = load_annotations(file, "sequences", "categories")
    folder = source.folder("TAO/frames/val", "burst/frames/val")
    choice = choose(Protocol(shortest=720), SWITCHES, source.switches)
    names = category_names(data["categories"])
    videos = {sequence_key(one): one for one in data["sequences"]}

    def predict(encoder: Encoder, key: Id) -> list[Json]:
        video = videos[str(key)]
        frames = [folder / str(key) / name for name in video["annotated_image_paths"]]
        tracks = find_tracks(encoder, frames, names.names, choice.chosen)
        return [_sequence(video, tracks, names.ids)]

    return Benchmark(
        name="burst",
        unit="videos",
        keys=tuple(sorted(videos)),
        choice=choice,
        files=(file,),
        predict=predict,
        key_of=sequence_key,
        score=partial(_score, data),
        read=partial(read_entries, part="sequences"),
        image=lambda key: folder / str(key) / videos[str(key)]["annotated_image_paths"][0],
        count=lambda row: len(row["track_category_ids"]),
        notes=other_version("BURST val", data, {"sequences": 993, "categories": 482}),
    )


def sequence_key(sequence: Json) -> str:
    """Return what tells a video from all others: the data set that it is from, and its name."""
    return f"{sequence['dataset']}/{sequence['seq_name']}"


def _sequence(video: Json, tracks: Sequence[VideoTrack], ids: Sequence[int]) -> dict[str, Any]:
    """Return tracks as one sequence of BURST's result format.

    Every pair of track and class is a track of its own.
    """
    numbered = list(enumerate(tracks, start=1))
    segmentations = [
        {
            str(number): {"rle": mask["counts"], "score": track.score}
            for number, track in numbered
            if (mask := track.masks[frame]) is not None
        }
        for frame in range(len(video["annotated_image_paths"]))
    ]
    facts = ("id", "dataset", "seq_name", "width", "height", "annotated_image_paths")
    return {
        **{name: video[name] for name in facts if name in video},
        "segmentations": segmentations,
        "track_category_ids": {str(number): ids[track.label] for number, track in numbered},
    }


def _score(data: dict[str, Any], rows: Rows, keys: Sequence[Id]) -> Scored:
    """Compute HOTA and mAP over all, the common and the uncommon classes."""
    kept = set(keys)
    sequences = [one for one in data["sequences"] if sequence_key(one) in kept]
    truth = read_burst_truth({**data, "sequences": sequences})
    found = {"sequences": list(rows())}
    scores = burst_scores(truth, read_burst_predictions(found, truth))
    ids = [one["id"] for one in data["categories"]]
    metrics = tuple(
        percent(f"{name}{group}", scores[f"{key}{suffix}"])
        for group, suffix in GROUPS.items()
        for name, key in (("HOTA", "HOTA"), ("mAP", "AP"))
    )
    return Scored(
        metrics=metrics,
        tables={"mask": scores},
        names=class_names(data["categories"]),
        notes=(*tell_frames(found, truth), *tell_categories(found, ids)),
    )
