"""What all sources of frames have in common: frames, which of them are wanted, and facts."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from glee.video.pyav import VideoError

DEFAULT_RATE = Fraction(24)
"""Frames per second of what does not say its own, such as a folder of pictures."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SourceFrame:
    """One frame as it was read.

    index      its number in the source, from 0
    timestamp  seconds since the first frame
    image      [H, W, 3] uint8 RGB, upright
    seconds    time spent on reading it
    dropped    frames that a live source lost just before this one
    """

    index: int
    timestamp: Fraction
    image: NDArray[np.uint8]
    seconds: float
    dropped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInfo:
    """Facts about a source.

    name        what messages call it
    title       what files call it
    frame_rate  frames per second, on average
    num_frames  there are not more than so many; None if that is not known
    live        frames that are not fetched in time are lost
    path        of the file whose sound belongs to it, None if there is none
    stems       names of the frames' files without ending, () if they are not files
    """

    name: str
    title: str = "video"
    frame_rate: Fraction
    num_frames: int | None = None
    live: bool = False
    path: str | None = None
    stems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRange:
    """Which frames of a source are wanted.

    start     the first one
    every     each so many-th from there
    always    these too
    backward  from the start down to frame 0
    after     only those behind this one, in the direction of reading; of a run that goes on
    """

    start: int = 0
    every: int = 1
    always: frozenset[int] = frozenset()
    backward: bool = False
    after: int | None = None

    def __post_init__(self) -> None:
        for name, value, least in (("start", self.start, 0), ("every", self.every, 1)):
            if not isinstance(value, int):
                raise TypeError(f"{name} must be a whole number, got {value!r}")
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")

    def wants(self, index: int) -> bool:
        """Whether a frame is among them."""
        past = self.start - index if self.backward else index - self.start
        if self.after is not None and past <= abs(self.after - self.start):
            return False
        return past >= 0 and (past % self.every == 0 or index in self.always)


@runtime_checkable
class Source(Protocol):
    """Something that frames come from, such as a file or a camera."""

    @property
    def info(self) -> SourceInfo: ...  # noqa: D102 - described there

    def read(self, frames: FrameRange) -> Iterator[SourceFrame]:
        """Yield the wanted frames.

        Raises VideoError, after the frames before it, where no further frame can be read; and
        ValueError at once for frames that this source cannot give, such as backward ones.
        """

    def close(self) -> None:
        """Give up files and devices."""


class SizeGuard:
    """Refuses frames of another size than the first."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._size: tuple[int, int] | None = None

    def check(self, image: NDArray[np.uint8], timestamp: Fraction) -> None:
        """Raise VideoError if this frame is not as large as those before it."""
        height, width = image.shape[:2]
        if self._size is None:
            self._size = (height, width)
        if (height, width) != self._size:
            raise VideoError(
                f"{self._name} changes from {self._size[1]}x{self._size[0]} to {width}x{height} "
                f"pixels at {format_seconds(timestamp)}; cut it there and track the parts",
                float(timestamp),
            )


def format_seconds(timestamp: Fraction | float) -> str:
    """Return a time for messages."""
    return f"{float(timestamp):.3f} s"


def require_some(info: SourceInfo, last: SourceFrame | None) -> None:
    """Raise VideoError if no frame came at all."""
    if last is None:
        raise VideoError(f"{info.name} has no frames")


def stem_of(info: SourceInfo, index: int) -> str:
    """Return what files that belong to one frame are called, without ending."""
    return info.stems[index] if info.stems else f"{index:05d}"


def name_of(path: Path | str) -> str:
    """Return how messages name a file."""
    return f"video {str(path)!r}"
