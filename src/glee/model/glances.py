"""A second look at the best boxes, each enlarged: what they are, and which one is described."""

from dataclasses import dataclass, replace
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glee.config import ConceptsConfig, GlanceConfig
from glee.model.concept_names import between
from glee.model.interfaces import ObjectOutputs, TextTokens
from glee.model.layers.attention import Attention
from glee.model.layers.mlp import FeedForward
from glee.model.layers.position import encode_boxes
from glee.model.text.clip import pool_tokens
from glee.ops.box_means import average_in_boxes
from glee.ops.boxes import cxcywh_to_xyxy, pairwise_iou

SAME = 0.6
"""Boxes that overlap more than this show the same, and one of them is looked at."""

AROUND = 1.15
"""Side of what is looked at, in longer sides of the box."""

LEAST_SIDE = 24.0
"""Of what is looked at, in pixels of the image."""

SHARPER = 2
"""Samples for each pixel and axis of what is looked at, so that large boxes do not flicker."""

DROPPED_SEEN, DROPPED = 0.4, 0.2
"""Share of the values that training leaves out: of what was seen, and behind that."""

SQUARES_AT_ONCE = 6
"""That the eye looks at: more need more memory, and are no faster on a CPU, see docs/nano.md."""

PARTS = 4
"""Into which the sides of a box are divided, whose colours are told apart."""

NOWHERE = -1e4
"""Logit of a place that holds no box."""

LOOKS_GAIN, MEANING_GAIN, EXPECTED = 1.0, 2.5, 0.3
"""What logits gain by the cosine of what is seen and of a name that was learned, and of what a
dictionary says of others, beyond that to be expected; chosen on composed scenes and photos, see
docs/nano.md."""

SOFTNESS = 2.0
"""What the logits of a classifier are divided by, whose guesses for a strange thing lie near it."""

NEW, KNOWN = 0.85, 0.95
"""Cosines of a name and the nearest that was learned between which it passes for one of them."""

STRANGE, FAMILIAR = 0.3, 0.6
"""The same for definitions and those of the classes, between which these tell more and more."""


class Eye(Protocol):
    """What looks: a part of an image encoder, with a classifier of K classes."""

    def look(self, pixels: Tensor, boxes_cxcywh: Tensor) -> Tensor:
        """Return what is seen [N, E] in boxes [N, 4] of 0..1 in images [N, 3, H, W]."""

    def guess(self, seen: Tensor, softness: float) -> Tensor:
        """Return the classes' probabilities [..., K] for what was seen [..., E]."""


@dataclass(frozen=True, slots=True)
class Glimpses:
    """The boxes that were looked at, best first.

    rows   [B, G]     which queries they are of
    real   [B, G]     bool, False where there were not that many different boxes
    boxes  [B, G, 4]  cxcywh in 0..1
    seen   [B, G, E]  what the image encoder sees in them
    color  [B, G, P]  the mean pixels of their parts, row by row, normalised; P = 3 * PARTS ** 2
    """

    rows: Tensor
    real: Tensor
    boxes: Tensor
    seen: Tensor
    color: Tensor


def choose_boxes(boxes_cxcywh: Tensor, scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the rows [B, G] of the best boxes that do not show the same, and which are real.

    boxes_cxcywh  [B, Q, 4]
    scores        [B, Q]
    count         G, at most Q; where there are fewer such boxes, the others are not real [B, G]
                  bool, and their rows may be any
    """
    xyxy = cxcywh_to_xyxy(boxes_cxcywh)
    alike = torch.stack([pairwise_iou(own, own) > SAME for own in xyxy])
    left, rows, real = scores.clone(), [], []
    for _ in range(min(count, scores.shape[1])):
        best, row = left.max(dim=1)
        rows.append(row)
        real.append(best > -torch.inf)
        shown = alike[torch.arange(len(row), device=row.device), row]
        left = left.masked_fill(shown, -torch.inf).scatter(1, row[:, None], -torch.inf)
    return torch.stack(rows, dim=1), torch.stack(real, dim=1)


def enlarge(pixels: Tensor, boxes_cxcywh: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Return squares around boxes, [B * G, 3, side, side], and the boxes in them, cxcywh of 0..1.

    pixels        [B, 3, H, W]  what lies outside is zero
    boxes_cxcywh  [B, G, 4]     0..1 of the image
    """
    size = boxes_cxcywh.new_tensor([pixels.shape[3], pixels.shape[2]])
    sides = boxes_cxcywh[..., 2:] * size
    reach = (sides.amax(dim=-1, keepdim=True) * AROUND).clamp(min=LEAST_SIDE)
    steps = torch.arange(side * SHARPER, device=pixels.device, dtype=pixels.dtype)
    steps = (steps + 0.5) / len(steps) - 0.5
    # [B, G, 2, steps], x and y in the -1..1 of grid_sample
    at = (boxes_cxcywh[..., :2, None] + reach[..., None] / size[:, None] * steps) * 2 - 1
    across, down = at.unbind(dim=2)
    grid = torch.stack(
        torch.broadcast_tensors(across[..., None, :], down[..., :, None]), dim=-1
    )  # [B, G, steps, steps, 2]
    count = boxes_cxcywh.shape[1]
    squares = F.grid_sample(pixels, grid.flatten(1, 2), align_corners=False)
    squares = squares.unflatten(2, (count, -1)).transpose(1, 2).flatten(0, 1)
    inner = torch.cat([torch.full_like(sides, 0.5), (sides / reach).clamp(max=1)], dim=-1)
    return F.avg_pool2d(squares, SHARPER), inner.flatten(0, 1)


class GlanceLayer(nn.Module):
    """Boxes read each other and the words of a description."""

    def __init__(self, config: GlanceConfig, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.among = Attention(width, num_heads=config.num_heads)
        self.nearby = nn.Sequential(nn.Linear(6, 32), nn.GELU(), nn.Linear(32, config.num_heads))
        self.words = Attention(width, num_heads=config.num_heads)
        self.feed_forward = FeedForward(width, config.mlp_width)
        self.drop = nn.Dropout(DROPPED)

    def forward(
        self, x: Tensor, relations: Tensor, real: Tensor, tokens: Tensor, valid: Tensor
    ) -> Tensor:
        """Return the boxes' states [B, G, C] of the next layer.

        relations  [B, G, G, 6]  where the box of a column lies from that of the row
        real       [B, G]        bool
        tokens     [B, L, C]
        valid      [B, L]        bool
        """
        hidden = torch.where(real, 0.0, NOWHERE)[:, None, None]
        bias = self.nearby(relations).permute(0, 3, 1, 2) + hidden
        own = self.norms[0](x)
        x = x + self.drop(self.among(own, own, own, readable=bias))
        words = self.words(self.norms[1](x), tokens, tokens, readable=valid[:, None, None])
        x = x + self.drop(words)
        return x + self.drop(self.feed_forward(self.norms[2](x)))


class Glances(nn.Module):
    """Says of a few boxes, each seen enlarged, what they are, and which one is described.

    A network of one pass sees small things in a few coarse cells. Here the image encoder looks
    at each of the best boxes again, in one size, as the second stage of a detector of two (Fast
    R-CNN, arXiv:1504.08083) and as a person would.

    For names that it has learned, it has learned what they look like. Others are known by what a
    dictionary says of them, as in K-LITE (arXiv:2204.09222): of a thing that it has no name for, a
    classifier guesses what lies near it ("ConSE", arXiv:1312.5650), and so do definitions.
    """

    learned: Tensor
    defined: Tensor

    def __init__(self, config: GlanceConfig, known: ConceptsConfig, width: int) -> None:
        """Make a reader of what the classifier `known` sees, behind a network of `width`."""
        super().__init__()
        self.config = config
        # As the text encoder gives them: the names that were learned, and the definitions of the
        # classes; zero for those of which nothing is to be told.
        self.register_buffer("learned", torch.zeros(config.num_names, known.width))
        self.register_buffer("defined", torch.zeros(known.num_classes, known.width))
        self.seen = nn.Sequential(
            nn.LayerNorm(known.head_width),
            nn.Dropout(DROPPED_SEEN),
            nn.Linear(known.head_width, 2 * width),
            nn.GELU(),
            nn.Dropout(DROPPED),
            nn.Linear(2 * width, width),
        )
        self.place = nn.Linear(4 * width, width)
        self.color = nn.Linear(3 * PARTS**2, width)
        self.before = nn.Linear(1, width)
        self.names = nn.Linear(width, width)
        self.token_norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(GlanceLayer(config, width) for _ in range(config.num_layers))
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, 1)
        # What has not learned keeps the order that the network gives.
        self.trust, self.naming = nn.Parameter(torch.ones(())), nn.Parameter(torch.zeros(()))
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def look(self, eye: Eye, pixels: Tensor, found: ObjectOutputs) -> Glimpses:
        """Look at the best boxes of the queries of images `pixels` [B, 3, H, W]."""
        scores = found.logits.amax(dim=-1)
        rows, real = choose_boxes(found.boxes_cxcywh, scores, self.config.count)
        boxes = found.boxes_cxcywh.gather(1, rows[..., None].expand(-1, -1, 4))
        return Glimpses(rows, real, boxes, *self.see(eye, pixels, boxes))

    @torch.no_grad()  # nothing learns from this: the image encoder does from whole images only
    def see(self, eye: Eye, pixels: Tensor, boxes_cxcywh: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is seen in boxes [B, G, 4], [B, G, E], and their colours [B, G, P]."""
        squares, inner = enlarge(pixels, boxes_cxcywh, self.config.side)
        parts = zip(squares.split(SQUARES_AT_ONCE), inner.split(SQUARES_AT_ONCE), strict=True)
        seen = torch.cat([eye.look(*part) for part in parts])
        shape = boxes_cxcywh.shape[:2]
        return seen.view(*shape, -1), _colors(squares, inner).view(*shape, -1)

    def forward(self, glimpses: Glimpses, before: Tensor, tokens: Tensor, valid: Tensor) -> Tensor:
        """Return how well each box fits the description of its image, a logit [B, G].

        before  [B, G]     what the network said of it
        tokens  [B, L, C]  of the descriptions
        valid   [B, L]     bool, False on padding
        """
        seen = self.seen(glimpses.seen)
        x = seen + self.place(encode_boxes(glimpses.boxes, seen.shape[-1]))
        x = x + self.color(glimpses.color) + self.before(before[..., None])
        read, relations = self.token_norm(tokens), _relations(glimpses.boxes)
        for layer in self.layers:
            x = layer(x, relations, glimpses.real, read, valid)
        named = self.similarity(seen, pool_tokens(tokens, valid)[:, None]).squeeze(-1)
        fits = self.trust * before + self.naming * named + self.out(self.norm(x)).squeeze(-1)
        return fits.masked_fill(~glimpses.real, NOWHERE)

    def similarity(self, seen: Tensor, names: Tensor) -> Tensor:
        """Return the cosines [B, G, K] of what was seen [B, G, C] and of names [B, K, C]."""
        return _cosines(seen, self.names(names))

    def choose(self, found: ObjectOutputs, glimpses: Glimpses, text: TextTokens) -> ObjectOutputs:
        """Return predictions in the order that the descriptions say.

        The best keeps the score that was best before, so that scores mean what they did.
        """
        before = found.logits.squeeze(-1)
        best = before.gather(1, glimpses.rows)
        assert text.guides is not None
        assert text.valid is not None
        fits = self(glimpses, best, text.guides, text.valid)
        settled = best.amax(dim=1, keepdim=True) + fits - fits.amax(dim=1, keepdim=True)
        least = settled.masked_fill(~glimpses.real, torch.inf).amin(dim=1, keepdim=True)
        logits = torch.minimum(before, least)
        # A row that stands where there was no other box is there twice, and counts as itself.
        logits = logits.scatter_reduce(1, glimpses.rows, settled, "amax")
        return replace(found, logits=logits[..., None])

    def name(
        self,
        eye: Eye,
        found: ObjectOutputs,
        glimpses: Glimpses,
        text: TextTokens,
        project: nn.Linear,
    ) -> ObjectOutputs:
        """Return predictions whose logits say what the boxes show.

        found    of images [B], with a logit for each of K names
        text     these names
        project  from the width of the text encoder to that of the network

        A box that was not looked at is taken for what the best one shows that it overlaps; one
        that overlaps none gains the mean of all that were.
        """
        classes = text.classes.expand(len(found.logits), -1, -1)
        nearest = _cosines(classes, project(self.learned)[None]).amax(dim=-1)
        learnt = between(nearest, NEW, KNOWN)[:, None]
        gain = LOOKS_GAIN * learnt * (self.similarity(self.seen(glimpses.seen), classes) - EXPECTED)
        if text.meanings is not None:
            gain = gain + MEANING_GAIN * (1 - learnt) * _nearness(
                eye.guess(glimpses.seen, SOFTNESS), project(self.defined), text.meanings
            )
        weights = glimpses.real / glimpses.real.sum(dim=1, keepdim=True)
        mean = (gain * weights[..., None]).sum(dim=1, keepdim=True)
        boxes, looked = cxcywh_to_xyxy(found.boxes_cxcywh), cxcywh_to_xyxy(glimpses.boxes)
        alike = torch.stack([pairwise_iou(*pair) for pair in zip(boxes, looked, strict=True)])
        overlap, stand_in = alike.masked_fill(~glimpses.real[:, None], 0).max(dim=-1)
        shown = gain.gather(1, stand_in[..., None].expand(-1, -1, gain.shape[-1]))
        gain = torch.where((overlap > SAME)[..., None], shown, mean)
        return replace(found, logits=found.logits + gain)


def _nearness(guesses: Tensor, classes: Tensor, meanings: Tensor) -> Tensor:
    """Return how near what is seen lies to each definition, beyond the expected, [B, G, K].

    guesses   [B, G, N]  the classes' probabilities
    classes   [N, C]     their definitions
    meanings  [1, K, C]  those of names
    """
    there = classes.norm(dim=1) > 0
    if not there.any():
        return meanings.new_zeros(())
    classes = F.normalize(classes, dim=1)
    centre = classes[there].mean(dim=0)
    classes = torch.where(there[:, None], F.normalize(classes - centre, dim=1), 0)
    meant = F.normalize(F.normalize(meanings, dim=-1) - centre, dim=-1)
    familiar = between((meant @ classes.T).amax(dim=-1), STRANGE, FAMILIAR)
    near = F.normalize(guesses @ classes, dim=-1) @ meant.transpose(1, 2)
    return familiar[:, None] * (near - EXPECTED)


def _colors(squares: Tensor, inner_cxcywh: Tensor) -> Tensor:
    """Return the mean pixels [N, 3 * PARTS ** 2] of the parts of the boxes [N, 4] in squares."""
    steps = (torch.arange(PARTS, device=squares.device, dtype=squares.dtype) + 0.5) / PARTS - 0.5
    down, across = torch.meshgrid(steps, steps, indexing="ij")
    places = torch.stack([across, down], dim=-1).view(-1, 2)
    centre, side = inner_cxcywh[:, None, :2], inner_cxcywh[:, None, 2:]
    parts = torch.cat([centre + side * places, (side / PARTS).expand(-1, len(places), -1)], dim=-1)
    return average_in_boxes(squares, parts).flatten(1)


def _cosines(first: Tensor, second: Tensor) -> Tensor:
    return F.normalize(first, dim=-1) @ F.normalize(second, dim=-1).transpose(1, 2)


def _relations(boxes_cxcywh: Tensor) -> Tensor:
    """Return for boxes [B, G, 4] where each column's lies from each row's, [B, G, G, 6]."""
    centre, side = boxes_cxcywh[..., :2], boxes_cxcywh[..., 2:].clamp(min=0.01)
    apart = centre[:, :, None] - centre[:, None]
    larger = side.log()[:, :, None] - side.log()[:, None]
    steps = (apart / side[:, :, None]).clamp(-5, 5)
    return torch.cat([3 * apart, larger, steps / 2], dim=-1)
