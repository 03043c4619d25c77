"""Tracks of a video for benchmarks, by the paper's procedure over the whole video."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from glee.evaluation.encoder import Encoder
from glee.evaluation.protocol import Protocol
from glee.inference.predictor import EncodedImage
from glee.ops.masks import Rle, encode_rle
from glee.results import Instances
from glee.tracking.reference import ReferenceConfig
from glee.video.reference import follow_offline


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """One object of a video with one of its names.

    label  which name
    score  0..1, the same in all frames
    masks  T masks at the original size, None where no pixel is
    """

    label: int
    score: float
    masks: Sequence[Rle | None]


def find_tracks(
    encoder: Encoder, frames: Sequence[Path], names: Sequence[str], protocol: Protocol
) -> list[VideoTrack]:
    """Return the best pairs of track and name of a video with their masks, best first.

    frames  the pictures, in time
    """
    config = ReferenceConfig(max_tracks=protocol.max_tracks, released_boxes=protocol.released_boxes)
    masks: dict[int, list[Rle | None]] = {}
    facts: dict[int, tuple[int, float]] = {}
    for found in follow_offline(
        encoder.predictor, lambda: _encode(encoder, frames), names, config=config
    ):
        assert found.masks is not None
        there = found.masks.flatten(1).any(dim=1).tolist()
        for row, mask in enumerate(encode_rle(found.masks)):
            masks.setdefault(row, []).append(mask if there[row] else None)
        rows = zip(found.labels.tolist(), found.scores.tolist(), strict=True)
        facts = dict(enumerate(rows))
    return [VideoTrack(*facts[row], masks[row]) for row in facts]


def find_boxes(
    encoder: Encoder, frames: Sequence[Path], names: Sequence[str], protocol: Protocol
) -> Iterator[Instances]:
    """Yield the tracks that are there in each frame, with boxes only: TAO's rules.

    Each track has its best name. `released_boxes` repeats both mistakes of the released code.
    """
    config = ReferenceConfig(
        max_tracks=protocol.max_tracks,
        once=True,
        nms=protocol.nms,
        min_cells=protocol.min_pixels,
        released_boxes=protocol.released_boxes,
        released_nms=protocol.released_boxes,
    )
    return follow_offline(
        encoder.predictor, lambda: _encode(encoder, frames), names, config=config, masks=False
    )


def _encode(encoder: Encoder, frames: Sequence[Path]) -> Iterator[EncodedImage]:
    return (encoder.encode(path) for path in frames)
