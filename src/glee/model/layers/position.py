"""Where things are: cell centres, and sine encodings of cells and boxes."""

import math

import torch
from torch import Tensor

from glee.model.interfaces import LevelShapes

TEMPERATURE = 10000.0


def encode_sine(position: Tensor, width: int) -> Tensor:
    """Encode positions [...] in radians as [..., width]: sine and cosine of falling frequencies.

    Attention Is All You Need (arXiv:1706.03762, section 3.5), sine and cosine alternating.
    """
    index = torch.arange(width // 2, device=position.device, dtype=position.dtype)
    angle = position[..., None] / TEMPERATURE ** (2 * index / width)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)


def encode_cells(shape: tuple[int, int], width: int, like: Tensor) -> Tensor:
    """Encode the cells of one level as [h * w, width], row by row; first half y, second half x.

    Rows and columns count from 1 and are divided by their number (DETR, arXiv:2005.12872,
    appendix A.4). `like` gives device and dtype.
    """
    rows, columns = (
        encode_sine(
            torch.arange(1, size + 1, device=like.device, dtype=like.dtype)
            * (2 * math.pi / (size + 1e-6)),
            width // 2,
        )
        for size in shape
    )
    height, w = shape
    return torch.cat(
        [
            rows[:, None].expand(height, w, width // 2),
            columns[None].expand(height, w, width // 2),
        ],
        dim=-1,
    ).flatten(0, 1)


def encode_boxes(boxes_cxcywh: Tensor, width: int) -> Tensor:
    """Encode boxes [B, Q, 4] in 0..1 as [B, Q, 4 * width], in the order y, x, width, height.

    DAB-DETR (arXiv:2201.12329, section 3.3).
    """
    order = boxes_cxcywh[..., [1, 0, 2, 3]]
    return encode_sine(order * (2 * math.pi), width).flatten(-2)


def cell_centres(shapes: LevelShapes, like: Tensor) -> Tensor:
    """Return the centres [S, 2] (x, y) in 0..1 of the cells of all levels, row by row."""
    levels = []
    for height, width in shapes:
        y = (torch.arange(height, device=like.device, dtype=like.dtype) + 0.5) / height
        x = (torch.arange(width, device=like.device, dtype=like.dtype) + 0.5) / width
        levels.append(
            torch.stack([x.expand(height, width), y[:, None].expand(height, width)], dim=-1)
        )
    return torch.cat([level.flatten(0, 1) for level in levels])


def inverse_sigmoid(x: Tensor, eps: float = 1e-5) -> Tensor:
    """Return the logits of x in 0..1, finite at both ends (Deformable DETR, arXiv:2010.04159)."""
    x = x.clamp(0, 1)
    return (x.clamp(min=eps) / (1 - x).clamp(min=eps)).log()
