"""Plates: what an object is called, written beside its box where it hides least."""

import math
import os
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from glee.colors import Color, shade, text_color
from glee.fonts import Font, lacking_in, load_fonts, spell

# Size of the font as a share of the image's mean side, and the least that can be read, in pixels.
FONT_SHARE, LEAST_FONT = 0.022, 11

# The width of a plate at most, as a share of the picture's; or this many times the font size.
PLATE_SHARE, PLATE_FONTS = 0.6, 8
HIDDEN_SHARE = 0.4  # the area of all plates, at most, as a share of the picture's

# A plate is kept off boxes smaller than some plates, at the cost of this share of what covering
# another plate costs.
SMALL_BOX, SMALL_BOX_COST = 4, 0.3
DISTANCE_COST = 0.001

Texts = Sequence[tuple[str, str]]
"""What each plate may say: the label of an object and its score; either may be empty."""


class Rectangle(NamedTuple):
    """Corners in whole pixels, right and bottom exclusive, at least one pixel inside the image."""

    left: int
    top: int
    right: int
    bottom: int


class Plate(NamedTuple):
    """What a plate says, in parts side by side, in which font, with how many pixels around it."""

    parts: tuple[str, ...]
    font: Font
    pad: int

    def extent(self) -> tuple[int, int]:
        """Return the top and the bottom of the text, in pixels below where it is drawn."""
        tops, bottoms = zip(*(_extent(self.font, part) for part in self.parts), strict=True)
        return min(tops), max(bottoms)

    def size(self) -> tuple[int, int]:
        """Return the width and the height."""
        top, bottom = self.extent()
        width = math.ceil(_width(self.font, self.parts))
        return width + 2 * self.pad, bottom - top + self.pad + 1


def draw_plates(
    picture: Image.Image,
    boxes: Sequence[Rectangle],
    texts: Texts,
    colors: Sequence[Color],
    font: str | os.PathLike[str] | None = None,
) -> None:
    """Write a plate beside each box, the best object choosing its place first.

    font  a TrueType or OpenType file; see `load_fonts` for what is taken else

    The last ones are left out where all would hide too much of the picture.
    """
    plates = _write(texts, picture.size, font)
    sizes = [plate.size() for plate in plates]
    areas = np.array([width * height for width, height in sizes])
    hidden = areas.cumsum() / (picture.width * picture.height)
    shown = int((hidden <= HIDDEN_SHARE).sum())
    places = _place(boxes[:shown], sizes[:shown], picture.size)
    draw = ImageDraw.Draw(picture)
    for place, box, color in zip(places, boxes[:shown], colors[:shown], strict=True):
        _draw_leader(draw, place, box, color)
    written = zip(places, plates[:shown], colors[:shown], strict=True)
    for place, plate, color in reversed(list(written)):
        corners = (*place[:2], place.right - 1, place.bottom - 1)
        draw.rectangle(corners, fill=color, outline=shade(color))
        y = place.top + (plate.pad + 1) // 2 - plate.extent()[0]
        _draw_text(picture, (place.left + plate.pad, y), plate, text_color(color))


def _draw_text(picture: Image.Image, corner: tuple[int, int], plate: Plate, color: Color) -> None:
    x, y = corner
    for part in plate.parts:
        mask, (left, top) = _drawn(plate.font, part)
        picture.paste(color, (x + left, y + top), mask)
        x += round(_length(plate.font, part))


def _draw_leader(draw: ImageDraw.ImageDraw, place: Rectangle, box: Rectangle, color: Color) -> None:
    """Join a plate that had to move away to its box by a line."""
    x, y = (place.left + place.right) // 2, (place.top + place.bottom) // 2
    near = (min(max(x, box.left), box.right), min(max(y, box.top), box.bottom))
    draw.line((x, y, *near), fill=color)


def _write(
    texts: Texts, image_size: tuple[int, int], font: str | os.PathLike[str] | None
) -> list[Plate]:
    """Choose a font for each text, and what of the text fits into an image of (width, height)."""
    size = max(LEAST_FONT, round(FONT_SHARE * sum(image_size) / 2))
    pad, width = size // 4, image_size[0]
    room = max(PLATE_SHARE * width, min(PLATE_FONTS * size, width)) - 2 * pad
    texts = [(unicodedata.normalize("NFC", label), value) for label, value in texts]
    used = set().union(*(label + value for label, value in texts))
    fonts = [(one, lacking_in(one, used)) for one in load_fonts(used, size, font)]
    plates = []
    for label, value in texts:
        chosen, lacking = min(fonts, key=lambda one: len(one[1].intersection(label + value)))
        written = spell(label, lacking, chosen)
        plates.append(Plate(_fit(written, value, chosen, room), chosen, pad))
    return plates


def _fit(label: str, value: str, font: Font, room: float) -> tuple[str, ...]:
    """Return the label and the score side by side, of the label only what fits into the room."""
    cuts = (label[:end].rstrip() + "…" for end in range(len(label) - 1, -1, -1))
    for cut in (label, *cuts):
        parts = _parts(cut, value, font)
        if _width(font, parts) <= room:
            return parts
    return (value or "…",)


def _parts(label: str, value: str, font: Font) -> tuple[str, ...]:
    """Return a label and a score in as few parts as look right.

    A label stays the same over the frames of a video and scores are few, so that both need be drawn
    only once; but complex layout, which orders and joins what it is given, wants the whole line.
    """
    if not (label and value):
        return (label or value,)
    basic = not isinstance(font, ImageFont.FreeTypeFont) or (
        font.layout_engine == ImageFont.Layout.BASIC
    )
    return (f"{label} ", value) if basic else (f"{label} {value}",)


def _width(font: Font, parts: tuple[str, ...]) -> float:
    return sum(_length(font, part) for part in parts)


# The plates of a video say the same again and again.
@lru_cache(maxsize=2048)
def _length(font: Font, text: str) -> float:
    return font.getlength(text)


@lru_cache(maxsize=2048)
def _extent(font: Font, text: str) -> tuple[int, int]:
    _, top, _, bottom = font.getbbox("Ag" + text)
    return math.floor(top), math.ceil(bottom)


@lru_cache(maxsize=512)
def _drawn(font: Font, text: str) -> tuple[Image.Image, tuple[int, int]]:
    """Return how opaque each pixel of a text is, and where that lies from the text's corner."""
    box = font.getbbox(text)
    left, top, right, bottom = (*map(math.floor, box[:2]), *map(math.ceil, box[2:]))
    mask = Image.new("L", (max(1, right - left), max(1, bottom - top)))
    ImageDraw.Draw(mask).text((-left, -top), text, fill=255, font=font)
    return mask, (left, top)


def _place(
    boxes: Sequence[Rectangle], sizes: Sequence[tuple[int, int]], image_size: tuple[int, int]
) -> list[Rectangle]:
    """Place plates of (width, height) so that they cover each other and small boxes least.

    Inside an image of (width, height); each beside its box if there is room, and near it if not.
    """
    corners = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    extents = np.array(sizes, dtype=np.float64).reshape(-1, 2)
    areas = (corners[:, 2:] - corners[:, :2]).prod(axis=1)
    small = corners[areas < SMALL_BOX * extents.prod(axis=1).max(initial=0)]
    near = _inside(_beside(corners, extents), extents[:, None], image_size)  # [N, C, 2]
    # What does not depend on where other plates are, for all of them at once.
    costs = _own_costs(near, extents[:, None], small)
    free = DISTANCE_COST * near.shape[1]  # what even a free place further off would cost
    plates = np.zeros_like(corners)
    for n, (box, size) in enumerate(zip(boxes, sizes, strict=True)):
        places, total = near[n], costs[n] + _covered(near[n], extents[n], plates[:n])
        if total.min() > free:
            around = np.array(_around(box, *size), dtype=np.float64)
            around = _inside(around, extents[n], image_size)
            places = np.concatenate([places, around])
            total = _own_costs(places, extents[n], small)
            total += _covered(places, extents[n], plates[:n])
        place = places[total.argmin()]  # the first one of equals
        plates[n, :2], plates[n, 2:] = place, place + extents[n]
    return [Rectangle(*plate) for plate in plates.astype(np.int64).tolist()]


def _inside(
    places: NDArray[np.float64], size: NDArray[np.float64], image_size: tuple[int, int]
) -> NDArray[np.float64]:
    """Move corners [..., C, 2] of plates of a size [..., 1, 2] into the image."""
    room = np.maximum(np.subtract(image_size, size), 0)
    return np.maximum(np.minimum(places, room), 0)


def _own_costs(
    places: NDArray[np.float64], size: NDArray[np.float64], small: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what places [..., C, 2], the best first, cost without other plates, [..., C]."""
    distance = DISTANCE_COST * np.arange(places.shape[-2])
    return SMALL_BOX_COST * _covered(places, size, small) + distance


def _covered(
    places: NDArray[np.float64], size: NDArray[np.float64], others: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the area that plates cover of others [R, 4], in plates: [..., C].

    places  [..., C, 2]  their corners
    size    [..., 2]     width and height, of a form that adds to that
    """
    low = np.maximum(places[..., None, :], others[:, :2])
    high = np.minimum((places + size)[..., None, :], others[:, 2:])
    sides = np.maximum(high - low, 0)
    return (sides[..., 0] * sides[..., 1]).sum(axis=-1) / (size[..., 0] * size[..., 1])


def _beside(boxes: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return corners [N, 8, 2] for plates at the corners of their boxes, the best first.

    boxes  [N, 4]
    sizes  [N, 2]  width and height of the plates
    """
    (left, top, right, bottom), (width, height) = boxes.T, sizes.T
    x = np.stack([left, right - width], axis=1)
    y = np.stack([top - height, top, bottom, bottom - height], axis=1)
    return np.stack([x.repeat(y.shape[1], axis=1), np.tile(y, x.shape[1])], axis=2)


def _around(box: Rectangle, width: int, height: int) -> list[tuple[int, int]]:
    """List corners for a plate further and further away from its box."""
    places = []
    for ring in range(1, 4):
        above, below = box.top - height * (ring + 1), box.bottom + height * ring
        aside = width * ring // 2
        for x in (box.left - aside, box.right - width + aside):
            places += [(x, y) for y in range(above, below + 1, height)]
        places += [(box.left, above), (box.left, below)]
    return places
