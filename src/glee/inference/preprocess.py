"""Bringing an image to the network's size, and coordinates there and back."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from glee.config import ResizeConfig
from glee.ops.boxes import clip_boxes, cxcywh_to_xyxy, scale_boxes
from glee.ops.masks import resize_masks

PIXEL_MEAN = (123.675, 116.28, 103.53)
PIXEL_STD = (58.395, 57.12, 57.375)
"""Of the red, green and blue of ImageNet's images, 0..255."""

PADDING_GREY = 128
"""What fills a square canvas before normalisation, in all channels."""


@dataclass(frozen=True, slots=True)
class ImageGeometry:
    """Where an image lies in the network's input; all sizes are (height, width).

    original  of the image as it was given
    resized   of the image inside the input, top left
    padded    of the input
    content   of what results are cut from: `resized`, but for square inputs up to one pixel less
              on each side, since GLEE's released code rounds once up or down and once down only
    """

    original: tuple[int, int]
    resized: tuple[int, int]
    padded: tuple[int, int]
    content: tuple[int, int]

    def boxes_to_original(self, boxes_cxcywh: Tensor, *, clip: bool = True) -> Tensor:
        """Turn the network's boxes into xyxy in pixels of the original image.

        boxes_cxcywh  [..., 4] in 0..1 of the padded input
        clip          cut the boxes at the image's borders; the released code does so for Pro
                      only, so that benchmarks of Lite and Plus want it off
        """
        scale = [
            full * padded / content
            for full, padded, content in zip(self.original, self.padded, self.content, strict=True)
        ]
        xyxy = scale_boxes(cxcywh_to_xyxy(boxes_cxcywh), (scale[0], scale[1]))
        return clip_boxes(xyxy, self.original) if clip else xyxy

    def boxes_to_padded(self, xyxy: Tensor) -> Tensor:
        """Turn boxes [..., 4] xyxy in pixels of the original into 0..1 of the padded input."""
        scale = [
            content / (full * padded)
            for full, padded, content in zip(self.original, self.padded, self.content, strict=True)
        ]
        return scale_boxes(xyxy, (scale[0], scale[1]))

    def masks_to_padded(self, masks: Tensor) -> Tensor:
        """Turn masks [N, H, W] bool of the original image into masks [N, *padded] of the input."""
        return resize_masks(masks, resized=self.resized, padded=self.padded)


def resized_size(original: tuple[int, int], config: ResizeConfig) -> tuple[int, int]:
    """Return the (height, width) to which an image of size `original` is resized.

    As in detectron2 (`ResizeShortestEdge`): the shortest edge becomes `config.shortest`, less if
    the longest would exceed `config.longest`; halves round up. No side becomes less than a pixel.
    """
    # In this order, and not as one factor, for the same rounding as there.
    scale = (config.longest if config.square else config.shortest) / min(original)
    height, width = original[0] * scale, original[1] * scale
    if max(height, width) > config.longest:
        scale = config.longest / max(height, width)
        height, width = height * scale, width * scale
    return max(int(height + 0.5), 1), max(int(width + 0.5), 1)


def image_geometry(
    original: tuple[int, int], config: ResizeConfig, *, resize: bool = True
) -> ImageGeometry:
    """Plan where an image of size (height, width) lies in the network's input.

    Without `resize` the image keeps its size and is only padded.
    Raises ValueError for an image larger than a square input that it must fit into.
    """
    resized = resized_size(original, config) if resize else original
    if not config.square:
        padded = _round_up(resized[0], config.divisor), _round_up(resized[1], config.divisor)
        return ImageGeometry(original, resized, padded, content=resized)
    side = config.longest
    if max(resized) > side:
        raise ValueError(
            f"image {original} is larger than the square input of {side} pixels; resize it"
        )
    if not resize:
        return ImageGeometry(original, resized, (side, side), content=resized)
    ratio = side / max(original)
    content = max(int(original[0] * ratio), 1), max(int(original[1] * ratio), 1)
    return ImageGeometry(original, resized, (side, side), content)


def preprocess(
    image: NDArray[np.uint8], config: ResizeConfig, *, resize: bool = True
) -> tuple[Tensor, ImageGeometry]:
    """Resize, normalise and pad an image.

    image   [H, W, 3] RGB, 0..255
    resize  without it the image keeps its size
    Returns pixels [3, *padded] float32, normalised, and the geometry that leads back. Each image
    is padded by itself, and so gives the same result in any batch. In memory the channels of a
    pixel lie side by side, as the bytes do and as convolutions read them fastest.
    Raises ValueError for an image without `resize` that a square input cannot hold.
    """
    geometry = image_geometry(image.shape[:2], config, resize=resize)
    height, width = geometry.resized
    rows = _resize_bytes(image, geometry.resized).reshape(height, width * len(PIXEL_MEAN))
    if config.square:
        padding = (
            0,
            (geometry.padded[1] - width) * len(PIXEL_MEAN),
            0,
            geometry.padded[0] - height,
        )
        rows = F.pad(rows, padding, value=PADDING_GREY)
    # A row at a time: with only three numbers side by side arithmetic is many times slower.
    canvas = torch.zeros(geometry.padded[0], geometry.padded[1] * len(PIXEL_MEAN))
    inside = canvas[: rows.shape[0], : rows.shape[1]]
    mean, std = _side_by_side(geometry.padded[1])
    torch.sub(rows, mean[: rows.shape[1]], out=inside).div_(std[: rows.shape[1]])
    return canvas.view(*geometry.padded, len(PIXEL_MEAN)).permute(2, 0, 1), geometry


def _resize_bytes(image: NDArray[np.uint8], size: tuple[int, int]) -> Tensor:
    """Resize an image [H, W, 3] to size (height, width); uint8 as well.

    Pillow's bilinear filter on bytes, as detectron2 has it: it reads all pixels when it shrinks,
    and rounds to bytes. In torch it takes a quarter of the time; its weights have 16 bits, so that
    a few in a thousand values are one of 255 higher or lower than with Pillow.
    """
    source = torch.from_numpy(np.require(image, requirements=("C", "W")))
    channels = source.permute(2, 0, 1)[None]
    resized = F.interpolate(channels, size, mode="bilinear", antialias=True)
    return resized[0].permute(1, 2, 0)


@lru_cache(maxsize=16)
def _side_by_side(width: int) -> tuple[Tensor, Tensor]:
    """Return the mean and the deviation of each number in a row of so many pixels."""
    return torch.tensor(PIXEL_MEAN).repeat(width), torch.tensor(PIXEL_STD).repeat(width)


def normalise(pixels: Tensor) -> Tensor:
    """Subtract the mean and divide by the deviation of each channel.

    pixels  [..., 3, H, W] float RGB, 0..255
    """
    mean, std = pixels.new_tensor(PIXEL_MEAN), pixels.new_tensor(PIXEL_STD)
    return (pixels - mean[:, None, None]) / std[:, None, None]


def _round_up(value: int, divisor: int) -> int:
    return -(-value // divisor) * divisor
