"""The best cells become the first queries and boxes."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from glee.model.heads import Heads
from glee.model.interfaces import LevelShapes
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
    """

    content: Tensor
    box_logits: Tensor
    index: Tensor
    scores: Tensor


class QuerySelection(nn.Module):
    """Two-stage selection (Deformable DETR, arXiv:2010.04159, appendix A.4; DINO: 2203.03605)."""

    def __init__(self, width: int, num_queries: int) -> None:
        super().__init__()
        self.num_queries = num_queries
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
        priors, valid = prior_boxes(shapes, memory)
        cells = self.norm(self.project(memory * valid[:, None]))
        if by_confidence:
            scores = heads.confidence(cells).squeeze(-1)
        else:
            scores = _best_similarity(heads, cells, classes)
        index = scores.topk(min(self.num_queries, scores.shape[1]), dim=1).indices
        content = cells.take_along_dim(index[..., None], dim=1)
        return SelectedCells(content, heads.box(content) + priors[index], index, scores)


def prior_boxes(shapes: LevelShapes, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return a prior box per cell [S, 4], cxcywh as logits, and which are valid [S].

    Boxes are square of side 0.05 on the first, coarsest level and double on each finer one, as
    the released weights were trained. Those with a centre or side within MARGIN of 0 or 1 are
    invalid and infinite.
    """
    sides = [like.new_full((h * w, 1), 0.05 * 2.0**level) for level, (h, w) in enumerate(shapes)]
    side = torch.cat(sides)
    boxes = torch.cat([cell_centres(shapes, like), side, side], dim=1)
    valid = ((boxes > MARGIN) & (boxes < 1 - MARGIN)).all(dim=1)
    logits = (boxes / (1 - boxes)).log()
    return logits.masked_fill(~valid[:, None], torch.inf), valid


def _best_similarity(heads: Heads, cells: Tensor, classes: Tensor) -> Tensor:
    """Return each cell's logit for the name that fits best, [B, S]."""
    query = heads.similarity(cells)
    best = [
        (query @ names.transpose(1, 2)).amax(dim=-1)
        for names in classes.split(NAMES_AT_ONCE, dim=1)
    ]
    return torch.stack(best).amax(dim=0)
