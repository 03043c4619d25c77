"""Marks as a user would make them: boxes, points and scribbles on an object that is known."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from glee.ops.masks import mask_to_boxes

POINT_REACH = 40
"""A point stands for the rectangle that reaches this fraction of the image's height and width to
each side, as it does when it is a user's."""

LINE_WIDTH = 100
"""A scribble is as wide as this fraction of the image's shorter side."""

TURNS = 3
"""A scribble bends at most this many times."""

SMOOTHINGS = 3
"""How often the corners of a scribble are cut."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """An object on the canvas that its image is padded to.

    canvas  (height, width)
    image   (height, width) of the image, at the top left
    xyxy    [4] float, its box in pixels
    mask    [*canvas] bool, not empty; None if there is none
    """

    canvas: tuple[int, int]
    image: tuple[int, int]
    xyxy: Tensor
    mask: Tensor | None = None


def draw_box(known: Known, jitter: float, generator: torch.Generator) -> Tensor:
    """Return a filled box around an object, [*canvas] bool, at least one pixel of the image.

    jitter  largest shift of each side, in shares of the box's width or height
    """
    box = known.xyxy if known.mask is None else mask_to_boxes(known.mask[None])[0]
    sides = (box[2:] - box[:2]).repeat(2)
    box = box + sides * jitter * (2 * torch.rand(4, generator=generator) - 1)
    x1, y1 = box[:2].floor().long().tolist()
    x2, y2 = box[2:].ceil().long().tolist()
    return _fill(known, (x1, y1, x2, y2))


def draw_point(known: Known, generator: torch.Generator) -> Tensor:
    """Return the rectangle that a click on an object stands for, [*canvas] bool.

    The click is on any pixel of the mask; without a mask, on one in the middle of the box, half as
    wide and high. The original (arXiv:2312.09158, released code) cuts nothing at the borders, by
    which the rectangles near the left and top ones come out empty.
    """
    if known.mask is None:
        share = 0.25 + 0.5 * torch.rand(2, generator=generator)
        x, y = (known.xyxy[:2] + share * (known.xyxy[2:] - known.xyxy[:2])).long().tolist()
    else:
        y, x = _pixels(known.mask, 1, generator)[0].tolist()
    reach_y, reach_x = (side // POINT_REACH for side in known.image)
    return _fill(known, (x - reach_x, y - reach_y, x + reach_x, y + reach_y))


def draw_scribble(mask: Tensor, image: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Return a curved stroke on an object, [H, W] bool, never empty.

    mask   [H, W] bool, the object, not empty; where it is not, the stroke is lifted
    image  (height, width)

    It goes through a few pixels of the object, in the order of some direction.
    """
    count = 2 + int(torch.randint(TURNS + 1, (), generator=generator))
    path = _pixels(mask, count, generator).float()
    direction = torch.randn(2, generator=generator)
    path = path[(path @ direction).argsort()]
    for _ in range(SMOOTHINGS):
        path = _cut_corners(path)
    pixels = (_walk(path)[:, None] + _disc(min(image) / LINE_WIDTH / 2)).flatten(0, 1)
    y, x = pixels.round().long().unbind(1)
    stroke = torch.zeros_like(mask)
    stroke[y.clamp(0, mask.shape[0] - 1), x.clamp(0, mask.shape[1] - 1)] = True
    return stroke & mask  # its ends lie on the object


def _fill(known: Known, xyxy: tuple[int, int, int, int]) -> Tensor:
    """Return a rectangle cut at the borders of the image; at least one pixel of it."""
    height, width = known.image
    x1, y1 = min(max(xyxy[0], 0), width - 1), min(max(xyxy[1], 0), height - 1)
    x2, y2 = min(max(xyxy[2], x1 + 1), width), min(max(xyxy[3], y1 + 1), height)
    filled = torch.zeros(known.canvas, dtype=torch.bool)
    filled[y1:y2, x1:x2] = True
    return filled


def _pixels(mask: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return pixels [count, 2] (y, x) of a mask, any of which may come twice."""
    every = mask.nonzero()
    return every[torch.randint(len(every), (count,), generator=generator)]


def _cut_corners(path: Tensor) -> Tensor:
    """Smooth a path [n, 2] (Chaikin, "An algorithm for high-speed curve generation", 1974)."""
    early, late = path[:-1], path[1:]
    inner = torch.stack([0.75 * early + 0.25 * late, 0.25 * early + 0.75 * late], dim=1)
    return torch.cat([path[:1], inner.flatten(0, 1), path[-1:]])


def _walk(path: Tensor) -> Tensor:
    """Return points [m, 2] along a path [n, 2], less than a pixel apart."""
    parts = []
    for early, late in pairwise(path):
        count = int((late - early).abs().max()) + 2
        parts.append(early + (late - early) * torch.linspace(0, 1, count)[:, None])
    return torch.cat(parts)


def _disc(radius: float) -> Tensor:
    """Return the offsets [k, 2] of the pixels within a radius."""
    reach = torch.arange(-int(radius), int(radius) + 1)
    offsets = torch.cartesian_prod(reach, reach).float()
    return offsets[offsets.norm(dim=1) <= radius]
