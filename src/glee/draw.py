"""Pictures of results: masks, boxes and names drawn on the image, legible at any size."""

import math
import os
import unicodedata
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from glee.fonts import Font, lacking_in, load_fonts, spell
from glee.ops.boxes import box_area, clip_boxes
from glee.ops.masks import mask_to_boxes
from glee.results import Instances

Color = tuple[int, int, int]

# Sizes as shares of the image's mean side, and the least that can be seen, in pixels.
LINE_SHARE, LEAST_LINE = 0.003, 1
FONT_SHARE, LEAST_FONT = 0.022, 11

MASK_OPACITY = 0.45
_TINT = [round(value * MASK_OPACITY) for value in range(256)]  # of a mask's 0 and 255
SHADE = 0.55  # brightness of a darker line beside a colour, as a share of the colour's

# Each colour is as far in CIELAB from all before it as saturated, not too dark colours can be, so
# that the first 20 are far apart (41 at least) and all 80 can be told apart (20 at least).
PALETTE = bytes.fromhex(
    "2693ff 00ff00 ff0000 808039 ff00ff 80004c 00ffff ffff00 00009e ff99f5 266e80 ff9900 a3ff99 "
    "ffa399 802600 ff0066 008000 0000ff 262f80 ffe373 99d6ff 189e76 9e009e 9d73ff 80574c 94e022 "
    "ff26a8 ff704d 985f9e bf7c39 00e05a e06596 9422e0 8e9e00 ffcc00 738abf bf3947 004cff e0bc87 "
    "4dffc9 73bfb8 91bf73 004d80 bf0013 f173ff e3ff73 ff6600 ad99ff 1dbf6e bf9900 00b2ff 005ae0 "
    "408039 4d0080 bf3997 4c806b bf0060 ff26d4 a056bf 9e4759 bf6b56 bf4d00 62bf39 87e0b4 805c26 "
    "566bbf 39a4bf ff7381 70ff4d 99f5ff ffb84d 802677 ff944d ccff00 800026 bfb556 6239bf 00ff99 "
    "9e855f 5c4c80"
)

# White text on plates up to this relative luminance (0..1), where its contrast is 3:1 at least as
# WCAG 2.1 asks for large text ("Contrast (Minimum)"); black text on brighter ones has 7:1.
WHITE_TEXT_LUMINANCE = 0.3

# The width of a plate at most, as a share of the picture's; or this many times the font size.
PLATE_SHARE, PLATE_FONTS = 0.6, 8
HIDDEN_SHARE = 0.4  # the area of all plates, at most, as a share of the picture's

# A plate is kept off boxes smaller than some plates, at the cost of this share of what covering
# another plate costs.
SMALL_BOX, SMALL_BOX_COST = 4, 0.3
DISTANCE_COST = 0.001


class Rectangle(NamedTuple):
    """Corners in whole pixels, right and bottom exclusive, at least one pixel inside the image."""

    left: int
    top: int
    right: int
    bottom: int


class Label(NamedTuple):
    """What a plate says, in which font, with how many pixels around it."""

    text: str
    font: Font
    pad: int

    def extent(self) -> tuple[int, int]:
        """Return the top and the bottom of the text, in pixels below where it is drawn."""
        return _extent(self.font, self.text)

    def plate_size(self) -> tuple[int, int]:
        """Return the width and the height of the plate."""
        top, bottom = self.extent()
        return (
            math.ceil(self.font.getlength(self.text)) + 2 * self.pad,
            bottom - top + self.pad + 1,
        )


@lru_cache(maxsize=256)
def _extent(font: Font, text: str) -> tuple[int, int]:
    _, top, _, bottom = font.getbbox("Ag" + text)
    return math.floor(top), math.ceil(bottom)


def draw_instances(  # noqa: PLR0913  # one keyword for each part
    image: Image.Image | NDArray[np.uint8],
    instances: Instances,
    *,
    boxes: bool = True,
    masks: bool = True,
    names: bool = True,
    scores: bool = True,
    font: str | os.PathLike[str] | None = None,
) -> Image.Image:
    """Draw objects on a copy of their image.

    Each track, or else each visual prompt, or else each name has its colour, the same in every
    call with the same prompt; with a single name each object has one. Names are preceded by the
    number of the track, if any, and left out, the weakest object's first, where they would hide
    too much of a small picture.

    image      PIL image, turned upright as its EXIF orientation says, or [H, W, 3] uint8 RGB
    instances  what was found in it
    font       a TrueType or OpenType file, by its path or its name in the system's folders. Where
               it, or else Pillow's own font, lacks characters of a name, an installed font that
               has them is taken; what none has is written without accents or as its code
    Returns an RGB image of the same size, which notebooks show by themselves.
    Raises TypeError for another kind of image, ValueError for one of another size, and
    FileNotFoundError for a font that cannot be opened.
    """
    picture = _to_rgb(image)
    if (picture.height, picture.width) != instances.image_size:
        raise ValueError(
            f"image has (height, width) {(picture.height, picture.width)} but instances were "
            f"found in {instances.image_size}; draw on the image that was predicted"
        )
    found = instances.to("cpu")
    xyxy = clip_boxes(found.boxes.float(), found.image_size)
    # Large ones first, so that small ones stay on top.
    order = box_area(xyxy).argsort(descending=True, stable=True).tolist()
    rectangles = [_rectangle(box, picture) for box in xyxy.tolist()]
    colors = [track_color(key) for key in _color_keys(found)]
    line = max(LEAST_LINE, round(LINE_SHARE * sum(picture.size) / 2))
    if masks and found.masks is not None:
        windows = mask_to_boxes(found.masks).int().tolist()
        for n in order:
            _draw_mask(picture, found.masks[n].numpy(), Rectangle(*windows[n]), colors[n], line)
    if boxes:
        for n in order:
            _draw_box(picture, rectangles[n], colors[n], line)
    if names or scores:
        texts = _texts(found, names=names, scores=scores)
        labels = _write(texts, picture.size, font)
        _draw_labels(picture, rectangles, labels, colors)
    return picture


def _to_rgb(image: Image.Image | NDArray[np.uint8]) -> Image.Image:
    """Return a copy of the image in RGB."""
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.shape[2:] != (len("RGB"),):
            raise ValueError(
                f"image must be [H, W, 3] uint8, got {list(image.shape)} {image.dtype}"
            )
        return Image.fromarray(image).copy()
    if not isinstance(image, Image.Image):
        raise TypeError(
            "image must be a PIL image or a numpy array [H, W, 3] uint8, "
            f"got {type(image).__name__}"
        )
    upright = ImageOps.exif_transpose(image)  # a copy in any case
    # By way of RGBA, since Pillow warns when it drops the transparency of a palette.
    return upright if upright.mode == "RGB" else upright.convert("RGBA").convert("RGB")


def _rectangle(xyxy: list[float], picture: Image.Image) -> Rectangle:
    left, top, right, bottom = (round(value) for value in xyxy)
    left, top = min(left, picture.width - 1), min(top, picture.height - 1)
    return Rectangle(left, top, max(right, left + 1), max(bottom, top + 1))


def _color_keys(found: Instances) -> list[int]:
    """Return a number per object; equal numbers mean equal colours."""
    for ids in (found.track_ids, found.prompt_ids):
        if ids is not None:
            return ids.tolist()
    return list(range(len(found))) if len(found.names) == 1 else found.labels.tolist()


def _texts(found: Instances, *, names: bool, scores: bool) -> list[tuple[str, str]]:
    """Return what each object's plate may say: its label, and its score; either may be empty."""
    labels = [""] * len(found)
    if names:
        labels = [" ".join(name.split()) for name in found.label_names()]  # in one line
    if names and found.track_ids is not None:
        tracks = found.track_ids.tolist()
        labels = [f"#{track} {label}" for track, label in zip(tracks, labels, strict=True)]
    values = [f"{score:.2f}" if scores else "" for score in found.scores.tolist()]
    return list(zip(labels, values, strict=True))


def _draw_mask(
    picture: Image.Image, mask: NDArray[np.bool_], window: Rectangle, color: Color, line: int
) -> None:
    """Tint a mask and draw its contour, touching only the surroundings of its box."""
    radius = line // 2 + 2
    left, top = max(0, window.left - radius), max(0, window.top - radius)
    inside = mask[top : window.bottom + radius, left : window.right + radius]
    area = Image.fromarray(inside.view(np.uint8) * np.uint8(255))
    picture.paste(color, (left, top), area.point(_TINT))
    # Across a straight edge a box blur rises linearly: its values are distances from the edge,
    # which gives a smooth contour at the price of a blur. The image's border is no edge.
    edge = area.filter(ImageFilter.BoxBlur(radius)).point(_edge_opacities(line, radius))
    picture.paste(_shade(color), (left, top), edge)


@lru_cache(maxsize=8)
def _edge_opacities(line: int, radius: int) -> list[int]:
    """Return how opaque a contour is at each value of a mask that was blurred."""
    distances = [abs(v / 255 - 0.5) * (2 * radius + 1) for v in range(256)]
    return [round(255 * min(1.0, max(0.0, (line + 1) / 2 - d))) for d in distances]


def _draw_box(picture: Image.Image, box: Rectangle, color: Color, line: int) -> None:
    """Draw a box with a darker line on both sides, so that it shows on its own colour too."""
    draw = ImageDraw.Draw(picture)
    left, top, right, bottom = box.left, box.top, box.right - 1, box.bottom - 1  # all inclusive
    around = (left - 1, top - 1, right + 1, bottom + 1)
    draw.rectangle(around, outline=_shade(color), width=line + 2)
    draw.rectangle((left, top, right, bottom), outline=color, width=line)


def _write(
    texts: list[tuple[str, str]], image_size: tuple[int, int], font: str | os.PathLike[str] | None
) -> list[Label]:
    """Choose a font for each text, and what of the text fits into an image of (width, height)."""
    size = max(LEAST_FONT, round(FONT_SHARE * sum(image_size) / 2))
    pad, width = size // 4, image_size[0]
    room = max(PLATE_SHARE * width, min(PLATE_FONTS * size, width)) - 2 * pad
    texts = [(unicodedata.normalize("NFC", label), value) for label, value in texts]
    used = set().union(*(label + value for label, value in texts))
    fonts = [(one, lacking_in(one, used)) for one in load_fonts(used, size, font)]
    labels = []
    for label, value in texts:
        chosen, lacking = min(fonts, key=lambda one: len(one[1].intersection(label + value)))
        written = spell(label, lacking, chosen)
        labels.append(Label(_fit(written, value, chosen, room), chosen, pad))
    return labels


def _draw_labels(
    picture: Image.Image, boxes: list[Rectangle], labels: list[Label], colors: list[Color]
) -> None:
    """Write a plate beside each box, the best object choosing its place first."""
    sizes = [label.plate_size() for label in labels]
    areas = np.array([width * height for width, height in sizes])
    hidden = areas.cumsum() / (picture.width * picture.height)
    shown = int((hidden <= HIDDEN_SHARE).sum())
    plates = _place(boxes[:shown], sizes[:shown], picture.size)
    draw = ImageDraw.Draw(picture)
    for plate, box, color in zip(plates, boxes, colors, strict=False):
        _draw_leader(draw, plate, box, color)
    for plate, label, color in reversed(list(zip(plates, labels, colors, strict=False))):
        corners = (*plate[:2], plate.right - 1, plate.bottom - 1)
        draw.rectangle(corners, fill=color, outline=_shade(color))
        corner = (plate.left + label.pad, plate.top + (label.pad + 1) // 2 - label.extent()[0])
        draw.text(corner, label.text, fill=_text_color(color), font=label.font)


def _draw_leader(draw: ImageDraw.ImageDraw, plate: Rectangle, box: Rectangle, color: Color) -> None:
    """Join a plate that had to move away to its box by a line."""
    x, y = (plate.left + plate.right) // 2, (plate.top + plate.bottom) // 2
    near = (min(max(x, box.left), box.right), min(max(y, box.top), box.bottom))
    draw.line((x, y, *near), fill=color)


def _fit(label: str, value: str, font: Font, room: float) -> str:
    """Return the label and the score in one line, of the label only what fits into the room."""
    cuts = (label[:end].rstrip() + "…" for end in range(len(label) - 1, -1, -1))
    texts = (" ".join(filter(None, (cut, value))) for cut in (label, *cuts))
    return next((text for text in texts if font.getlength(text) <= room), value or "…")


def _place(
    boxes: list[Rectangle], sizes: list[tuple[int, int]], image_size: tuple[int, int]
) -> list[Rectangle]:
    """Place plates of (width, height) so that they cover each other and small boxes least.

    Inside an image of (width, height); each beside its box if there is room, and near it if not.
    """
    corners = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    areas = (corners[:, 2:] - corners[:, :2]).prod(axis=1)
    small = areas < SMALL_BOX * max((width * height for width, height in sizes), default=0)
    taken, costs = corners[small], np.full(small.sum(), SMALL_BOX_COST)
    plates = []
    for box, size in zip(boxes, sizes, strict=True):
        room = np.maximum(np.subtract(image_size, size), 0)
        places = np.clip(_places(box, *size), 0, room)  # [C, 2]
        low = np.maximum(places[:, None], taken[:, :2])
        high = np.minimum(places[:, None] + size, taken[:, 2:])
        covered = np.maximum(high - low, 0).prod(axis=2) @ costs / np.prod(size)
        x, y = places[np.argmin(covered + DISTANCE_COST * np.arange(len(places)))].tolist()
        plates.append(Rectangle(x, y, x + size[0], y + size[1]))
        taken, costs = np.vstack([taken, plates[-1]]), np.append(costs, 1)
    return plates


def _places(box: Rectangle, width: int, height: int) -> list[tuple[int, int]]:
    """List corners for a plate, the best first: at the corners of the box, then around it."""
    lefts = (box.left, box.right - width)
    tops = (box.top - height, box.top, box.bottom, box.bottom - height)
    places = [(x, y) for x in lefts for y in tops]
    for ring in range(1, 4):
        above, below = box.top - height * (ring + 1), box.bottom + height * ring
        aside = width * ring // 2
        for x in (box.left - aside, box.right - width + aside):
            places += [(x, y) for y in range(above, below + 1, height)]
        places += [(box.left, above), (box.left, below)]
    return places


def track_color(key: int) -> Color:
    """Return the colour of a track, or of another number; always the same."""
    start = 3 * key % len(PALETTE)
    red, green, blue = PALETTE[start : start + 3]
    return red, green, blue


def _shade(color: Color) -> Color:
    red, green, blue = (round(SHADE * value) for value in color)
    return red, green, blue


def _text_color(plate: Color) -> Color:
    """Return white or black, whichever is easy to read on the plate."""
    red, green, blue = ((value / 255) ** 2.2 for value in plate)  # close to sRGB's curve
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return (255, 255, 255) if luminance <= WHITE_TEXT_LUMINANCE else (0, 0, 0)
