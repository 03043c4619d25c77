"""Several cells of each object learn its name and box, so that few images teach much."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from glee.data.targets import Targets
from glee.model.heads import Heads
from glee.model.interfaces import CellQueries
from glee.ops.boxes import cxcywh_to_xyxy, generalized_iou
from glee.training.config import CriterionConfig
from glee.training.losses import box_losses

OVERLAP_POWER = 3.0
"""How much more a cell's box than its name decides whether it stands for an object."""


@dataclass(frozen=True, slots=True)
class CellTargets:
    """What the cells of one image should say.

    cell     [N] int64, cells that stand for objects
    object   [N] int64, which
    quality  [N] float, 0..1, what their probability of the object's name should be
    """

    cell: Tensor
    object: Tensor
    quality: Tensor


def cell_losses(
    cells: CellQueries,
    boxes: Tensor,
    classes: Tensor,
    heads: Heads,
    targets: Sequence[Targets],
    config: CriterionConfig,
) -> dict[str, Tensor]:
    """Compute the losses of all cells, weighted.

    cells    of the images
    boxes    [B, S, 4]       of all cells, cxcywh in 0..1, see `QuerySelection.place`
    classes  [B or 1, K, C]  names of the prompt

    Each object is taught to the `cells_per_object` cells inside it that already fit it best, and
    a cell's probability should be the overlap of its box: task alignment (TOOD,
    arXiv:2108.07755, section 3.2), beside one-to-one matching of the decoder as in Co-DETR
    (arXiv:2211.12860). It takes the place of one-to-one losses of the chosen cells, which would
    deny what it teaches.
    """
    content = cells.content.float()
    logits = heads.class_logits(content, classes.float())
    confidence = heads.confidence(content).squeeze(-1)
    assigned = [
        assign_cells(
            (logits[row] if not truth.marked else confidence[row, :, None]).detach(),
            boxes[row].detach(),
            (cells.box_logits.sigmoid()[:, :2], cells.valid),
            truth,
            config.cells_per_object,
        )
        for row, truth in enumerate(targets)
    ]
    # At first nothing overlaps, and the sum of qualities is next to nothing.
    total = max(
        1.0,
        float(sum(found.quality.sum() for found in assigned)),
        float(sum(len(truth) for truth in targets)),
    )
    terms = {
        "semantic": config.semantic * _semantic(logits, cells.valid, targets, assigned),
        "confidence": config.confidence * _confidence(confidence, cells.valid, targets, assigned),
    }
    distance, apart, weight = _places(boxes, targets, assigned)
    terms["box_l1"] = config.box_l1 * (distance * weight).sum()
    terms["box_giou"] = config.box_giou * (apart * weight).sum()
    return {f"cells_{name}": config.cells * value / total for name, value in terms.items()}


@torch.no_grad()
def assign_cells(
    logits: Tensor,
    boxes: Tensor,
    cells: tuple[Tensor, Tensor],
    truth: Targets,
    count: int,
) -> CellTargets:
    """Choose the cells of one image that stand for its objects.

    logits  [S, K], or [S, 1] if all objects are of one kind
    boxes   [S, 4]  cxcywh in 0..1
    cells   centres [S, 2] in 0..1, and which cells may be used [S]
    count   cells of each object; fewer for those that have fewer inside

    A cell that fits several objects stands for the one that it overlaps most. The best cell of an
    object has the quality of its overlap, the others in proportion to how well they fit.
    """
    centres, valid = cells
    if not len(truth):
        none = torch.zeros(0, dtype=torch.int64, device=boxes.device)
        return CellTargets(none, none, boxes.new_zeros(0))
    target = cxcywh_to_xyxy(truth.boxes_cxcywh)  # [G, 4]
    overlap = generalized_iou(cxcywh_to_xyxy(boxes)[:, None], target[None]).clamp(min=0)  # [S, G]
    labels = truth.labels if logits.shape[1] > 1 else torch.zeros_like(truth.labels)
    fit = logits[:, labels].sigmoid().sqrt() * overlap.clamp(min=1e-3) ** OVERLAP_POWER
    inside = (centres[:, None] > target[None, :, :2]) & (centres[:, None] < target[None, :, 2:])
    usable = inside.all(-1) & valid[:, None]
    # Objects smaller than a cell have none inside: the nearest one stands for them.
    middle = truth.boxes_cxcywh[:, :2]
    nearest = torch.cdist(centres, middle).masked_fill(~valid[:, None], torch.inf).argmin(0)
    usable[nearest, torch.arange(len(truth), device=boxes.device)] = True
    fit = fit.masked_fill(~usable, -1)
    best, cell = fit.topk(min(count, len(fit)), dim=0)  # [count, G]
    chosen = torch.zeros_like(usable)
    chosen.scatter_(0, cell, best > 0)
    owner = overlap.masked_fill(~chosen, -1).argmax(1)
    rows = chosen.any(1).nonzero().flatten()
    owner = owner[rows]
    own_fit, own_overlap = fit[rows, owner], overlap[rows, owner]
    most_fit = torch.zeros(len(truth), device=boxes.device).scatter_reduce(
        0, owner, own_fit, "amax"
    )
    most_overlap = torch.zeros(len(truth), device=boxes.device).scatter_reduce(
        0, owner, own_overlap, "amax"
    )
    quality = own_fit / most_fit[owner].clamp(min=1e-9) * most_overlap[owner].clamp(min=0.1)
    return CellTargets(rows, owner, quality)


def _semantic(
    logits: Tensor, valid: Tensor, targets: Sequence[Targets], assigned: Sequence[CellTargets]
) -> Tensor:
    """Sum the quality focal loss (arXiv:2006.04388, equation 5) over cells and names."""
    target, known = torch.zeros_like(logits), torch.ones_like(logits, dtype=torch.bool)
    for row, (truth, found) in enumerate(zip(targets, assigned, strict=True)):
        if truth.exhaustive is not None:
            known[row] = truth.exhaustive
        # What a mark does not mean may well bear its name.
        if truth.marked:
            known[row] = False
        target[row, found.cell, truth.labels[found.object]] = found.quality
    known = (known & valid[None, :, None]) | (target > 0)
    return (_quality_focal(logits, target) * known).sum()


def _confidence(
    confidence: Tensor, valid: Tensor, targets: Sequence[Targets], assigned: Sequence[CellTargets]
) -> Tensor:
    target, known = torch.zeros_like(confidence), torch.zeros_like(confidence)
    for row, (truth, found) in enumerate(zip(targets, assigned, strict=True)):
        if truth.marked:
            known[row] = valid.to(known)
            target[row, found.cell] = found.quality
    return (_quality_focal(confidence, target) * known).sum()


def _quality_focal(logits: Tensor, target: Tensor) -> Tensor:
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (logits.sigmoid() - target).abs() ** 2 * entropy


def _places(
    boxes: Tensor, targets: Sequence[Targets], assigned: Sequence[CellTargets]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return both losses of the cells' boxes, and the weight of each, [N]."""
    ours, theirs, weights = [boxes.new_zeros(0, 4)], [boxes.new_zeros(0, 4)], [boxes.new_zeros(0)]
    for own, truth, found in zip(boxes, targets, assigned, strict=True):
        if truth.learn_boxes:
            ours.append(own[found.cell])
            theirs.append(truth.boxes_cxcywh[found.object])
            weights.append(found.quality)
    return *box_losses(torch.cat(ours), torch.cat(theirs)), torch.cat(weights)
