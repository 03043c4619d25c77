"""MOTChallenge: pedestrians tracked as boxes, in the text files and by the rules of MOT16 to MOT20.

Dendorfer et al., "MOTChallenge: A Benchmark for Single-Camera Multiple Target Tracking"
(arXiv:2010.07548). A prediction on a distractor, such as a reflection or a sitting person, is
neither right nor wrong: it is taken away before anything is counted.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glee.evaluation.arrays import BoolArray, FloatArray, IntArray, require_boxes, require_rows
from glee.evaluation.clear import clear, clear_summary
from glee.evaluation.combine import combine_sequences
from glee.evaluation.hota import hota, hota_summary
from glee.evaluation.identity import identity, identity_summary
from glee.evaluation.labelled_video import matched_at
from glee.evaluation.overlaps import box_overlaps
from glee.evaluation.records import LARGEST
from glee.evaluation.scores import Scores
from glee.evaluation.tracked_video import FrameOverlap, TrackedVideo, tracked_video

PEDESTRIAN = 1
# Person on a vehicle, static person, distractor, reflection.
MOT17_DISTRACTORS = frozenset({2, 7, 8, 12})
# MOT20 adds vehicles without a motor.
MOT20_DISTRACTORS = MOT17_DISTRACTORS | {6}
NUM_CLASSES = 13


@dataclass(frozen=True, slots=True, eq=False)
class MotTracks:
    """Tracked boxes of one sequence, one row for each object in each frame, in any order.

    frames  [N] int64, from 1
    ids     [N] int64
    xywh    [N, 4] float64, left, top, width, height in pixels

    Raises ValueError if lengths differ, or if a track has two boxes in one frame.
    """

    frames: IntArray
    ids: IntArray
    xywh: FloatArray

    def __post_init__(self) -> None:
        require_boxes("xywh", self.xywh)
        require_rows("frames", self.frames, len(self.xywh))
        require_rows("ids", self.ids, len(self.xywh))
        places, counts = np.unique(np.stack([self.frames, self.ids]), axis=1, return_counts=True)
        if (counts > 1).any():
            frame, track = places[:, counts > 1][:, 0]
            raise ValueError(f"track {track} has more than one box in frame {frame}; keep one")


@dataclass(frozen=True, slots=True, eq=False)
class MotTruth:
    """Annotated boxes of one sequence.

    tracks   all boxes, those of distractors included
    labels   [N] int64, class of each, 1 a pedestrian
    counted  [N] bool, False where the annotation says that the box is not to be scored
    """

    tracks: MotTracks
    labels: IntArray
    counted: BoolArray

    def __post_init__(self) -> None:
        require_rows("labels", self.labels, len(self.tracks.ids))
        require_rows("counted", self.counted, len(self.tracks.ids))
        unknown = np.setdiff1d(self.labels, np.arange(1, NUM_CLASSES + 1))
        if len(unknown):
            raise ValueError(f"labels has class {unknown[0]}; MOTChallenge has 1..{NUM_CLASSES}")


def read_mot_truth(path: Path) -> MotTruth:
    """Read gt.txt: frame, id, left, top, width, height, counted, class, visibility in each line.

    Raises FileNotFoundError, or ValueError if a line has another form.
    """
    rows = _read_rows(path, columns=8)
    _require_whole(rows, path, {7: "class"})
    return MotTruth(_tracks(rows), rows[:, 7].astype(np.int64), rows[:, 6].astype(np.int64) != 0)


def read_mot_tracks(path: Path) -> MotTracks:
    """Read the tracks of a sequence: frame, id, left, top, width, height, ... in each line.

    Raises FileNotFoundError, or ValueError if a line has another form or names another class than
    pedestrian in its eighth place.
    """
    rows = _read_rows(path, columns=6)
    if rows.shape[1] > 7 and (rows[:, 7] > PEDESTRIAN).any():  # noqa: PLR2004 - eighth column
        raise ValueError(
            f"{path} has class {int(rows[:, 7].max())}; MOTChallenge scores pedestrians only, so "
            f"leave the other tracks out and write 1 or -1"
        )
    return _tracks(rows)


def _read_rows(path: Path, columns: int) -> FloatArray:
    if not path.read_text().strip():
        return np.zeros((0, columns))
    try:
        rows = np.loadtxt(path, delimiter=",", ndmin=2)
    except ValueError as error:
        raise ValueError(f"{path} must hold numbers between commas: {error}") from error
    if rows.shape[1] < columns:
        raise ValueError(f"{path} must have {columns} or more columns, got {rows.shape[1]}")
    _require_whole(rows, path, {0: "frame", 1: "id"})
    if len(wrong := np.flatnonzero(~(np.abs(rows[:, :6]) <= LARGEST).all(axis=1))):
        raise ValueError(
            f"{path}, line {wrong[0] + 1} has {rows[wrong[0], :6].tolist()}; give finite numbers, "
            f"at most {LARGEST:g}"
        )
    return rows


def _require_whole(rows: FloatArray, path: Path, columns: Mapping[int, str]) -> None:
    """Refuse numbers of objects and frames that are fractions; lines count without empty ones."""
    for column, name in columns.items():
        values = rows[:, column]
        wrong = np.flatnonzero(~((np.abs(values) <= LARGEST) & (values == np.rint(values))))
        if len(wrong):
            raise ValueError(
                f"{path}, line {wrong[0] + 1} has {name} {values[wrong[0]]}; give a whole number"
            )


def _tracks(rows: FloatArray) -> MotTracks:
    return MotTracks(rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64), rows[:, 2:6])


def pedestrian_video(
    truth: MotTruth,
    tracks: MotTracks,
    num_frames: int,
    *,
    distractors: frozenset[int] = MOT17_DISTRACTORS,
) -> TrackedVideo:
    """Return what is to be scored: counted pedestrians, and predictions on no distractor.

    distractors  classes whose matched predictions are dropped
    Raises ValueError if a frame lies outside of 1..num_frames.
    """
    return tracked_video(_scored_frames(truth, tracks, num_frames, distractors))


def _scored_frames(
    truth: MotTruth, tracks: MotTracks, num_frames: int, distractors: frozenset[int]
) -> Iterator[FrameOverlap]:
    scored = truth.counted & (truth.labels == PEDESTRIAN)
    distracting = np.isin(truth.labels, list(distractors))
    gt_rows = _rows_by_frame("truth", truth.tracks.frames, num_frames)
    pred_rows = _rows_by_frame("tracks", tracks.frames, num_frames)
    for gt, pred in zip(gt_rows, pred_rows, strict=True):
        overlaps = box_overlaps(tracks.xywh[pred], truth.tracks.xywh[gt], np.zeros(len(gt), bool))
        matched_gt, matched_pred = matched_at(overlaps.T, 0.5)
        on_distractor = matched_pred[distracting[gt[matched_gt]]]
        kept = np.delete(np.arange(len(pred)), on_distractor)
        yield FrameOverlap(
            gt_ids=truth.tracks.ids[gt[scored[gt]]],
            pred_ids=tracks.ids[pred[kept]],
            similarity=overlaps.T[np.ix_(scored[gt], kept)],
        )


def _rows_by_frame(name: str, frames: IntArray, num_frames: int) -> list[IntArray]:
    """Return the rows of each frame 1..num_frames, in the order of the file."""
    wrong = frames[(frames < 1) | (frames > num_frames)]
    if len(wrong):
        raise ValueError(f"{name} has frame {wrong[0]}, but the sequence has 1..{num_frames}")
    order = np.argsort(frames, kind="stable")
    return np.split(order, np.searchsorted(frames[order], np.arange(2, num_frames + 1)))


def mot_scores(sequences: Mapping[str, TrackedVideo]) -> Scores:
    """Compute HOTA, CLEAR MOT and identity measures over all sequences and of each.

    sequences  what `pedestrian_video` returned for each, by name
    Returns shares in 0..1 by the names of the MOTChallenge tables, and counts.
    """
    hotas = {name: hota(video) for name, video in sequences.items()}
    clears = {name: clear(video) for name, video in sequences.items()}
    identities = {name: identity(video) for name, video in sequences.items()}
    return Scores(
        values={
            **hota_summary(combine_sequences(hotas.values())),
            **clear_summary(combine_sequences(clears.values())),
            **identity_summary(combine_sequences(identities.values())),
        },
        per_category={
            name: {
                **hota_summary(hotas[name]),
                **clear_summary(clears[name]),
                **identity_summary(identities[name]),
            }
            for name in sequences
        },
    )
