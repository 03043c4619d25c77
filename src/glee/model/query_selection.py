"""The best cells become the first queries and boxes."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glee.config import ObjectDecoderConfig
from glee.model.heads import Heads
from glee.model.interfaces import CellQueries, LevelShapes
from glee.model.layers.mlp import MLP
from glee.model.layers.position import cell_centres, inverse_sigmoid
from glee.model.mark_places import MarkPlaces
from glee.ops.boxes import cxcywh_to_xyxy, suppress_overlaps, xyxy_to_cxcywh

# Names compared with all cells at once; more are compared in turn, so that memory does not grow
# with the vocabulary.
NAMES_AT_ONCE = 512

MARGIN = 0.01

# Boxes that overlap more show the same object, and cells that are looked at for each query.
SAME_OBJECT, CANDIDATES = 0.7, 4

# A cell of a level of one cell is as large as the image.
LARGEST_CELL = 1 - 1e-3


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
        self.num_queries = size.num_queries
        self.project = nn.Linear(width, width)
        # Without an affine part, layers that add nothing yet leave the queries what they are.
        self.norm = nn.LayerNorm(width, elementwise_affine=not size.cell_reach)
        self.reach = Reach(width) if size.cell_reach else None

    def forward(
        self,
        memory: Tensor,
        shapes: LevelShapes,
        classes: Tensor,
        heads: Heads,
        *,
        by_confidence: bool,
        places: MarkPlaces | None = None,
    ) -> SelectedCells:
        """Choose cells.

        memory   [B, S, C]       cells of all levels, coarsest first
        classes  [B or 1, K, C]  names
        by_confidence            rank by the confidence of being the marked object, not by names
        places                   where marks are, to rank by, too. Where one gives the box of its
                                 object, the last query is the best cell in that place
        """
        every = self.cells(memory, shapes)
        cells = every.content
        if by_confidence:
            scores = heads.confidence(cells).squeeze(-1)
        else:
            scores = _best_similarity(heads, cells, classes)
        if places is not None:
            boxes = self.place(cells, every.box_logits, heads).sigmoid()
            scores = scores + places.log_agreement(boxes)
        count = min(self.num_queries, scores.shape[1])
        if self.reach is None:
            index = scores.topk(count, dim=1).indices
        else:
            index = self._distinct(scores, every, heads, count)
        content = cells.take_along_dim(index[..., None], dim=1)
        box_logits = self.place(content, every.box_logits[index], heads)
        if places is not None:
            content, box_logits = _put_last(content, box_logits, places)
        return SelectedCells(content, box_logits, index, scores, every)

    def cells(self, memory: Tensor, shapes: LevelShapes) -> CellQueries:
        """Return cells `memory` [B, S, C] as the queries that they would become."""
        if self.reach is None:
            priors, valid = prior_boxes(shapes, memory)
        else:
            priors = inverse_sigmoid(cell_boxes(shapes, memory))
            valid = torch.ones_like(priors[:, 0], dtype=torch.bool)
        return CellQueries(self.norm(self.project(memory * valid[:, None])), priors, valid)

    def place(self, content: Tensor, priors: Tensor, heads: Heads) -> Tensor:
        """Return the boxes of cells, content [..., C] and priors [..., 4], before the sigmoid."""
        if self.reach is None:
            return heads.box(content) + priors
        return inverse_sigmoid(self.reach(content, priors.sigmoid()))

    @torch.no_grad()
    def _distinct(self, scores: Tensor, every: CellQueries, heads: Heads, count: int) -> Tensor:
        """Return the places [B, count] of the best cells, those with a better one's object last.

        Dense distinct queries (arXiv:2303.12776, section 3.2).
        """
        _, index = scores.topk(min(CANDIDATES * count, scores.shape[1]), dim=1)
        content = every.content.take_along_dim(index[..., None], dim=1)
        boxes = cxcywh_to_xyxy(self.place(content, every.box_logits[index], heads).sigmoid())
        ranks = []
        for row in boxes:
            order = -torch.arange(len(row), device=row.device)
            kept = suppress_overlaps(row.float(), order, torch.zeros_like(order), SAME_OBJECT)
            rank = order - len(row)
            rank[kept] = order[kept]
            ranks.append(rank)
        return index.take_along_dim(torch.stack(ranks).topk(count, dim=1).indices, dim=1)


def _put_last(content: Tensor, box_logits: Tensor, places: MarkPlaces) -> tuple[Tensor, Tensor]:
    """Make the last query [B, Q, ...] the first one in the place of its mark, if given."""
    given = places.given[:, None, None]
    marked = inverse_sigmoid(xyxy_to_cxcywh(places.boxes.to(box_logits)))[:, None]
    last = torch.where(given, content[:, :1], content[:, -1:])
    box = torch.where(given, marked, box_logits[:, -1:])
    return torch.cat([content[:, :-1], last], dim=1), torch.cat([box_logits[:, :-1], box], dim=1)


class Reach(nn.Module):
    """How far a cell's object reaches to its sides (FCOS, arXiv:1904.01355), in cells."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.sides = MLP(width, width, 4)

    def forward(self, content: Tensor, cells_cxcywh: Tensor) -> Tensor:
        """Return boxes [..., 4], cxcywh in 0..1, cut at the image's borders.

        content       [..., C]
        cells_cxcywh  [..., 4]  the cells themselves
        """
        centre, side = cells_cxcywh.split(2, dim=-1)
        low, high = F.softplus(self.sides(content)).split(2, dim=-1)
        corners = torch.cat([centre - low * side, centre + high * side], dim=-1)
        return xyxy_to_cxcywh(corners.clamp(0, 1))


def cell_boxes(shapes: LevelShapes, like: Tensor) -> Tensor:
    """Return the cells of all levels as boxes [S, 4], cxcywh in 0..1."""
    sides = [
        like.new_tensor([1 / w, 1 / h]).clamp(max=LARGEST_CELL).expand(h * w, 2) for h, w in shapes
    ]
    return torch.cat([cell_centres(shapes, like), torch.cat(sides)], dim=1)


def prior_boxes(shapes: LevelShapes, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return a prior box per cell [S, 4], cxcywh as logits, and which are valid [S].

    Boxes are squares of side 0.05 on the first, coarsest level, and double on each finer one, as
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
    best = [
        heads.class_logits(cells, names).amax(dim=-1)
        for names in classes.split(NAMES_AT_ONCE, dim=1)
    ]
    return torch.stack(best).amax(dim=0)
