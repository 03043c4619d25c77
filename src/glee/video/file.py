"""Video files, local or by HTTP: frames upright with exact timestamps, forward and backward."""

import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glee.video.pyav import VideoError, import_av, reason
from glee.video.source import (
    DEFAULT_RATE,
    FrameRange,
    SizeGuard,
    SourceFrame,
    SourceInfo,
    format_seconds,
    name_of,
)

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.stream import VideoStream

OPEN_SECONDS, READ_SECONDS = 15.0, 30.0  # after which a server is given up

# A file ends early if so many seconds, or frames, of what it promises are missing.
MISSING_SECONDS, MISSING_FRAMES = 0.1, 2

TELLING_FORMATS = ("mov,mp4", "matroska")  # store how long they are

BACKWARD_FRAMES = 16  # are kept at once when a file is read backward


class VideoFile:
    """The frames of a video file.

    path         of the file, or its http(s) URL
    skip_damage  go on behind damaged parts, whose frames are then missing

    Raises FileNotFoundError, and VideoError for what cannot be opened, has no video, or is in a
    format that is not known.
    """

    def __init__(self, path: Path | str, *, skip_damage: bool = False) -> None:
        self._path = str(path)
        self._skip = skip_damage
        if "://" not in self._path and not Path(self._path).is_file():
            raise FileNotFoundError(f"{name_of(path)} not found; looked in {Path.cwd()}")
        with open_container(self._path) as container:
            stream = video_stream(container, name_of(path))
            rate = stream.average_rate or stream.guessed_rate or DEFAULT_RATE
            self._info = SourceInfo(
                name=name_of(path),
                title=Path(path).stem,
                frame_rate=rate,
                num_frames=stream.frames or None,
                live="://" in self._path and container.duration is None,
                path=self._path,
            )

    @property
    def info(self) -> SourceInfo:
        """Facts about the file."""
        return self._info

    def close(self) -> None:
        """Do nothing: the file is open while it is read."""

    def read(self, frames: FrameRange) -> Iterator[SourceFrame]:
        """Yield the wanted frames; see `Source`.

        A frame's timestamp is that of the file less that of its first frame. Frames that are not
        wanted are decoded, but not converted.
        """
        return self._backward(frames) if frames.backward else self._forward(frames)

    def _forward(self, frames: FrameRange) -> Iterator[SourceFrame]:
        with open_container(self._path) as container:
            stream = video_stream(container, self.info.name, strict=not self._skip)
            clock = Clock(self.info)
            guard, seconds = SizeGuard(self.info.name), time.perf_counter()
            for index, decoded in enumerate(self._decode(container, stream, clock)):
                timestamp = clock.time(decoded, index)
                if frames.wants(index):
                    image = to_pixels(decoded)
                    guard.check(image, timestamp)
                    yield SourceFrame(
                        index=index,
                        timestamp=timestamp,
                        image=image,
                        seconds=time.perf_counter() - seconds,
                    )
                    seconds = time.perf_counter()
            clock.require_whole(_promised_end(container, stream))

    def _decode(
        self, container: "InputContainer", stream: "VideoStream", clock: "Clock"
    ) -> Iterator["av.VideoFrame"]:
        """Yield frames until the end, or the damage, which is told after the last good one."""
        av = import_av()
        packets = container.demux(stream)
        while True:
            damage = ""
            try:
                packet = next(packets)
                if packet.is_corrupt:
                    damage = "a part of it is missing or altered"
                else:
                    yield from packet.decode()
            except StopIteration:
                return
            except av.EOFError:
                return
            except av.FFmpegError as error:
                damage = reason(error)
            if damage and not self._skip:
                yield from _flush(stream)
                raise VideoError(
                    f"{self.info.name} is damaged: {damage}; {clock.describe()}", clock.last
                )

    def _backward(self, frames: FrameRange) -> Iterator[SourceFrame]:
        with open_container(self._path) as container:
            stream = video_stream(container, self.info.name)
            shown = [p.pts for p in container.demux(stream) if p.pts is not None]
        times = sorted(shown)
        if frames.start >= len(times):
            raise ValueError(
                f"start is {frames.start}, but {self.info.name} has {len(times)} frames"
            )
        with open_container(self._path) as container:
            stream = video_stream(container, self.info.name)
            for stop in range(frames.start + 1, 0, -BACKWARD_FRAMES):
                start = max(0, stop - BACKWARD_FRAMES)
                indices = [i for i in range(start, stop) if frames.wants(i)]
                yield from self._between(container, stream, indices, times)

    def _between(
        self,
        container: "InputContainer",
        stream: "VideoStream",
        indices: list[int],
        times: list[int],
    ) -> Iterator[SourceFrame]:
        """Yield some neighbouring frames, the last one first."""
        if not indices:
            return
        began = time.perf_counter()
        base = stream.time_base or Fraction(1)
        wanted = {times[index]: index for index in indices}
        found = {}
        container.seek(times[indices[0]], stream=stream, backward=True)
        for decoded in self._decode(container, stream, Clock(self.info)):
            if decoded.pts in wanted:
                found[wanted[decoded.pts]] = to_pixels(decoded)
            if decoded.pts is not None and decoded.pts >= times[indices[-1]]:
                break
        for index in reversed(indices):
            if index not in found:
                time_lost = format_seconds((times[index] - times[0]) * base)
                raise VideoError(f"{self.info.name} has no readable frame at {time_lost}")
            yield SourceFrame(
                index=index,
                timestamp=(times[index] - times[0]) * base,
                image=found.pop(index),
                seconds=(time.perf_counter() - began) / len(indices),
            )


class Clock:
    """Gives frames their timestamps, and knows the last one for messages."""

    def __init__(self, info: SourceInfo) -> None:
        self._info = info
        self._origin: Fraction | None = None
        self._last: Fraction | None = None
        self._duration: Fraction | None = None  # of the last frame

    @property
    def last(self) -> float | None:
        """The timestamp of the last frame in seconds, None before the first."""
        return None if self._last is None else float(self._last)

    def time(self, decoded: "av.VideoFrame", index: int) -> Fraction:
        """Return seconds since the first frame; by the frame rate where a file tells no times."""
        if decoded.pts is None or decoded.time_base is None:
            self._last = index / self._info.frame_rate
            return self._last
        shown = decoded.pts * decoded.time_base
        self._duration = decoded.duration * decoded.time_base if decoded.duration else None
        if self._origin is None:
            self._origin = shown
        self._last = shown - self._origin
        return self._last

    def describe(self) -> str:
        """Say where reading stopped."""
        if self._last is None:
            return "it stopped before the first frame"
        return f"it stopped after the frame at {format_seconds(self._last)}"

    def require_whole(self, promised: Fraction | None) -> None:
        """Raise VideoError if no frame came, or if the last came long before the promised end."""
        if self._last is None:
            raise VideoError(f"{self._info.name} has no frames")
        missing = max(MISSING_SECONDS, float(MISSING_FRAMES / self._info.frame_rate))
        end = self._last + (self._duration or 1 / self._info.frame_rate)
        if promised is not None and promised - end > missing:
            raise VideoError(
                f"{self._info.name} is cut off: {self.describe()}, but should last "
                f"{format_seconds(promised)}",
                self.last,
            )


def open_container(path: str, **options: Any) -> "InputContainer":
    """Open a file or an address for reading.

    Raises VideoError, and FileNotFoundError if it is not there.
    """
    av = import_av()
    timeout = (OPEN_SECONDS, READ_SECONDS) if "://" in path else None
    try:
        return av.open(path, timeout=timeout, **options)
    except av.FileNotFoundError as error:
        raise FileNotFoundError(f"{name_of(path)} not found: {reason(error)}") from error
    except av.FFmpegError as error:
        hint = "" if "://" in path else "; it is no video, or is damaged or cut off"
        raise VideoError(f"{name_of(path)} cannot be opened: {reason(error)}{hint}") from error


def video_stream(container: "InputContainer", name: str, *, strict: bool = False) -> "VideoStream":
    """Return the first video of a container, made ready to be decoded.

    strict  damage is an error, and not covered up with what looks likely

    Raises VideoError if there is none, or its codec is not known.
    """
    if not container.streams.video:
        raise VideoError(f"{name} has no video in it")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise VideoError(f"{name} is in a video codec that is not known here")
    if strict:
        stream.codec_context.options = {"err_detect": "explode"}
    stream.thread_type = "SLICE"  # threads by frame would hold several frames back
    return stream


def to_pixels(decoded: "av.VideoFrame") -> NDArray[np.uint8]:
    """Return a decoded frame as [H, W, 3] RGB, turned upright as its metadata says."""
    # PyAV's annotation names the types of all formats; those of this one are bytes.
    image: NDArray[np.uint8] = decoded.to_ndarray(format="rgb24")  # type: ignore[assignment]
    turns = round(decoded.rotation / 90) % 4  # counter-clockwise, both here and in FFmpeg
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def _flush(stream: "VideoStream") -> Iterator["av.VideoFrame"]:
    """Yield the good frames that the decoder still holds."""
    av = import_av()
    try:
        yield from stream.decode(None)
    except av.FFmpegError:
        return


def _promised_end(container: "InputContainer", stream: "VideoStream") -> Fraction | None:
    """Return how long the video should be, in seconds, if the file says so by itself."""
    if told := stream.metadata.get("DURATION"):  # Matroska
        hours, minutes, seconds = told.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
    trusted = container.format.name.startswith(TELLING_FORMATS)  # others are estimates
    if trusted and len(container.streams) == 1 and container.duration is not None:
        return Fraction(container.duration, import_av().time_base)
    return None
