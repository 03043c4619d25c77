"""MOTS' text: a line for each mask, frame id class height width and run lengths."""

from pathlib import Path

import torch
from torch import Tensor

from glee.ops.masks import encode_rle
from glee.results import Instances
from glee.video.writers.record import GrowingFile, Position, Record


class MotsWriter:
    """Masks of all tracks, which do not overlap: a pixel belongs to the surest object.

    Voigtlaender et al., "MOTS: Multi-Object Tracking and Segmentation" (arXiv:1902.03604). Frames
    count from 1 as in MOTSChallenge, and classes are the places of the names in the prompt, from 1.
    """

    def __init__(self, path: Path, position: Position | None = None) -> None:
        self._file = GrowingFile(path, position)

    def write(self, record: Record) -> None:
        """Append the lines of a frame; objects without a pixel of their own have none."""
        found = record.frame.instances
        if found.masks is None:
            raise ValueError(
                "MOTS text holds masks, but there are none; leave out mots, or --no-masks"
            )
        height, width = found.image_size
        own = without_overlap(found)
        lines = []
        for one, mask, rle in zip(record.objects, own, encode_rle(own), strict=True):
            if mask.any():
                start = f"{record.frame.index + 1} {one['track_id']} {one['label'] + 1}"
                lines.append(f"{start} {height} {width} {rle['counts']}\n")
        self._file.append("".join(lines))

    def position(self) -> Position:
        """Return how long the file is."""
        return self._file.position()

    def close(self, *, finished: bool) -> None:
        """Close the file."""
        self._file.close()


def without_overlap(found: Instances) -> Tensor:
    """Return the masks [N, H, W], each less the pixels of objects with a higher score."""
    assert found.masks is not None
    own = torch.zeros_like(found.masks)
    taken = torch.zeros(found.image_size, dtype=torch.bool)
    for row in found.scores.argsort(descending=True, stable=True).tolist():
        own[row] = found.masks[row] & ~taken
        taken |= found.masks[row]
    return own
