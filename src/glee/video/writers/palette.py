"""Index pictures as DAVIS has them: a PNG for each frame whose values are numbers of tracks."""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from glee.files import replacing
from glee.video.source import SourceInfo, stem_of
from glee.video.writers.mots import without_overlap
from glee.video.writers.record import Position, Record

MOST = 255  # numbers that a palette holds beside 0, the background


def davis_palette() -> bytes:
    """Return the colours of Pascal VOC and DAVIS: bits of a number, spread over channels."""
    colors = np.zeros((256, 3), dtype=np.uint8)
    numbers = np.arange(256)
    for bit in range(8):
        for channel in range(3):
            colors[:, channel] |= ((numbers >> (3 * bit + channel) & 1) << (7 - bit)).astype("u1")
    return colors.tobytes()


class PaletteWriter:
    """A folder of index pictures, named as the frames or by their numbers.

    A pixel of several objects belongs to the surest. Tracks above 255 have no number in a palette:
    they are left out, which is said once.
    """

    def __init__(self, folder: Path, info: SourceInfo) -> None:
        self._folder, self._info = folder, info
        self._palette = davis_palette()
        self._warned = False

    def write(self, record: Record) -> None:
        """Write the picture of a frame."""
        found = record.frame.instances
        if found.masks is None or found.track_ids is None:
            raise ValueError("index pictures show masks, but there are none; leave out png")
        picture = np.zeros(found.image_size, dtype=np.uint8)
        ids = found.track_ids.tolist()
        for number, mask in zip(ids, without_overlap(found).numpy(), strict=True):
            if number <= MOST:
                picture[mask] = number
        self._tell(max(ids, default=0))
        image = Image.fromarray(picture, mode="P")
        image.putpalette(self._palette)
        path = self._folder / f"{stem_of(self._info, record.frame.index)}.png"
        with replacing(path) as beside:
            image.save(beside, format="PNG")

    def position(self) -> Position:
        """Return nothing: later frames write over their own files."""
        return {}

    def close(self, *, finished: bool) -> None:
        """Do nothing: every file is complete."""

    def _tell(self, highest: int) -> None:
        if highest > MOST and not self._warned:
            self._warned = True
            print(f"index pictures hold {MOST} tracks; others are left out", file=sys.stderr)
