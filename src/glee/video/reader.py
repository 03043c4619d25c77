"""Opening whatever frames come from: files, folders, arrays, cameras, network streams."""

import re
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

from glee.images import ImageSource
from glee.video.file import VideoFile
from glee.video.live import LiveSource, open_camera
from glee.video.pictures import ArrayFrames, FrameFolder
from glee.video.source import DEFAULT_RATE, Source

FramesFrom = str | Path | int | Iterable[ImageSource]
"""Where frames come from; see `open_source`."""

FILE_SCHEMES = ("http", "https")  # files, unless they have no end


def open_source(
    source: FramesFrom | Source,
    *,
    frame_rate: float | Fraction | None = None,
    skip_damage: bool = False,
) -> Source:
    """Open a source of frames.

    source       the path of a video file, or of a folder with a picture for each frame; the
                 number of a camera, from 0; a URL (rtsp, http and what else FFmpeg reads); a list
                 or an iterator of pictures, such as arrays [H, W, 3] uint8 RGB; or an open source
    frame_rate   of a folder or of arrays, in frames per second; 24 if not given
    skip_damage  go on behind damaged parts of a file, whose frames are then missing

    Raises FileNotFoundError, VideoError for what cannot be read, ValueError for a folder without
    pictures, and TypeError for anything else.
    """
    if isinstance(source, Source):
        return source
    if not isinstance(source, str | Path | int | Iterable):
        raise TypeError(
            "source must be a path, a URL, the number of a camera or an iterable of pictures, "
            f"got {type(source).__name__}"
        )
    rate = _rate(frame_rate)
    match source:
        case bool():
            raise TypeError(f"source must be a path, URL, number or iterable, got {source}")
        case int():
            return open_camera(source)
        case str() | Path():
            return _open_named(str(source), rate, skip_damage=skip_damage)
    return ArrayFrames(source, frame_rate=rate)


def _open_named(name: str, rate: Fraction, *, skip_damage: bool) -> Source:
    if scheme := re.match(r"([a-z][a-z0-9+.-]+)://", name, flags=re.IGNORECASE):
        if scheme[1].lower() not in FILE_SCHEMES:
            return LiveSource(name, name=f"stream {name!r}")
        file = VideoFile(name, skip_damage=skip_damage)
        return LiveSource(name, name=f"stream {name!r}") if file.info.live else file
    path = Path(name).expanduser()
    if path.is_dir():
        return FrameFolder(path, frame_rate=rate)
    return VideoFile(path, skip_damage=skip_damage)


def _rate(frame_rate: float | Fraction | None) -> Fraction:
    if frame_rate is None:
        return DEFAULT_RATE
    if not frame_rate > 0:
        raise ValueError(f"frame_rate must be above 0 frames per second, got {frame_rate}")
    return Fraction(frame_rate).limit_denominator(1_000_000)
