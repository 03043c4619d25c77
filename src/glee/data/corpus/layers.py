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

DRAWN_IN = [min(255, max(0, round((value - 96) * 1.6))) for value in range(256)]
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

    picture  RGBA
    corner   (left, top) on the canvas
    solid    [h, w] bool, the pixels that belong to the object
    area     pixels of the object in all, those beyond the borders too
    """

    picture: Image.Image
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
    if soften:
        picture = picture.copy() if picture.size == (width, height) else picture
        picture.putalpha(_soften(picture.getchannel("A"), soften))
    left = round(pose.center[0] - picture.width / 2)
    top = round(pose.center[1] - picture.height / 2)
    area = int(np.count_nonzero(np.asarray(picture.getchannel("A")) >= HALF))
    part = (
        max(0, -left),
        max(0, -top),
        max(0, min(picture.width, size[1] - left)),
        max(0, min(picture.height, size[0] - top)),
    )
    part = (part[0], part[1], max(part[0], part[2]), max(part[1], part[3]))
    if part != (0, 0, *picture.size):
        picture = picture.crop(part)
    solid = np.asarray(picture.getchannel("A")) >= HALF
    return Layer(picture, (max(left, 0), max(top, 0)), solid, area)


def _soften(alpha: Image.Image, radius: float) -> Image.Image:
    return alpha.filter(ImageFilter.BoxBlur(radius)).point(DRAWN_IN)


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
