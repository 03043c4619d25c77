"""The best cells become the first queries and boxes."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glee.config import ObjectDecoderConfig
from glee.model.heads import Heads
from glee.model.interfaces import CellQueries, LevelShapes
from glee.model.layers.position import cell_centres

# Names compared with all cells at once; more are compared in turn, so that memory does not grow
# with the vocabulary.
NAMES_AT_ONCE = 512

MARGIN = 0.01


@dataclass(frozen=True, slots=True)
class SelectedCells:
    """The cells that become queries, best first.

    content     [B, Q, C]  their features
    box_logits  [B, Q, 4]  their boxes, cxcywh before the sigmoid
    index       [B, Q]     int64, their places among the cells, coarsest level first
    scores      [B, S]     logits by which they were chosen
    cells       all cells, to learn from
    """

    content: Tensor
    box_logits: Tensor
    index: Tensor
    scores: Tensor
    cells: CellQueries


class QuerySelection(nn.Module):
    """Two-stage selection (Deformable DETR, arXiv:2010.04159, appendix A.4; DINO: 2203.03605)."""

    def __init__(self, width: int, size: ObjectDecoderConfig) -> None:
        super().__init__()
        self.num_queries, self.coarse_priors = size.num_queries, size.coarse_priors
        self.peaks_first = size.peaks_first
        self.project = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        memory: Tensor,
        shapes: LevelShapes,
        classes: Tensor,
        heads: Heads,
        *,
        by_confidence: bool,
    ) -> SelectedCells:
        """Choose cells.

        memory   [B, S, C]       cells of all levels, coarsest first
        classes  [B or 1, K, C]  names
        by_confidence            rank by the confidence of being the marked object, not by names
        """
        priors, valid = prior_boxes(shapes, memory, coarse=self.coarse_priors)
        cells = self.norm(self.project(memory * valid[:, None]))
        if by_confidence:
            scores = heads.confidence(cells).squeeze(-1)
        else:
            scores = _best_similarity(heads, cells, classes)
        ranked = _raise_peaks(scores, shapes) if self.peaks_first else scores
        index = ranked.topk(min(self.num_queries, scores.shape[1]), dim=1).indices
        content = cells.take_along_dim(index[..., None], dim=1)
        every = CellQueries(cells, priors, valid)
        return SelectedCells(content, heads.box(content) + priors[index], index, scores, every)


def prior_boxes(
    shapes: LevelShapes, like: Tensor, *, coarse: bool = False
) -> tuple[Tensor, Tensor]:
    """Return a prior box per cell [S, 4], cxcywh as logits, and which are valid [S].

    coarse  boxes are square of side 0.05 on the last, finest level and double on each coarser
            one; without it they are 0.05 on the coarsest and double on each finer one, as the
            released weights were trained

    Those with a centre or side within MARGIN of 0 or 1 are invalid and infinite, but with
    `coarse` they are moved inside.
    """
    last = len(shapes) - 1
    powers = [last - level if coarse else level for level in range(len(shapes))]
    sides = [
        like.new_full((h * w, 1), 0.05 * 2.0**power)
        for power, (h, w) in zip(powers, shapes, strict=True)
    ]
    side = torch.cat(sides)
    boxes = torch.cat([cell_centres(shapes, like), side, side], dim=1)
    if coarse:
        boxes = boxes.clamp(MARGIN, 1 - MARGIN)
        return (boxes / (1 - boxes)).log(), torch.ones_like(boxes[:, 0], dtype=torch.bool)
    valid = ((boxes > MARGIN) & (boxes < 1 - MARGIN)).all(dim=1)
    logits = (boxes / (1 - boxes)).log()
    return logits.masked_fill(~valid[:, None], torch.inf), valid


def _best_similarity(heads: Heads, cells: Tensor, classes: Tensor) -> Tensor:
    """Return each cell's logit for the name that fits best, [B, S]."""
    best = [
        heads.class_logits(cells, names).amax(dim=-1)
        for names in classes.split(NAMES_AT_ONCE, dim=1)
    ]
    return torch.stack(best).amax(dim=0)


def _raise_peaks(scores: Tensor, shapes: LevelShapes) -> Tensor:
    """Rank cells [B, S] that score most within 3 x 3 cells of their level before all others."""
    levels = []
    for (h, w), level in zip(shapes, scores.split([h * w for h, w in shapes], dim=1), strict=True):
        grid = level.unflatten(1, (1, h, w))
        peaks = F.max_pool2d(grid, 3, stride=1, padding=1) == grid
        levels.append(peaks.flatten(1))
    reach = scores.amax(dim=1, keepdim=True) - scores.amin(dim=1, keepdim=True) + 1
    return scores + reach * torch.cat(levels, dim=1)
