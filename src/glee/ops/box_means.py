"""Means of maps over boxes."""

import torch
from torch import Tensor


def average_in_boxes(maps: Tensor, boxes_cxcywh: Tensor) -> Tensor:
    """Return the mean of maps [B, C, h, w] in boxes [B, Q, 4] of 0..1, as [B, Q, C].

    Pixels count by the share of them that lies in the box, which is enlarged to one pixel.
    """
    height, width = maps.shape[2:]
    across, down = (
        _coverage(boxes_cxcywh[..., axis], boxes_cxcywh[..., axis + 2], size)
        for axis, size in ((0, width), (1, height))
    )
    lines = torch.einsum("bchw,bqw->bqch", maps, across)
    return (lines @ down[..., None]).squeeze(-1)


def _coverage(centre: Tensor, side: Tensor, count: int) -> Tensor:
    """Return the shares [B, Q, count] of pixels in intervals [B, Q] of 0..1; they add up to 1."""
    half = (side * count).clamp(min=1) / 2
    middle = (centre * count).clamp(0, count)
    pixels = torch.arange(count, device=centre.device)
    low = torch.maximum((middle - half)[..., None], pixels)
    high = torch.minimum((middle + half)[..., None], pixels + 1)
    covered = (high - low).clamp(min=0)
    return covered / covered.sum(dim=-1, keepdim=True)
