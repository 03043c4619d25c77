"""What the image encoder takes the content of a box for, in the space of texts."""

import torch
from torch import Tensor, nn

from glee.config import GleeConfig
from glee.model.interfaces import FeaturePyramid
from glee.model.layers.conv import resize_bilinear

LEAST_CELLS = 1.0
"""Sides of the boxes that are looked at, at least, in cells of the finer map."""


class BoxNames(nn.Module):
    """Names of boxes by the coarsest two maps of the image encoder, beside those of queries.

    An encoder that knows many words names what queries, which learn from fewer, only find. As in
    F-VLM (arXiv:2209.15639, section 3.2), the maps are averaged in each box and compared with the
    texts; here they pass a linear layer first, which is applied once an image.
    """

    def __init__(self, config: GleeConfig) -> None:
        super().__init__()
        finer, coarser = config.backbone.out_widths[-2:]
        self.finer = nn.Conv2d(finer, config.width, 1)
        self.coarser = nn.Conv2d(coarser, config.width, 1, bias=False)

    def read(self, pyramid: FeaturePyramid) -> Tensor:
        """Return a map [B, C, h, w] of what is where, as fine as the last but one of a pyramid."""
        finer, coarser = pyramid.maps[-2:]
        size = (finer.shape[2], finer.shape[3])
        return self.finer(finer) + resize_bilinear(self.coarser(coarser), size)

    def forward(self, names: Tensor, boxes_cxcywh: Tensor, classes: Tensor) -> Tensor:
        """Return what is added to the logits of boxes, [B, Q, K].

        names         [B, C, h, w]    see `read`
        boxes_cxcywh  [B, Q, 4]       0..1
        classes       [B or 1, K, C]
        """
        return average_in_boxes(names, boxes_cxcywh.detach()) @ classes.transpose(1, 2)


def average_in_boxes(maps: Tensor, boxes_cxcywh: Tensor) -> Tensor:
    """Return the mean of maps [B, C, h, w] in boxes [B, Q, 4] of 0..1, as [B, Q, C].

    Cells count by the share of them that lies in the box, which is enlarged to LEAST_CELLS.
    """
    height, width = maps.shape[2:]
    across, down = (
        _coverage(boxes_cxcywh[..., axis], boxes_cxcywh[..., axis + 2], size)
        for axis, size in ((0, width), (1, height))
    )
    lines = torch.einsum("bchw,bqw->bqch", maps, across)
    return (lines @ down[..., None]).squeeze(-1)


def _coverage(centre: Tensor, side: Tensor, count: int) -> Tensor:
    """Return the shares [B, Q, count] of cells in intervals [B, Q] of 0..1; they add up to 1."""
    half = (side * count).clamp(min=LEAST_CELLS) / 2
    middle = (centre * count).clamp(0, count)
    cells = torch.arange(count, device=centre.device)
    low = torch.maximum((middle - half)[..., None], cells)
    high = torch.minimum((middle + half)[..., None], cells + 1)
    covered = (high - low).clamp(min=0)
    return covered / covered.sum(dim=-1, keepdim=True)
