"""Opening the samples of a batch, with others in the place of those that cannot be used."""

from dataclasses import dataclass

import torch

from glee.data.clips import choose_frames
from glee.data.mixture import Draw
from glee.data.scene import Scene, open_sample
from glee.data.schema import BadSampleError, Samples
from glee.data.transforms import Augmentation, augment

TRIES = 20
"""Samples tried for each place in a batch before the source counts as unusable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameChoice:
    """How many frames of a clip are trained on together, and how far apart they may be."""

    count: int = 2
    reach: int = 5


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """The samples of a batch, opened and augmented.

    clips   the frames of each sample, one for an image
    faults  what was wrong with the samples in whose place others were taken, for a Report
    """

    clips: tuple[tuple[Scene, ...], ...]
    faults: tuple[str, ...]


def open_batch(
    samples: Samples,
    draw: Draw,
    augmentation: Augmentation,
    *,
    frames: FrameChoice | None = None,
    fail_fast: bool = False,
) -> Opened:
    """Open and augment the samples of a batch.

    samples    those of the source that the batch was drawn from
    frames     which frames of clips; the first one of each sample if not given
    fail_fast  raise BadSampleError instead of taking another sample

    All that is random follows from `draw.seed`, in whichever process this is done.
    Raises ValueError if sample after sample cannot be used.
    """
    generator = torch.Generator().manual_seed(draw.seed)
    clips, faults = [], list[str]()
    for first in draw.rows:
        row = first
        for _ in range(TRIES):
            try:
                clips.append(_open(samples, row, augmentation, frames, generator))
                break
            except BadSampleError as error:
                if fail_fast:
                    raise
                faults.append(str(error))
                row = int(torch.randint(len(samples), (), generator=generator))
        else:
            raise ValueError(
                f"{TRIES} samples in a row cannot be used; the last: {faults[-1]}; check the paths"
            )
    return Opened(tuple(clips), tuple(faults))


def _open(
    samples: Samples,
    row: int,
    augmentation: Augmentation,
    frames: FrameChoice | None,
    generator: torch.Generator,
) -> tuple[Scene, ...]:
    sample = samples[row]
    chosen = [0]
    if frames is not None:
        length = len(sample.frames)
        chosen = choose_frames(length, frames.count, reach=frames.reach, generator=generator)
    return tuple(augment(open_sample(sample, generator, chosen), augmentation, generator))
