"""Reading the pixels of a frame, and refusing those that its annotation cannot mean."""

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from glee.data.schema import BadSampleError, Frame, describe_source


def load_pixels(frame: Frame) -> NDArray[np.uint8]:
    """Return the RGB pixels [H, W, 3] of a frame, 0..255, upright.

    Raises BadSampleError for an image that is missing, damaged, or of another size than its
    annotation says.
    """
    pixels = _decode(frame)
    if pixels.shape[:2] != frame.size:
        raise BadSampleError(
            f"{describe_source(frame.image)} has (height, width) {pixels.shape[:2]}, its "
            f"annotation {frame.size}"
        )
    return pixels


def _decode(frame: Frame) -> NDArray[np.uint8]:
    match frame.image:
        case np.ndarray() as pixels:
            return pixels
        case bytes() as content:
            source: Path | BytesIO = BytesIO(content)
        case Path() as path:
            source = path
    try:
        with Image.open(source) as image:
            return np.array(ImageOps.exif_transpose(image).convert("RGB"))
    # On damaged files Pillow raises whatever its parsers run into: OSError, SyntaxError,
    # struct.error, IndexError and more.
    except Exception as error:
        raise BadSampleError(f"{describe_source(frame.image)} cannot be read: {error}") from error
