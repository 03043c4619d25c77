"""Sightings: what the tracker reads of the objects of one frame, small and on the CPU."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from glee.ops.boxes import pairwise_iou
from glee.results import Instances
from glee.tracking.motion import to_places

# Masks are compared inside their boxes, on so many cells to each side.
SHAPE_CELLS = 24


@dataclass(frozen=True, slots=True)
class Sightings:
    """The objects of one frame.

    places      [N, 4]     see `motion`
    overlaps    [N, N]     IoU of their boxes, 0 on the diagonal
    scores      [N]        0..1
    embeddings  [N, C]     of length 1
    shapes      [N, S, S]  float, 0 or 1: the mask inside its box; None without masks
    """

    places: Tensor
    overlaps: Tensor
    scores: Tensor
    embeddings: Tensor
    shapes: Tensor | None

    def __len__(self) -> int:
        return len(self.scores)

    def clear(self, overlap: float) -> Tensor:
        """Tell which objects [N] overlap no other one by more than so much, 0..1."""
        return (self.overlaps <= overlap).all(dim=1)

    def twins(self, overlap: float) -> Tensor:
        """Return which objects cover nearly the same place, [N, N] bool: box and, if any, mask."""
        twins = self.overlaps > overlap
        if self.shapes is None:
            return twins
        return twins & (shape_overlap(self.shapes, self.shapes) > overlap)


def read_sightings(found: Instances) -> Sightings:
    """Return what the tracker reads of instances.

    Raises ValueError if they have no embeddings.
    """
    if found.embeddings is None:
        raise ValueError(
            "found has no embeddings, by which objects are recognised; objects that the predictor "
            "finds have them"
        )
    boxes = found.boxes.detach().float().cpu()
    shapes = None if found.masks is None else _shapes(found.masks, boxes)
    return Sightings(
        places=to_places(boxes),
        overlaps=pairwise_iou(boxes, boxes).fill_diagonal_(0),
        scores=found.scores.detach().float().cpu(),
        embeddings=F.normalize(found.embeddings.detach().float().cpu(), dim=1),
        shapes=shapes,
    )


def shape_overlap(first: Tensor, second: Tensor) -> Tensor:
    """Return the IoU of every pair of shapes, [M, N]; of two empty ones 0.

    first   [M, S, S]  of 0 and 1
    second  [N, S, S]
    """
    first, second = first.flatten(1), second.flatten(1)
    shared = first @ second.T
    union = first.sum(1)[:, None] + second.sum(1) - shared
    return shared / union.clamp(min=1)


def _shapes(masks: Tensor, boxes: Tensor) -> Tensor:
    """Read masks [N, H, W] at the centres of S x S cells of their boxes: [N, S, S] of 0 and 1."""
    steps = (torch.arange(SHAPE_CELLS) + 0.5) / SHAPE_CELLS
    low, size = boxes[:, :2, None], (boxes[:, 2:] - boxes[:, :2])[..., None]
    x, y = (low + size * steps).long().unbind(dim=1)  # each [N, S]
    x, y = x.clamp(0, masks.shape[2] - 1), y.clamp(0, masks.shape[1] - 1)
    rows = torch.arange(len(masks))[:, None, None]
    x, y, rows = (index.to(masks.device) for index in (x, y, rows))
    return masks[rows, y[:, :, None], x[:, None, :]].float().cpu()
