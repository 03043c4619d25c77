"""Layers: cut-outs scaled, turned and placed on a canvas, and which pixels of each are seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from glee.ops.masks import Rle, encode_rle

HALF = 128
"""From this alpha on a pixel belongs to the object."""

DRAWN_IN = np.clip((np.arange(256) - 96) * 1.6, 0, 255).round().astype(np.uint8)
"""Alpha for each blurred alpha: a straight border, half of it where it was, moves inwards."""

Size = tuple[int, int]
"""(height, width) in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """Where and how an object lies on the canvas.

    center   (x, y) of its picture, in pixels
    side     length of the longer side of its picture, in pixels
    angle    by which it is turned, in degrees, counter-clockwise
    mirrored  whether left and right are exchanged
    """

    center: tuple[float, float]
    side: float
    angle: float = 0.0
    mirrored: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A picture on the canvas, cut at its borders.

    pixels  [h, w, 4] uint8, RGBA
    corner  (left, top) on the canvas
    solid   [h, w] bool, the pixels that belong to the object
    area    pixels of the object in all, those beyond the borders too
    """

    pixels: NDArray[np.uint8]
    corner: tuple[int, int]
    solid: NDArray[np.bool_]
    area: int

    @property
    def window(self) -> tuple[slice, slice]:
        """The part of the canvas that it covers."""
        (left, top), (height, width) = self.corner, self.solid.shape
        return slice(top, top + height), slice(left, left + width)


def place(picture: Image.Image, pose: Pose, size: Size, *, soften: float = 0.0) -> Layer:
    """Put a cut-out on a canvas.

    picture  RGBA
    size     of the canvas
    soften   how far to blur the border of the object, in pixels, drawing it in by as much, so
             that no rim of its old background is left; not at all where 0
    """
    scale = pose.side / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    if pose.mirrored:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if (width, height) != picture.size:
        picture = picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    if pose.angle:
        picture = picture.rotate(pose.angle, Image.Resampling.BILINEAR, expand=True)
    pixels = np.array(picture)
    if soften:
        pixels[..., 3] = _soften(pixels[..., 3], soften)
    solid = pixels[..., 3] >= HALF
    left = round(pose.center[0] - picture.width / 2)
    top = round(pose.center[1] - picture.height / 2)
    part, corner = overlap((left, top), solid.shape, size)
    return Layer(pixels[part], corner, solid[part], int(np.count_nonzero(solid)))


def overlap(
    corner: tuple[int, int], own: tuple[int, ...], size: Size
) -> tuple[tuple[slice, slice], tuple[int, int]]:
    """Return the part of a picture that lies on a canvas, and the corner of that part there.

    corner  (left, top) of the picture on the canvas
    own     (height, width) of the picture
    size    of the canvas
    """
    slices, corners = [], []
    for start, length, room in zip(corner[::-1], own, size, strict=True):
        first = min(max(0, -start), length)
        slices.append(slice(first, max(first, min(length, room - start))))
        corners.append(max(start, 0))
    return (slices[0], slices[1]), (corners[1], corners[0])


def _soften(alpha: NDArray[np.uint8], radius: float) -> NDArray[np.uint8]:
    blurred = Image.fromarray(np.ascontiguousarray(alpha)).filter(ImageFilter.BoxBlur(radius))
    return DRAWN_IN.take(np.asarray(blurred))


def owners(layers: Sequence[Layer], size: Size) -> NDArray[np.uint8]:
    """Return which layer each pixel of the canvas shows: [H, W], 0 for none, or its row plus 1.

    Later layers lie on top.
    """
    owner = np.zeros(size, dtype=np.uint8)
    for row, layer in enumerate(layers, 1):
        owner[layer.window][layer.solid] = row
    return owner


def seen_pixels(layers: Sequence[Layer], size: Size) -> NDArray[np.int64]:
    """Return how many pixels of each layer are seen, [N]."""
    counts = np.bincount(owners(layers, size).ravel(), minlength=len(layers) + 1)
    return counts[1:]


def seen_masks(layers: Sequence[Layer], size: Size) -> tuple[tuple[Rle, ...], NDArray[np.float32]]:
    """Return the masks of what is seen of each layer, and their boxes [N, 4] xyxy.

    A layer of which nothing is seen has an empty mask and a box of zeros.
    """
    owner = owners(layers, size)
    masks, boxes = [], np.zeros((len(layers), 4), dtype=np.float32)
    for row, layer in enumerate(layers):
        part = owner[layer.window] == row + 1
        mask = np.zeros(size, dtype=bool)
        mask[layer.window] = part
        masks.append(mask)
        columns, rows = np.flatnonzero(part.any(0)), np.flatnonzero(part.any(1))
        if len(columns):
            left, top = layer.corner
            boxes[row] = (
                left + columns[0],
                top + rows[0],
                left + columns[-1] + 1,
                top + rows[-1] + 1,
            )
    if not masks:
        return (), boxes
    return tuple(encode_rle(torch.from_numpy(np.stack(masks)))), boxes
