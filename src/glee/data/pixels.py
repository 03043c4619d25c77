"""Reading the pixels of a frame, and refusing those that its annotation cannot mean."""

import numpy as np
from numpy.typing import NDArray

from glee.data.schema import BadSampleError, Frame, describe_source
from glee.images import load_image


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
    try:
        return load_image(frame.image)
    except (OSError, ValueError) as error:
        raise BadSampleError(f"{describe_source(frame.image)} cannot be read: {error}") from error
