"""Regions: what was marked on an image, as masks at the size of the network's input."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from glee.inference.preprocess import ImageGeometry
from glee.model.interfaces import Regions
from glee.ops.masks import resize_masks
from glee.prompts import BoxMark, Mark, MaskMark, Point, PointMark, ScribbleMark

POINT_REACH = 40
"""A point stands for the rectangle that reaches this fraction of the image's height and width to
each side, as in GLEE's demo."""

LINE_WIDTH = 100
"""A line is drawn as wide as this fraction of the image's shorter side."""


def rasterise(marks: Sequence[Mark], geometry: ImageGeometry) -> Regions:
    """Turn marks on one image into masks at the size of the network's input.

    marks  P objects, in pixels of the original image
    Returns regions of P rows, on the CPU. Each mark is drawn on the original image, resized
    bilinearly, and covers every pixel that then is not zero; one that vanishes by this keeps the
    pixels that it falls into. Points and scribbles are brightened. `negative_masks` is None
    without points of label 0. `boxes` are those of the marks before they were resized.
    Raises ValueError if a mark does not lie on the image or a mask has another size.

    GLEE (arXiv:2312.09158) and its released demo; there, points near the left or top border gave
    an empty region.
    """
    marks = fit_marks(marks, geometry.original)
    masks = torch.zeros(len(marks), *geometry.padded, dtype=torch.bool)
    negatives = torch.zeros_like(masks)
    boxes = torch.zeros(len(marks), 4)
    for row, mark in enumerate(marks):
        match mark:
            case PointMark(points=points, labels=labels):
                around = [_around(point, geometry.original) for point in points]
                for rectangle, keep in zip(around, labels, strict=True):
                    (masks if keep else negatives)[row] |= _rectangle(rectangle, geometry)
                boxes[row] = _join(
                    [rectangle for rectangle, keep in zip(around, labels, strict=True) if keep]
                )
            case BoxMark(xyxy=(x1, y1, x2, y2) as xyxy):
                corners = (math.floor(x1), math.floor(y1), math.ceil(x2), math.ceil(y2))
                masks[row], boxes[row] = _rectangle(corners, geometry), torch.tensor(xyxy)
            case ScribbleMark(stroke=tuple() as path):
                drawn = _draw(path, geometry.original)
                masks[row], boxes[row] = _resize(drawn, geometry), _extent(drawn)
            case ScribbleMark(stroke=np.ndarray() as pixels) | MaskMark(mask=pixels):
                masks[row], boxes[row] = _resize(pixels, geometry), _extent(pixels)
    return Regions(
        template_masks=masks,
        token_masks=masks,
        brightened=torch.tensor(
            [isinstance(mark, PointMark | ScribbleMark) for mark in marks], dtype=torch.bool
        ),
        negative_masks=negatives if negatives.any() else None,
        boxes=geometry.boxes_to_padded(boxes),
    )


def _join(rectangles: Sequence[tuple[int, int, int, int]]) -> Tensor:
    """Return the box [4] around rectangles xyxy; zeros around none."""
    if not rectangles:
        return torch.zeros(4)
    corners = torch.tensor(rectangles, dtype=torch.float32)
    return torch.cat([corners[:, :2].amin(dim=0), corners[:, 2:].amax(dim=0)])


def _extent(mask: NDArray[np.bool_]) -> Tensor:
    """Return the box [4] xyxy around a mask [H, W], in pixels; zeros around none."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return torch.zeros(4)
    edges = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return torch.tensor([float(edge) for edge in edges])


def _around(point: Point, image_size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the rectangle xyxy that a click stands for; at least one pixel of the image."""
    (x1, x2), (y1, y2) = (
        _reach(position, size) for position, size in zip(point, reversed(image_size), strict=True)
    )
    return x1, y1, x2, y2


def _reach(position: float, size: int) -> tuple[int, int]:
    pixel = min(int(position), size - 1)  # the right and bottom edges belong to the last pixel
    start = max(pixel - size // POINT_REACH, 0)
    return start, max(min(pixel + size // POINT_REACH, size), start + 1)


def _rectangle(xyxy: tuple[int, int, int, int], geometry: ImageGeometry) -> Tensor:
    """Return a filled rectangle of the original image, resized: [*padded] bool.

    Resizing is separable and its weights are not negative, so that the product of two resized
    lines is positive just where the resized rectangle is.
    """
    x1, y1, x2, y2 = xyxy
    return _line(y1, y2, 0, geometry)[:, None] & _line(x1, x2, 1, geometry)


def _line(start: int, stop: int, axis: int, geometry: ImageGeometry) -> Tensor:
    """Resize one axis of a rectangle: [padded] bool, True on start..stop-1 of the original."""
    line = torch.zeros(geometry.original[axis], 1, dtype=torch.bool)
    line[start:stop] = True
    resized, padded = (geometry.resized[axis], 1), (geometry.padded[axis], 1)
    small = resize_masks(line[None], resized=resized, padded=padded)[0]
    return _keep_some(small, line, resized)[:, 0]


def _resize(pixels: NDArray[np.bool_], geometry: ImageGeometry) -> Tensor:
    """Bring a mask [H, W] of the original image to the input: [*padded] bool."""
    mask = torch.tensor(pixels)
    return _keep_some(geometry.masks_to_padded(mask[None])[0], mask, geometry.resized)


def _keep_some(small: Tensor, mask: Tensor, resized: tuple[int, int]) -> Tensor:
    """Let a mask that vanished in resizing mark the pixels that it falls into."""
    if not small.any():
        rows, columns = mask.nonzero(as_tuple=True)
        small[rows * resized[0] // mask.shape[0], columns * resized[1] // mask.shape[1]] = True
    return small


def _draw(path: Sequence[Point], image_size: tuple[int, int]) -> NDArray[np.bool_]:
    """Draw a line from point to point, with round corners and ends: [H, W] bool."""
    height, width = image_size
    thickness = max(1, round(min(image_size) / LINE_WIDTH))
    canvas = Image.new("L", (width, height))
    draw = ImageDraw.Draw(canvas)
    # Points on the right and bottom edges belong to the last pixel.
    corners = [(math.floor(x) - (x == width), math.floor(y) - (y == height)) for x, y in path]
    draw.line(corners, fill=1, width=thickness)
    draw.point(corners, fill=1)  # Pillow leaves out ellipses of one pixel
    for x, y in corners:
        left, top = x - thickness // 2, y - thickness // 2
        draw.ellipse((left, top, left + thickness - 1, top + thickness - 1), fill=1)
    return np.array(canvas, dtype=np.bool_)


def fit_marks(marks: Sequence[Mark], image_size: tuple[int, int]) -> tuple[Mark, ...]:
    """Check marks against the image they were made for and clip their boxes to it.

    image_size  (height, width) in pixels
    Raises ValueError if a point of a click or line lies outside, a box does not overlap the
    image, or a mask has another size.
    """
    return tuple(_fit_mark(mark, image_size) for mark in marks)


def _fit_mark(mark: Mark, image_size: tuple[int, int]) -> Mark:
    match mark:
        case PointMark(points=points):
            _require_inside("points", points, image_size)
        case BoxMark(xyxy=xyxy):
            return BoxMark(_clip(xyxy, image_size))
        case ScribbleMark(stroke=tuple() as path):
            _require_inside("scribbles", path, image_size)
        case ScribbleMark(stroke=np.ndarray() as drawn):
            _require_size("scribbles", drawn, image_size)
        case MaskMark(mask=mask):
            _require_size("masks", mask, image_size)
    return mark


def _image(image_size: tuple[int, int]) -> str:
    return f"the image (width {image_size[1]}, height {image_size[0]})"


def _require_inside(name: str, points: Sequence[Point], image_size: tuple[int, int]) -> None:
    """Raise unless all points lie in the image, whose right and bottom edges still do."""
    height, width = image_size
    for x, y in points:
        if not (0 <= x <= width and 0 <= y <= height):
            raise ValueError(f"{name}: ({x:g}, {y:g}) lies outside {_image(image_size)}")


def _clip(
    xyxy: tuple[float, float, float, float], image_size: tuple[int, int]
) -> tuple[float, float, float, float]:
    height, width = image_size
    x1, y1, x2, y2 = xyxy
    if x1 >= width or y1 >= height or x2 <= 0 or y2 <= 0:
        raise ValueError(
            f"boxes: ({x1:g}, {y1:g}, {x2:g}, {y2:g}) does not overlap {_image(image_size)}"
        )
    return max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))


def _require_size(name: str, mask: NDArray[np.bool_], image_size: tuple[int, int]) -> None:
    if mask.shape != image_size:
        raise ValueError(
            f"{name}: a mask is {list(mask.shape)} but the image is {list(image_size)} "
            "([height, width]); give masks at the size of the image"
        )
