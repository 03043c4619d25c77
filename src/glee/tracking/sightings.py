"""Sightings: what the tracker reads of the objects of one frame, small and on the CPU."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from glee.ops.boxes import pairwise_iou
from glee.results import Instances
from glee.tracking.motion import to_places

# Masks are compared inside their boxes, on so many cells to each side.
SHAPE_CELLS = 24

# Masks that overlap more, IoU, show one object. Its boxes may differ: a network that has learned
# little gives several answers for an object, and only the box of the best of them is right.
_SAME_MASK = 0.7


@dataclass(frozen=True, slots=True)
class Sightings:
    """The objects of one frame.

    places      [N, 4]     see `motion`
    overlaps    [N, N]     IoU of their boxes, 0 on the diagonal
    scores      [N]        0..1
    embeddings  [N, C]     of length 1
    shapes      [N, S, S]  float, 0 or 1: the mask inside its box; None without masks
    double      [N]        bool: its mask is nearly that of a stronger one, which is the same
                           object; False without masks, as boxes do not tell
    """

    places: Tensor
    overlaps: Tensor
    scores: Tensor
    embeddings: Tensor
    shapes: Tensor | None
    double: Tensor

    def __len__(self) -> int:
        return len(self.scores)

    def clear(self, overlap: float) -> Tensor:
        """Tell which objects [N] overlap no other one by more than so much, 0..1."""
        return (self.overlaps <= overlap).all(dim=1)

    def scored(self, least: float) -> Tensor:
        """Tell which objects [N] score higher than so much, 0..1; doubles never do."""
        return (self.scores > least) & ~self.double


def read_sightings(found: Instances) -> Sightings:
    """Return what the tracker reads of instances.

    Raises ValueError if they have no embeddings.
    """
    if found.embeddings is None:
        raise ValueError(
            "found has no embeddings, by which objects are recognised; objects that the predictor "
            "finds have them"
        )
    boxes, scores = found.boxes.detach().float().cpu(), found.scores.detach().float().cpu()
    overlaps = pairwise_iou(boxes, boxes).fill_diagonal_(0)
    shapes, double = None, torch.zeros(len(boxes), dtype=torch.bool)
    if found.masks is not None:
        rows = torch.arange(len(boxes))
        shapes = _read_masks(found.masks, rows, boxes)
        double = _doubles(_same_masks(found.masks, boxes, overlaps), scores)
    return Sightings(
        places=to_places(boxes),
        overlaps=overlaps,
        scores=scores,
        embeddings=F.normalize(found.embeddings.detach().float().cpu(), dim=1),
        shapes=shapes,
        double=double,
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


def _same_masks(masks: Tensor, boxes: Tensor, overlaps: Tensor) -> Tensor:
    """Tell which masks [N, H, W] cover nearly the same pixels, [N, N] bool.

    Only those whose boxes [N, 4] overlap are compared, inside what their two boxes span.
    """
    same = torch.zeros_like(overlaps, dtype=torch.bool)
    first, second = overlaps.triu().nonzero().unbind(dim=1)
    if not len(first):
        return same
    low = torch.minimum(boxes[first, :2], boxes[second, :2])
    high = torch.maximum(boxes[first, 2:], boxes[second, 2:])
    span = torch.cat([low, high], dim=1).repeat(2, 1)
    one, other = _read_masks(masks, torch.cat([first, second]), span).flatten(1).chunk(2)
    shared = (one * other).sum(1)
    union = one.sum(1) + other.sum(1) - shared
    same[first, second] = shared > _SAME_MASK * union
    return same | same.T


def _doubles(same: Tensor, scores: Tensor) -> Tensor:
    """Tell which objects [N] are the same, [N, N], as one of a higher score [N] that is none."""
    double, equal = np.zeros(len(scores), dtype=np.bool_), same.numpy()
    several = same.any(dim=1).numpy()
    kept = np.zeros_like(double)
    for row in scores.argsort(descending=True, stable=True).tolist():
        if several[row]:
            double[row] = (equal[row] & kept).any()
            kept[row] = not double[row]
    return torch.from_numpy(double)


def _read_masks(masks: Tensor, rows: Tensor, boxes: Tensor) -> Tensor:
    """Read masks [N, H, W] at the centres of S x S cells of boxes: [P, S, S] of 0 and 1.

    rows   [P] int64, which masks
    boxes  [P, 4]
    """
    steps = (torch.arange(SHAPE_CELLS) + 0.5) / SHAPE_CELLS
    low, size = boxes[:, :2, None], (boxes[:, 2:] - boxes[:, :2])[..., None]
    x, y = (low + size * steps).long().unbind(dim=1)  # each [P, S]
    x, y = x.clamp(0, masks.shape[2] - 1), y.clamp(0, masks.shape[1] - 1)
    x, y, rows = (index.to(masks.device) for index in (x, y, rows))
    return masks[rows[:, None, None], y[:, :, None], x[:, None, :]].float().cpu()
