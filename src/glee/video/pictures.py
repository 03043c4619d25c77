"""Frames that are pictures already: a folder of files, or arrays one after the other."""

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from glee.images import ImageSource, load_image
from glee.video.pyav import VideoError
from glee.video.source import (
    DEFAULT_RATE,
    FrameRange,
    SizeGuard,
    SourceFrame,
    SourceInfo,
    format_seconds,
    require_some,
)

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


class FrameFolder:
    """The pictures of a folder, in the order of the numbers in their names.

    frame_rate  in frames per second, from which their timestamps follow

    Raises ValueError for a folder without pictures.
    """

    def __init__(self, folder: Path, *, frame_rate: Fraction = DEFAULT_RATE) -> None:
        files = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES]
        self._files = sorted(
            (path for path in files if not path.name.startswith(".") and path.is_file()),
            key=_by_number,
        )
        if not self._files:
            raise ValueError(
                f"folder {str(folder)!r} holds no picture ({', '.join(SUFFIXES)}); give the folder "
                "that holds the frames themselves"
            )
        self._info = SourceInfo(
            name=f"folder {str(folder)!r}",
            title=folder.resolve().name,
            frame_rate=frame_rate,
            num_frames=len(self._files),
            stems=tuple(path.stem for path in self._files),
        )

    @property
    def info(self) -> SourceInfo:
        """Facts about the folder."""
        return self._info

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def read(self, frames: FrameRange) -> Iterator[SourceFrame]:
        """Yield the wanted frames; see `Source`."""
        return _read(self._files, self.info, frames)


class ArrayFrames:
    """Pictures that a program makes: a list, or anything that yields them one by one.

    pictures    whatever `load_image` takes
    frame_rate  in frames per second, from which their timestamps follow
    """

    def __init__(
        self, pictures: Iterable[ImageSource], *, frame_rate: Fraction = DEFAULT_RATE
    ) -> None:
        self._pictures = pictures
        known = isinstance(pictures, Sequence)
        self._info = SourceInfo(
            name="the iterator of frames",
            frame_rate=frame_rate,
            num_frames=len(pictures) if isinstance(pictures, Sequence) and known else None,
        )

    @property
    def info(self) -> SourceInfo:
        """Facts about the pictures."""
        return self._info

    def close(self) -> None:
        """Do nothing: the pictures belong to the caller."""

    def read(self, frames: FrameRange) -> Iterator[SourceFrame]:
        """Yield the wanted frames; see `Source`.

        Raises ValueError for backward frames of what can only be read once.
        """
        if not frames.backward:
            return _read(self._pictures, self.info, frames)
        if not isinstance(self._pictures, Sequence):
            raise ValueError("an iterator cannot be read backward; give a list, a folder or a file")
        return _read(self._pictures, self.info, frames)


def _read(
    pictures: Iterable[ImageSource], info: SourceInfo, frames: FrameRange
) -> Iterator[SourceFrame]:
    """Load the wanted pictures; an iterator ends where the program that makes them fails."""
    guard, last = SizeGuard(info.name), None
    for index, picture in _numbered(pictures, info, frames):
        began = time.perf_counter()
        timestamp = index / info.frame_rate
        try:
            image = load_image(picture)
        except (ValueError, TypeError, FileNotFoundError) as error:
            where = f"frame {index} ({format_seconds(timestamp)})"
            reached = None if last is None else float(last.timestamp)
            raise VideoError(f"{info.name}, {where}: {error}", reached) from error
        guard.check(image, timestamp)
        seconds = time.perf_counter() - began
        last = SourceFrame(index=index, timestamp=timestamp, image=image, seconds=seconds)
        yield last
    if frames.after is None:  # else those before were there
        require_some(info, last)


def _numbered(
    pictures: Iterable[ImageSource], info: SourceInfo, frames: FrameRange
) -> Iterator[tuple[int, ImageSource]]:
    if frames.backward and isinstance(pictures, Sequence):
        if frames.start >= len(pictures):
            raise ValueError(f"start is {frames.start}, but {info.name} has {len(pictures)} frames")
        order = range(frames.start, -1, -1)
        return ((index, pictures[index]) for index in order if frames.wants(index))
    return ((i, picture) for i, picture in enumerate(pictures) if frames.wants(i))


def _by_number(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Return what sorts frame_2 before frame_10."""
    parts = re.split(r"(\d+)", path.stem)
    key = [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
    return key, path.name
