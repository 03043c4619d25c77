"""MOTChallenge: pedestrians, followed by the tracker that users get; the paper leaves it out."""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from configparser import ConfigParser
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from glee.evaluation.arrays import Id
from glee.evaluation.benchmark import Benchmark, Json, Rows, Scored
from glee.evaluation.benchmarks.detection import percent
from glee.evaluation.benchmarks.source import Source, other_version
from glee.evaluation.encoder import Encoder
from glee.evaluation.mot import (
    MOT17_DISTRACTORS,
    MOT20_DISTRACTORS,
    MotTracks,
    mot_scores,
    pedestrian_video,
    read_mot_tracks,
    read_mot_truth,
)
from glee.evaluation.protocol import Protocol, choose
from glee.evaluation.records import RecordError, read_box, shown, text, whole
from glee.evaluation.result import Metric
from glee.ops.boxes import xyxy_to_xywh
from glee.video.names import NameFollower

SWITCHES = ("shortest", "max_objects")
PERSON = "person"
DETECTOR = "-FRCNN"
"""MOT17 has every sequence three times, for three public detectors; one of them is enough."""

DATA_SETS = {"mot17": ("MOT17", MOT17_DISTRACTORS), "mot20": ("MOT20", MOT20_DISTRACTORS)}
SEQUENCES = {"mot17": 7, "mot20": 4}
"""Of the training sets."""

NAMES = tuple(DATA_SETS)


@dataclass(frozen=True, slots=True)
class Recording:
    """One sequence.

    folder  that holds gt/gt.txt and seqinfo.ini
    frames  its pictures, in time
    """

    folder: Path
    frames: tuple[Path, ...]


def mot(source: Source, name: str) -> Benchmark:
    """Open the training sequences, whose annotation is public: HOTA, MOTA and IDF1."""
    folder, distractors = DATA_SETS[name]
    root = source.folder(f"{folder}/train", folder, annotated=True)
    choice = choose(Protocol(), SWITCHES, source.switches)
    sequences = _sequences(root)

    def predict(encoder: Encoder, key: Id) -> list[Json]:
        follower = NameFollower(
            encoder.predictor, [PERSON], masks=False, max_objects=choice.chosen.max_objects
        )
        rows: list[Json] = []
        for number, path in enumerate(sequences[str(key)].frames, start=1):
            found = follower.step(encoder.encode(path))
            assert found.track_ids is not None
            boxes, tracks = xyxy_to_xywh(found.boxes).tolist(), found.track_ids.tolist()
            for box, track, score in zip(boxes, tracks, found.scores.tolist(), strict=True):
                rows.append(
                    {"sequence": key, "frame": number, "id": track, "bbox": box, "score": score}
                )
        return rows

    return Benchmark(
        name=name,
        unit="videos",
        keys=tuple(sequences),
        choice=choice,
        files=tuple(one.folder / "gt" / "gt.txt" for one in sequences.values()),
        predict=predict,
        key_of=lambda row: row["sequence"],
        score=partial(_score, sequences, distractors),
        read=_read,
        image=lambda key: sequences[str(key)].frames[0],
        notes=other_version(
            f"{folder} train", {"sequences": sequences}, {"sequences": SEQUENCES[name]}
        ),
    )


def _sequences(root: Path) -> dict[str, Recording]:
    folders = sorted(path.parent for path in root.glob("*/seqinfo.ini"))
    if chosen := [one for one in folders if one.name.endswith(DETECTOR)]:
        folders = chosen
    if not folders:
        raise FileNotFoundError(f"{root} holds no sequence with a seqinfo.ini")
    return {folder.name: _read_sequence(folder) for folder in folders}


def _read_sequence(folder: Path) -> Recording:
    info = ConfigParser()
    info.read(folder / "seqinfo.ini")
    try:
        facts = info["Sequence"]
        length, ending = int(facts["seqLength"]), facts.get("imExt", ".jpg")
        pictures = folder / facts.get("imDir", "img1")
    except (KeyError, ValueError) as error:
        raise ValueError(f"{folder / 'seqinfo.ini'} must tell seqLength: {error}") from error
    return Recording(
        folder, tuple(pictures / f"{number:06}{ending}" for number in range(1, length + 1))
    )


def _read(path: Path) -> Iterator[Json]:
    """Yield stored predictions: a folder with the tracks of each sequence in NAME.txt."""
    if not path.is_dir():
        raise NotADirectoryError(
            f"{path} is no folder; give the one that holds a text per sequence"
        )
    for file in sorted(path.glob("*.txt")):
        tracks = read_mot_tracks(file)
        for frame, track, box in zip(tracks.frames, tracks.ids, tracks.xywh, strict=True):
            yield {
                "sequence": file.stem,
                "frame": int(frame),
                "id": int(track),
                "bbox": box.tolist(),
            }


def _score(
    sequences: Mapping[str, Recording],
    distractors: frozenset[int],
    rows: Rows,
    keys: Sequence[Id],
) -> Scored:
    """Compute HOTA, CLEAR MOT and identity measures."""
    by_sequence = {str(key): array("d") for key in keys}
    for number, row in enumerate(rows()):
        where = f"predictions[{number}]"
        name = text(row, "sequence", where)
        if name not in by_sequence:
            raise RecordError(
                where,
                f"is of sequence {shown(repr(name))}, which is none of {', '.join(by_sequence)}",
            )
        numbers = (whole(row, "frame", where, least=1), whole(row, "id", where))
        by_sequence[name].extend((*numbers, *read_box(row, where)))
    videos = {
        name: pedestrian_video(
            read_mot_truth(sequences[name].folder / "gt" / "gt.txt"),
            _tracks(found),
            len(sequences[name].frames),
            distractors=distractors,
        )
        for name, found in by_sequence.items()
    }
    scores = mot_scores(videos)
    return Scored(
        metrics=(
            *(percent(name, scores[name]) for name in ("HOTA", "DetA", "AssA", "MOTA", "IDF1")),
            Metric(name="identity switches", value=scores["IDSW"], unit=""),
        ),
        tables={"box": scores},
    )


def _tracks(numbers: "array[float]") -> MotTracks:
    """Return tracks of a sequence: frame, id, left, top, width and height of each box in turn."""
    rows = np.array(numbers, dtype=np.float64).reshape(-1, 6)
    return MotTracks(rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64), rows[:, 2:])
