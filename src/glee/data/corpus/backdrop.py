"""Backdrops: what scenes and clips are pasted on, cut out of a picture at some size."""

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.random import Generator
from PIL import Image

from glee.data.corpus.draws import chance
from glee.data.corpus.layers import Size
from glee.data.corpus.looks import texture
from glee.data.corpus.packs import Background
from glee.data.corpus.pictures import Pictures

PLAIN_SHARE = 0.12
"""Share of scenes on a gradient or a texture instead of a picture."""

CROWDED = "caltech101-clutter"
"""Pictures of anything, people and vehicles too, of which nothing is labelled: not used."""


@dataclass(frozen=True, slots=True, eq=False)
class Backdrop:
    """A background, and whether it may show things.

    picture  RGB
    scenery  whether it may show what pictures show
    """

    picture: Image.Image
    scenery: bool


def usable(rows: Sequence[Background]) -> list[Background]:
    """Return the backgrounds without those that show anything."""
    return [row for row in rows if row.source != CROWDED]


def draw_backdrop(
    pictures: Pictures, rows: Sequence[Background], size: Size, rng: Generator
) -> Backdrop:
    """Return a part of a random picture of those usable, or a texture, of some (height, width)."""
    if not rows or chance(rng, PLAIN_SHARE):
        return Backdrop(texture(size, rng), scenery=False)
    picture = pictures.background(rows[int(rng.integers(len(rows)))])
    height, width = size
    largest = min(picture.width / width, picture.height / height)
    scale = largest * rng.uniform(0.55, 1.0)
    part_width, part_height = width * scale, height * scale
    left = rng.uniform(0, picture.width - part_width)
    top = rng.uniform(0, picture.height - part_height)
    part = (left, top, left + part_width, top + part_height)
    cut = picture.resize((width, height), Image.Resampling.BILINEAR, box=part, reducing_gap=2.0)
    if chance(rng, 0.5):
        cut = cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return Backdrop(cut, scenery=True)
