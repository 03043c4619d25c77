"""Scene: one image with its objects, opened: pixels and masks are there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glee.data.pixels import load_pixels
from glee.data.schema import Frame, Sample, Supervision
from glee.prompts import clean_expression


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Scene:
    """One image with its objects, opened.

    pixels       [H, W, 3] uint8, RGB
    boxes        [N, 4] float32, xyxy in pixels
    names        N names
    masks        [N, H, W] bool, None if there are none
    track_ids    [N] int64, None outside clips
    expression   what describes the objects, None where names say what they are
    supervision  what the annotation covers
    """

    pixels: NDArray[np.uint8]
    boxes: Tensor
    names: tuple[str, ...]
    masks: Tensor | None = None
    track_ids: Tensor | None = None
    expression: str | None = None
    supervision: Supervision

    def __len__(self) -> int:
        return len(self.names)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def take(self, rows: Sequence[int]) -> "Scene":
        """Return the same image with some of its objects."""
        index = torch.tensor(rows, dtype=torch.int64)
        return replace(
            self,
            boxes=self.boxes[index],
            names=tuple(self.names[row] for row in rows),
            masks=None if self.masks is None else self.masks[index],
            track_ids=None if self.track_ids is None else self.track_ids[index],
        )


def open_sample(
    sample: Sample, generator: torch.Generator, frames: Sequence[int] = (0,)
) -> list[Scene]:
    """Open frames of a sample, with one of its expressions, if it has any.

    Raises BadSampleError for an image or a mask that cannot be used.
    """
    expression = None
    if sample.expressions:
        chosen = int(torch.randint(len(sample.expressions), (), generator=generator))
        expression = clean_expression(sample.expressions[chosen])
    return [open_frame(sample.frames[n], sample.supervision, expression) for n in frames]


def open_frame(frame: Frame, supervision: Supervision, expression: str | None = None) -> Scene:
    """Read the pixels and the masks of a frame; objects whose mask is empty are left out.

    Raises BadSampleError for an image or a mask that cannot be used.
    """
    ids = frame.track_ids
    scene = Scene(
        pixels=load_pixels(frame),
        boxes=torch.tensor(frame.boxes, dtype=torch.float32),
        names=frame.names,
        masks=frame.decode_masks() if supervision.masks else None,
        track_ids=None if ids is None else torch.tensor(ids, dtype=torch.int64),
        expression=expression,
        supervision=supervision,
    )
    return drop_empty(scene)


def drop_empty(scene: Scene) -> Scene:
    """Return a scene without the objects of which no pixel is there, if it has masks."""
    if scene.masks is None:
        return scene
    there = scene.masks.flatten(1).any(1)
    return scene if there.all() else scene.take(there.nonzero().flatten().tolist())
