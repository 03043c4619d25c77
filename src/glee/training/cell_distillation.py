"""Every cell learns what a detector sees there, names and boxes: dense labels for any image."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glee.model.heads import Heads
from glee.model.interfaces import CellQueries, FeaturePyramid
from glee.ops.boxes import scale_boxes, xyxy_to_cxcywh
from glee.training.config import CriterionConfig
from glee.training.losses import box_losses

STRIDES = (32, 16, 8)
"""Of the levels that the detector sees too, coarsest first; those coarser learn nothing here."""

LEAST_SCORE = 0.1
"""Of the detector, from which its box is taught, too."""


@dataclass(frozen=True, slots=True)
class DenseLabels:
    """What a detector says of each cell of the levels with STRIDES, coarsest first.

    scores        [B, S, K]  0..1, of its names
    boxes_cxcywh  [B, S, 4]  0..1 of the padded image
    """

    scores: Tensor
    boxes_cxcywh: Tensor


class DenseTeacher(nn.Module):
    """A detector that reads the same pixels as the network, or what its image encoder sees there.

    detector  maps pixels [B, 3, H, W] and their FeaturePyramid to scores [B, S, K] and boxes
              [B, S, 4], xyxy in pixels, of the cells of strides 8, 16 and 32, finest first; see
              nanodet.py
    names     K names that it knows
    """

    def __init__(self, detector: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.detector, self.names = detector.eval().requires_grad_(False), tuple(names)

    @torch.no_grad()
    def forward(self, pixels: Tensor, pyramid: FeaturePyramid) -> DenseLabels:
        """Look at all cells of pixels [B, 3, H, W]."""
        scores, boxes = self.detector(pixels, pyramid)
        height, width = pixels.shape[2:]
        counts = [(height // stride) * (width // stride) for stride in reversed(STRIDES)]
        shares = xyxy_to_cxcywh(scale_boxes(boxes, (1 / height, 1 / width)))
        scores, shares = (
            torch.cat(value.split(counts, dim=1)[::-1], dim=1) for value in (scores, shares)
        )
        return DenseLabels(scores, shares)


def cell_distillation(
    cells: CellQueries,
    boxes: Tensor,
    classes: Tensor,
    heads: Heads,
    labels: DenseLabels,
    config: CriterionConfig,
) -> dict[str, Tensor]:
    """Compute the losses of all cells that the detector sees, weighted.

    cells    of the images, coarsest level first
    boxes    [B, S, 4]  of all cells, cxcywh in 0..1, see `QuerySelection.place`
    classes  [1, K, C]  the detector's names, encoded

    Names: quality focal loss (arXiv:2006.04388, equation 5) with the detector's scores as truth,
    divided by their sum. Boxes: those of cells that score LEAST_SCORE or more, by their score.
    """
    count = labels.scores.shape[1]
    content = cells.content[:, -count:].float()
    logits = heads.class_logits(content, classes.float())
    entropy = F.binary_cross_entropy_with_logits(logits, labels.scores, reduction="none")
    wrong = (logits.sigmoid() - labels.scores).abs() ** 2
    best = labels.scores.amax(dim=2)
    total = best.sum().clamp(min=1.0)
    known = best >= LEAST_SCORE
    distance, apart = box_losses(boxes[:, -count:][known], labels.boxes_cxcywh[known])
    weight = best[known]
    terms = {
        "semantic": config.semantic * (wrong * entropy).sum() / total,
        "box_l1": config.box_l1 * (distance * weight).sum() / total,
        "box_giou": config.box_giou * (apart * weight).sum() / total,
    }
    return {f"taught_{name}": config.cell_distillation * value for name, value in terms.items()}
