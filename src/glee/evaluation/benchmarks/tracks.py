"""Tracks of a video for benchmarks: the paper's procedure, over the whole video at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glee.evaluation.arrays import FloatArray, IntArray
from glee.evaluation.encoder import Encoder
from glee.evaluation.protocol import Protocol
from glee.ops.masks import Rle


@dataclass(frozen=True, slots=True, eq=False)
class VideoTrack:
    """One object of a video with one of its names.

    track   number of the object in its video
    label   which name
    score   0..1, the same in all frames
    masks   T masks at the original size, None where no pixel is
    boxes   [T, 4] float64, xyxy in original pixels
    pixels  [T] int64, positive cells of the network's own grid
    """

    track: int
    label: int
    score: float
    masks: Sequence[Rle | None]
    boxes: FloatArray
    pixels: IntArray


def find_tracks(
    encoder: Encoder, frames: Sequence[Path], names: Sequence[str], protocol: Protocol
) -> list[VideoTrack]:
    """Return the best pairs of track and name of a video, best first.

    frames  the pictures, in time
    """
    raise NotImplementedError


def find_objects(
    encoder: Encoder, frames: Sequence[Path], names: Sequence[str], protocol: Protocol
) -> list[VideoTrack]:
    """Return the best tracks of a video, each with its best name only, best first."""
    raise NotImplementedError
