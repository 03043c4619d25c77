"""Videos drawn for tests: a white bar that moves over a dark ground, one step a frame."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

MILLISECONDS = Fraction(1, 1000)


def drawn_frame(index: int, size: tuple[int, int] = (48, 64)) -> NDArray[np.uint8]:
    """Return a frame whose bar stands at `bar_of` the index."""
    frame = np.full((*size, 3), 20, dtype=np.uint8)
    frame[:, 4 * index % size[1] : 4 * index % size[1] + 4] = 240
    return frame


def bar_of(image: NDArray[np.uint8]) -> int:
    """Return the number of the frame that a picture shows, modulo its width / 4."""
    columns = image[:, :, 1].mean(axis=0)
    return int(columns.reshape(-1, 4).mean(axis=1).argmax())


def write_video(
    path: Path,
    frames: Sequence[NDArray[np.uint8]],
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    times: Sequence[int] | None = None,
    **options: str,
) -> Path:
    """Encode frames of one size at 24 frames per second, or at times in milliseconds."""
    height, width = frames[0].shape[:2]
    rotation = int(options.pop("rotation", "0"))
    group = int(options.pop("group", "12"))
    container_options = {"movflags": "faststart"} if path.suffix == ".mp4" else {}
    with av.open(path, "w", options=container_options) as out:
        stream = out.add_stream(codec, rate=24, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        stream.codec_context.gop_size = group
        if rotation:
            stream.set_display_rotation(rotation)
        if times is not None:
            stream.time_base = stream.codec_context.time_base = MILLISECONDS
        for index, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = times[index], MILLISECONDS
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path
