"""One object for each expression in videos: Ref-YouTube-VOS and Ref-DAVIS."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glee.evaluation.arrays import FloatArray, Id
from glee.evaluation.benchmark import Benchmark, Json, Rows, Scored
from glee.evaluation.benchmarks.detection import percent
from glee.evaluation.benchmarks.source import Source, load_annotations, other_version
from glee.evaluation.benchmarks.video_objects import Video, compare_maps, rows_by_video
from glee.evaluation.encoder import Encoder
from glee.evaluation.label_maps import (
    LabelMaps,
    label_row,
    read_label_folder,
    row_frames,
    row_labels,
    row_objects,
    row_place,
    row_size,
)
from glee.evaluation.protocol import Protocol, choose
from glee.evaluation.records import RecordError, is_number, listed, mapped
from glee.evaluation.scores import Scores
from glee.evaluation.submissions import write_expression_zip
from glee.evaluation.vos import (
    ObjectScores,
    mean_of_annotators,
    object_scores,
    unsupervised,
    vos_scores,
)
from glee.ops.masks import encode_rle
from glee.video.expressions import ExpressionFollower

SWITCHES = ("shortest", "consistency")
NAMES = ("ref-ytvos", "ref-davis")
ANNOTATORS = 4
"""People who described every object of Ref-DAVIS; their expressions take turns in its file."""

MEANS = {"J&F": "J&F-Mean", "J": "J-Mean", "F": "F-Mean"}

OFFICIAL = {"ref-ytvos": ("Ref-YouTube-VOS val", 202), "ref-davis": ("Ref-DAVIS val", 30)}
"""The official sets, and how many videos they have."""

ROOTS = {
    "ref-ytvos": ("ref-youtube-vos", "ref-ytvos"),
    "ref-davis": ("ref-davis", "ref_davis"),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DescribedVideo:
    """One video with its expressions.

    video    its frames and masks
    texts    expressions by their ids, in the order of the file
    objects  the number of the object of each, where it is known
    """

    video: Video
    texts: Mapping[str, str]
    objects: Mapping[str, int]


def referring_video(source: Source, name: str) -> Benchmark:
    """Open one data set: J and F of the objects that expressions describe.

    Ref-YouTube-VOS is scored by a server, for which there is a submission, unless all frames have
    masks and the file tells the objects. Ref-DAVIS' file is the one that ReferFormer
    (arXiv:2201.00487) has made popular, with four expressions in turn for each object.
    """
    roots = ROOTS[name]
    file = source.file(*(f"{root}/meta_expressions/valid/meta_expressions.json" for root in roots))
    root = source.folder(*(f"{root}/valid" for root in roots), annotated=name == "ref-davis")
    videos = {one.video.name: one for one in _open(load_annotations(file, "videos"), root, name)}
    choice = choose(Protocol(), SWITCHES, source.switches)
    is_annotated = all(one.video.is_annotated and one.objects for one in videos.values())
    official, count = OFFICIAL[name]
    score = _score_annotators if name == "ref-davis" else _score_expressions
    return Benchmark(
        name=name,
        unit="videos",
        keys=tuple(sorted(videos)),
        choice=choice,
        files=(file,),
        predict=lambda encoder, key: [
            follow_expressions(encoder, videos[str(key)], choice.chosen.consistency)
        ],
        key_of=lambda row: row["video"],
        score=partial(score, videos) if is_annotated else None,
        submission=("ref-ytvos.zip", write_expression_zip) if name == "ref-ytvos" else None,
        read=_read,
        count=lambda row: len(row["objects"]),
        notes=other_version(official, {"videos": videos}, {"videos": count}),
    )


def follow_expressions(encoder: Encoder, described: DescribedVideo, consistency: float) -> Json:
    """Return the mask of each expression in each frame, and how sure it is there."""
    video, keys = described.video, list(described.texts)
    follower = ExpressionFollower(
        encoder.predictor, list(described.texts.values()), consistency=consistency
    )
    masks: dict[str, list[Any]] = {key: [None] * len(video.frames) for key in keys}
    scores: dict[str, list[float]] = {key: [0.0] * len(video.frames) for key in keys}
    size = (0, 0)
    for frame, name in enumerate(video.frames):
        image = encoder.encode(video.images / f"{name}.jpg")
        size = image.geometry.original
        found = follower.step(image)
        assert found.masks is not None
        assert found.prompt_ids is not None
        columns = found.prompt_ids.tolist(), encode_rle(found.masks), found.scores.tolist()
        for prompt, mask, score in zip(*columns, strict=True):
            masks[keys[prompt]][frame], scores[keys[prompt]][frame] = mask, score
    return {
        "video": video.name,
        "frames": list(video.frames),
        "size": list(size),
        "objects": masks,
        "scores": scores,
    }


def _open(data: Json, root: Path, name: str) -> Iterator[DescribedVideo]:
    for video_name, entry in sorted(data["videos"].items()):
        texts = {key: str(one["exp"]) for key, one in entry["expressions"].items()}
        objects = {
            key: int(one["obj_id"]) for key, one in entry["expressions"].items() if "obj_id" in one
        }
        if name == "ref-davis":  # its files number the objects by the order of the expressions
            objects = {key: place // ANNOTATORS + 1 for place, key in enumerate(texts)}
        video = Video(
            name=video_name,
            images=root / "JPEGImages" / video_name,
            masks=root / "Annotations" / video_name,
            frames=tuple(entry["frames"]),
        )
        yield DescribedVideo(video=video, texts=texts, objects=objects)


def _read(path: Path) -> Iterator[Json]:
    """Yield stored predictions: folders <video>/<expression> of black and white pictures.

    path  holds them, itself or in a folder Annotations

    Raises NotADirectoryError if it is no folder.
    """
    if not path.is_dir():
        raise NotADirectoryError(f"{path} is no folder; give the one that holds a folder per video")
    root = path / "Annotations" if (path / "Annotations").is_dir() else path
    for folder in sorted(one for one in root.iterdir() if one.is_dir()):
        frames: list[str] = []
        objects: dict[str, Any] = {}
        size = [1, 1]
        for expression in sorted(one for one in folder.iterdir() if one.is_dir()):
            frames, labels = read_label_folder(expression)
            size = list(labels.shape[1:])
            objects[expression.name] = encode_rle(torch.from_numpy(labels > 0))
        yield {"video": folder.name, "frames": frames, "size": size, "objects": objects}


def _score_expressions(
    videos: Mapping[str, DescribedVideo], rows: Rows, keys: Sequence[Id]
) -> Scored:
    """Compute J and F of every expression over all frames, and their means."""
    objects: dict[str, ObjectScores] = {}
    notes: list[str] = []
    by_video = rows_by_video(rows, videos)
    for key in keys:
        described, row = videos[str(key)], by_video.get(str(key))
        for expression, number in described.objects.items():
            gt, found = compare_maps(described.video, _single(row, expression, number), notes)
            objects[f"{key}/{expression}"] = object_scores(gt, found, number)
    names: dict[Id, str] = {
        f"{key}/{expression}": text
        for key in keys
        for expression, text in videos[str(key)].texts.items()
    }
    return _scored(vos_scores(objects), notes, names)


def _single(row: Json | None, expression: str, number: int) -> Json | None:
    """Return an entry with the mask of one expression, as the object that it describes."""
    if row is None or expression not in row_objects(row):
        return None
    return {**row, "objects": {str(number): row["objects"][expression]}}


def _score_annotators(
    videos: Mapping[str, DescribedVideo], rows: Rows, keys: Sequence[Id]
) -> Scored:
    """Compute J and F of the objects by each annotator's expressions, and the mean over them."""
    notes: list[str] = []
    by_video = rows_by_video(rows, videos)
    annotators: list[Scores] = []
    for turn in range(ANNOTATORS):
        objects: dict[str, ObjectScores] = {}
        for key in keys:
            described = videos[str(key)]
            row = _merged(described, by_video.get(str(key)), turn)
            gt, found = compare_maps(described.video, row, notes)
            for one in unsupervised(gt, found):
                objects[f"{key}/{one.gt}"] = one
        annotators.append(vos_scores(objects))
    return _scored(mean_of_annotators(annotators), list(dict.fromkeys(notes)), {})


def _merged(described: DescribedVideo, row: Json | None, turn: int) -> Json | None:
    """Return one annotator's masks without overlap: where they do, the surer one stays on top."""
    if row is None:
        return None
    own = [key for place, key in enumerate(described.texts) if place % ANNOTATORS == turn]
    frames, size, objects = row_frames(row), row_size(row), row_objects(row)
    top: FloatArray = np.zeros((len(frames), *size))
    labels: LabelMaps = np.zeros((len(frames), *size), np.uint8)
    for key in own:
        if key not in objects:
            continue
        single, _ = row_labels({**row, "objects": {"1": objects[key]}}, frames, size)
        score = _scores(row, key, len(frames))[:, None, None]
        better = (single > 0) & (score > top)
        labels[better] = described.objects[key]
        top = np.where(better, score, top)
    return label_row(row["video"], frames, labels)


def _scores(row: Json, key: str, length: int) -> FloatArray:
    """Return how sure an expression's mask is in each frame [T]; 1 where the entry does not say."""
    if "scores" not in row or key not in mapped(row, "scores", row_place(row)):
        return np.ones(length)
    where = f"{row_place(row)}, expression {key}"
    scores = listed(row["scores"], key, where)
    if len(scores) != length or not all(map(is_number, scores)):
        raise RecordError(where, f"must have {length} scores, finite numbers, one for each frame")
    return np.array(scores, dtype=np.float64)


def _scored(scores: Scores, notes: Sequence[str], names: Mapping[Id, str]) -> Scored:
    metrics = tuple(percent(name, scores[key]) for name, key in MEANS.items())
    return Scored(metrics=metrics, tables={"mask": scores}, names=names, notes=tuple(notes))
