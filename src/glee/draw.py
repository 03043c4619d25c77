"""Pictures of results: masks, boxes and names drawn on the image, legible at any size."""

import colorsys
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from glee.ops.boxes import box_area, clip_boxes
from glee.ops.masks import mask_to_boxes
from glee.results import Instances

Color = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

# Sizes as shares of the image's mean side, and the least that can be seen, in pixels.
LINE_SHARE, LEAST_LINE = 0.003, 1
FONT_SHARE, LEAST_FONT = 0.022, 11

MASK_OPACITY = 0.45
SHADE = 0.55  # brightness of a darker line beside a colour, as a share of the colour's

# Steps by the golden ratio keep any number of hues apart, and tones tell close hues apart. The
# hues (degrees) around the circle, in steps that look alike: plain HSV has much green and little
# orange.
GOLDEN_RATIO = (math.sqrt(5) - 1) / 2
FIRST_HUE = 0.58
HUES = (0, 25, 42, 56, 80, 125, 160, 185, 205, 230, 265, 300, 335, 360)
TONES = ((0.85, 1.0), (0.55, 1.0), (1.0, 0.85))  # saturation, value

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


def draw_instances(
    image: Image.Image | NDArray[np.uint8],
    instances: Instances,
    *,
    boxes: bool = True,
    masks: bool = True,
    names: bool = True,
    scores: bool = True,
) -> Image.Image:
    """Draw objects on a copy of their image.

    Each track, or else each visual prompt, or else each name has its colour, the same in every
    call with the same prompt; with a single name each object has one. Names are preceded by the
    number of the track, if any, and left out, the weakest object's first, where they would hide
    too much of a small picture.

    image      PIL image, turned upright as its EXIF orientation says, or [H, W, 3] uint8 RGB
    instances  what was found in it
    Returns an RGB image of the same size, which notebooks show by themselves.
    Raises TypeError for another kind of image, ValueError for one of another size.
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
    colors = [_color(key) for key in _color_keys(found)]
    line = max(LEAST_LINE, round(LINE_SHARE * sum(picture.size) / 2))
    if masks and found.masks is not None:
        windows = mask_to_boxes(found.masks).int().tolist()
        for n in order:
            _draw_mask(picture, found.masks[n].numpy(), Rectangle(*windows[n]), colors[n], line)
    if boxes:
        for n in order:
            _draw_box(picture, rectangles[n], colors[n], line)
    if names or scores:
        _draw_labels(picture, rectangles, _texts(found, names=names, scores=scores), colors)
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


def _texts(found: Instances, *, names: bool, scores: bool) -> list[tuple[str, ...]]:
    """Return what each object's plate may say, the fullest text first."""
    labels = found.label_names()
    if found.track_ids is not None:
        tracks = found.track_ids.tolist()
        labels = [f"#{track} {label}" for track, label in zip(tracks, labels, strict=True)]
    values = [f"{score:.2f}" for score in found.scores.tolist()]
    if names and scores:
        return [(f"{label} {value}", label) for label, value in zip(labels, values, strict=True)]
    return [(text,) for text in (labels if names else values)]


def _draw_mask(
    picture: Image.Image, mask: NDArray[np.bool_], window: Rectangle, color: Color, line: int
) -> None:
    """Tint a mask and draw its contour, touching only the surroundings of its box."""
    radius = line // 2 + 2
    left, top = max(0, window.left - radius), max(0, window.top - radius)
    inside = mask[top : window.bottom + radius, left : window.right + radius]
    area = Image.fromarray(inside.view(np.uint8) * np.uint8(255))
    picture.paste(color, (left, top), area.point([round(v * MASK_OPACITY) for v in range(256)]))
    # Across a straight edge a box blur rises linearly: its values are distances from the edge,
    # which gives a smooth contour at the price of a blur. The image's border is no edge.
    distances = [abs(v / 255 - 0.5) * (2 * radius + 1) for v in range(256)]
    opacities = [round(255 * min(1.0, max(0.0, (line + 1) / 2 - d))) for d in distances]
    edge = area.filter(ImageFilter.BoxBlur(radius)).point(opacities)
    picture.paste(_shade(color), (left, top), edge)


def _draw_box(picture: Image.Image, box: Rectangle, color: Color, line: int) -> None:
    """Draw a box with a darker line on both sides, so that it shows on its own colour too."""
    draw = ImageDraw.Draw(picture)
    left, top, right, bottom = box.left, box.top, box.right - 1, box.bottom - 1  # all inclusive
    around = (left - 1, top - 1, right + 1, bottom + 1)
    draw.rectangle(around, outline=_shade(color), width=line + 2)
    draw.rectangle((left, top, right, bottom), outline=color, width=line)


def _draw_labels(
    picture: Image.Image, boxes: list[Rectangle], texts: list[tuple[str, ...]], colors: list[Color]
) -> None:
    """Write a plate beside each box, the best object choosing its place first."""
    size = max(LEAST_FONT, round(FONT_SHARE * sum(picture.size) / 2))
    font, pad = ImageFont.load_default(size), size // 4
    _, top, _, bottom = font.getbbox("Ag")
    height = math.ceil(bottom - top) + pad + 1
    widest = max(PLATE_SHARE * picture.width, min(PLATE_FONTS * size, picture.width))
    fitted = [_fit(options, font, widest - 2 * pad) for options in texts]
    widths = [math.ceil(font.getlength(text)) + 2 * pad for text in fitted]
    hidden = np.cumsum(widths) * height / (picture.width * picture.height)
    shown = int((hidden <= HIDDEN_SHARE).sum())
    plates = _place(boxes[:shown], [(width, height) for width in widths[:shown]], picture.size)
    draw = ImageDraw.Draw(picture)
    for plate, box, color in zip(plates, boxes, colors, strict=False):
        _draw_leader(draw, plate, box, color)
    for plate, text, color in reversed(list(zip(plates, fitted, colors, strict=False))):
        corners = (*plate[:2], plate.right - 1, plate.bottom - 1)
        draw.rectangle(corners, fill=color, outline=_shade(color))
        corner = (plate.left + pad, plate.top + (pad + 1) // 2 - top)
        draw.text(corner, text, fill=_text_color(color), font=font)


def _draw_leader(draw: ImageDraw.ImageDraw, plate: Rectangle, box: Rectangle, color: Color) -> None:
    """Join a plate that had to move away to its box by a line."""
    x, y = (plate.left + plate.right) // 2, (plate.top + plate.bottom) // 2
    near = (min(max(x, box.left), box.right), min(max(y, box.top), box.bottom))
    draw.line((x, y, *near), fill=color)


def _fit(options: tuple[str, ...], font: Font, room: float) -> str:
    """Return the first text that fits into the room, or what fits of the last one."""
    for text in options:
        if font.getlength(text) <= room:
            return text
    cuts = (options[-1][:end].rstrip() + "…" for end in range(len(options[-1]), 0, -1))
    return next((cut for cut in cuts if font.getlength(cut) <= room), "…")


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


def _color(key: int) -> Color:
    """Return the colour of a number, always the same."""
    turn = (FIRST_HUE + key * GOLDEN_RATIO) % 1
    hue = float(np.interp(turn, np.linspace(0, 1, len(HUES)), HUES)) / 360
    red, green, blue = colorsys.hsv_to_rgb(hue, *TONES[key % len(TONES)])
    return round(255 * red), round(255 * green), round(255 * blue)


def _shade(color: Color) -> Color:
    red, green, blue = (round(SHADE * value) for value in color)
    return red, green, blue


def _text_color(plate: Color) -> Color:
    """Return white or black, whichever is easy to read on the plate."""
    red, green, blue = ((value / 255) ** 2.2 for value in plate)  # close to sRGB's curve
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return (255, 255, 255) if luminance <= WHITE_TEXT_LUMINANCE else (0, 0, 0)
