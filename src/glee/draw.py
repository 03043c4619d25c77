"""Pictures of results: masks, boxes and names drawn on the image, legible at any size."""

import os
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageOps
from torch import Tensor

from glee.colors import Color, shade, track_color
from glee.ops.boxes import box_area, clip_boxes
from glee.ops.masks import mask_to_boxes
from glee.plates import Rectangle, draw_plates
from glee.results import Instances

# Width of a line as a share of the image's mean side, and the least that can be seen, in pixels.
LINE_SHARE, LEAST_LINE = 0.003, 1

MASK_OPACITY = 0.45


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
    picture = copy_rgb(image)
    if (picture.height, picture.width) != instances.image_size:
        raise ValueError(
            f"image has (height, width) {(picture.height, picture.width)} but instances were "
            f"found in {instances.image_size}; draw on the image that was predicted"
        )
    found = instances.to("cpu")
    draw_shapes(picture, found, boxes=boxes, masks=masks)
    draw_names(picture, found, names=names, scores=scores, font=font)
    return picture


def draw_shapes(
    picture: Image.Image,
    found: Instances,
    mask_boxes: Tensor | None = None,
    *,
    boxes: bool = True,
    masks: bool = True,
) -> None:
    """Draw masks and boxes of objects, which are on the CPU, on their own picture in RGB.

    mask_boxes  [N, 4] tightest boxes around the masks, if they are known: saves finding them
    """
    # Large ones first, so that small ones stay on top.
    xyxy = clip_boxes(found.boxes.float(), found.image_size)
    order = box_area(xyxy).argsort(descending=True, stable=True).tolist()
    colors = [track_color(key) for key in _color_keys(found)]
    line = max(LEAST_LINE, round(LINE_SHARE * sum(picture.size) / 2))
    if masks and found.masks is not None:
        around = mask_to_boxes(found.masks) if mask_boxes is None else mask_boxes
        windows = around.int().tolist()
        for n in order:
            _draw_mask(picture, found.masks[n].numpy(), Rectangle(*windows[n]), colors[n], line)
    if boxes:
        rectangles = _rectangles(found, picture)
        for n in order:
            _draw_box(picture, rectangles[n], colors[n], line)


def draw_names(
    picture: Image.Image,
    found: Instances,
    *,
    names: bool = True,
    scores: bool = True,
    font: str | os.PathLike[str] | None = None,
) -> None:
    """Write what objects, which are on the CPU, are called on their own picture in RGB."""
    if names or scores:
        texts = _texts(found, names=names, scores=scores)
        colors = [track_color(key) for key in _color_keys(found)]
        draw_plates(picture, _rectangles(found, picture), texts, colors, font)


def copy_rgb(image: Image.Image | NDArray[np.uint8]) -> Image.Image:
    """Return a copy of the image in RGB."""
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.shape[2:] != (len("RGB"),):
            raise ValueError(
                f"image must be [H, W, 3] uint8, got {list(image.shape)} {image.dtype}"
            )
        return Image.fromarray(image)  # Pillow stores RGB in another way: a copy
    if not isinstance(image, Image.Image):
        raise TypeError(
            "image must be a PIL image or a numpy array [H, W, 3] uint8, "
            f"got {type(image).__name__}"
        )
    upright = ImageOps.exif_transpose(image)  # a copy in any case
    # By way of RGBA, since Pillow warns when it drops the transparency of a palette.
    return upright if upright.mode == "RGB" else upright.convert("RGBA").convert("RGB")


def _rectangles(found: Instances, picture: Image.Image) -> list[Rectangle]:
    """Return the boxes in whole pixels of the picture, at least one in each."""
    rectangles = []
    for box in clip_boxes(found.boxes.float(), found.image_size).tolist():
        left, top, right, bottom = (round(value) for value in box)
        left, top = min(left, picture.width - 1), min(top, picture.height - 1)
        rectangles.append(Rectangle(left, top, max(right, left + 1), max(bottom, top + 1)))
    return rectangles


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
    inside = mask[window.top : window.bottom, window.left : window.right].view(np.uint8)
    picture.paste(color, window[:2], _grey(inside * np.uint8(round(255 * MASK_OPACITY))))
    radius = line // 2 + 2
    left, top = max(0, window.left - radius), max(0, window.top - radius)
    inside = mask[top : window.bottom + radius, left : window.right + radius].view(np.uint8)
    # Across a straight edge a box blur rises linearly: its values are distances from the edge,
    # which gives a smooth contour at the price of a blur. The image's border is no edge.
    blurred = np.asarray(_grey(inside * np.uint8(255)).filter(ImageFilter.BoxBlur(radius)))
    edge = _edge_opacities(line, radius).take(blurred)
    picture.paste(shade(color), (left, top), _grey(edge))


def _grey(values: NDArray[np.uint8]) -> Image.Image:
    """Return an image of values [H, W], not copied; in half the time of `Image.fromarray`."""
    return Image.frombuffer("L", values.shape[::-1], values, "raw", "L", 0, 1)


@lru_cache(maxsize=8)
def _edge_opacities(line: int, radius: int) -> NDArray[np.uint8]:
    """Return how opaque a contour is at each value of a mask that was blurred."""
    distances = [abs(v / 255 - 0.5) * (2 * radius + 1) for v in range(256)]
    opacities = [round(255 * min(1.0, max(0.0, (line + 1) / 2 - d))) for d in distances]
    return np.array(opacities, dtype=np.uint8)


def _draw_box(picture: Image.Image, box: Rectangle, color: Color, line: int) -> None:
    """Draw a box with a darker line on both sides, so that it shows on its own colour too."""
    draw = ImageDraw.Draw(picture)
    left, top, right, bottom = box.left, box.top, box.right - 1, box.bottom - 1  # all inclusive
    around = (left - 1, top - 1, right + 1, bottom + 1)
    draw.rectangle(around, outline=shade(color), width=line + 2)
    draw.rectangle((left, top, right, bottom), outline=color, width=line)
