"""Queries read each other, the prompt and the image, and refine their boxes layer by layer."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from glee.config import GleeConfig
from glee.model.heads import Heads
from glee.model.interfaces import ExtraQueries, LevelShapes
from glee.model.layers.attention import Attention
from glee.model.layers.deformable import DeformableAttention
from glee.model.layers.mlp import MLP, FeedForward
from glee.model.layers.position import encode_boxes


@dataclass(frozen=True, slots=True)
class Guides:
    """Prompt tokens that queries read beside each other.

    tokens  one [B, P, C] per sampled level, taken in turn by the decoder layers
    valid   [B, P]  bool, False on padding
    """

    tokens: tuple[Tensor, ...]
    valid: Tensor


@dataclass(frozen=True, slots=True)
class Queries:
    """Queries before the first decoder layer.

    content   [B, Q, C]
    boxes     [B, Q, 4]  cxcywh in 0..1
    readable  [Q, Q]     bool, True where the query of the row reads that of the column; None if
                         all read all
    fixed     [B, Q]     bool, True where the box is known and stays; None if nowhere
    """

    content: Tensor
    boxes: Tensor
    readable: Tensor | None = None
    fixed: Tensor | None = None

    def settle(self, boxes: Tensor) -> Tensor:
        """Return refined boxes [B, Q, 4], those that are known as they were."""
        if self.fixed is None:
            return boxes
        return torch.where(self.fixed[..., None], self.boxes, boxes)


@dataclass(frozen=True, slots=True)
class LayerState:
    """Queries behind one decoder layer.

    hidden     [B, Q, C]  normalised once
    boxes      [B, Q, 4]  cxcywh in 0..1, predicted from `hidden`
    reference  [B, Q, 4]  cxcywh in 0..1, which the next layer starts from; predicted from the
                          queries before the norm, as in the released model
    """

    hidden: Tensor
    boxes: Tensor
    reference: Tensor


def join_queries(
    content: Tensor,
    box_logits: Tensor,
    extra: ExtraQueries | None,
    fixed: Tensor | None = None,
) -> Queries:
    """Put extra queries before the selected ones, which do not read them.

    content     [B, Q, C]  of the selected queries
    box_logits  [B, Q, 4]  their boxes, cxcywh before the sigmoid
    fixed       [B, Q]     bool, where these stay; None if nowhere
    """
    if extra is None:
        return Queries(content, box_logits.sigmoid(), fixed=fixed)
    count = extra.content.shape[1]
    if fixed is not None:
        fixed = torch.cat([fixed.new_zeros(len(fixed), count), fixed], dim=1)
    total = count + content.shape[1]
    readable = extra.readable.new_ones(total, total)
    readable[:, :count] = False
    readable[:count, :count] = extra.readable
    boxes = torch.cat([extra.box_logits, box_logits], dim=1).sigmoid()
    return Queries(torch.cat([extra.content, content], dim=1), boxes, readable, fixed)


class DecoderLayer(nn.Module):
    """Self-attention, deformable cross-attention and a feed-forward block, norms behind each."""

    def __init__(self, config: GleeConfig) -> None:
        super().__init__()
        size = config.object_decoder
        self.self_attention = Attention(config.width, num_heads=size.num_heads)
        self.self_attention_norm = nn.LayerNorm(config.width)
        self.cross_attention = DeformableAttention(
            config.width,
            num_heads=size.num_heads,
            num_levels=config.num_levels,
            num_points=size.num_points,
        )
        self.cross_attention_norm = nn.LayerNorm(config.width)
        self.feed_forward = FeedForward(config.width, size.mlp_width)
        self.feed_forward_norm = nn.LayerNorm(config.width)

    def forward(
        self,
        queries: Tensor,
        reference: Tensor,
        position: Tensor,
        cells: tuple[Tensor, LevelShapes],
        guide: tuple[Tensor, Tensor] | None,
        among: Tensor | None,
    ) -> Tensor:
        """Return the queries [B, Q, C] of the next layer.

        reference  [B, Q, 4]  boxes, cxcywh in 0..1
        position   [B, Q, C]  encoding of these boxes
        cells      memory [B, S, C] and its levels
        guide      prompt tokens [B, P, C] and which are valid [B, P], or None
        among      [Q, Q]  bool, which queries each query reads, or None for all
        """
        placed = queries + position
        key, value = placed, queries
        readable = among if among is None else among[None, None]
        if guide is not None:
            tokens, valid = guide
            # A token is its own position, so queries and keys see it twice.
            key = torch.cat([placed, tokens + tokens.detach()], dim=1)
            value = torch.cat([queries, tokens], dim=1)
            if among is None:
                among = valid.new_ones(1, queries.shape[1])
            others = among.expand(len(valid), -1, -1)
            prompt = valid[:, None].expand(-1, len(among), -1)
            readable = torch.cat([others, prompt], dim=2)[:, None]  # [B, 1, Q or 1, Q + P]
        read = self.self_attention(placed, key, value, readable=readable)
        queries = self.self_attention_norm(queries + read)
        memory, shapes = cells
        read = self.cross_attention(queries + position, reference, memory, shapes)
        queries = self.cross_attention_norm(queries + read)
        return self.feed_forward_norm(queries + self.feed_forward(queries))


class ObjectDecoder(nn.Module):
    """Decoder with box refinement (DINO, arXiv:2203.03605), reading prompt tokens if there are.

    GLEE (arXiv:2312.09158, section 3.1 and figure 2).
    """

    def __init__(self, config: GleeConfig) -> None:
        super().__init__()
        self.box_position = MLP(2 * config.width, config.width, config.width)
        self.layers = nn.ModuleList(
            DecoderLayer(config) for _ in range(config.object_decoder.num_layers)
        )

    def forward(
        self,
        start: Queries,
        cells: tuple[Tensor, LevelShapes],
        heads: Heads,
        guides: Guides | None = None,
    ) -> list[LayerState]:
        """Return the state behind each layer; `cells` are memory [B, S, C] and its levels."""
        queries, reference, states = start.content, start.boxes, []
        for number, layer in enumerate(self.layers):
            guide = None
            if guides is not None:
                guide = (guides.tokens[number % len(guides.tokens)], guides.valid)
            # Layers start from boxes without their gradient; the predictions keep it, so that
            # it reaches one layer back (DINO, section 3.5, "look forward twice").
            fixed = reference.detach()
            position = self.box_position(encode_boxes(fixed, queries.shape[-1] // 2))
            queries = layer(queries, fixed, position, cells, guide, start.readable)
            hidden = heads.norm(queries)
            predicted = start.settle(heads.refine(hidden, reference))
            reference = start.settle(heads.refine(queries, fixed))
            states.append(LayerState(hidden, predicted, reference))
        return states
