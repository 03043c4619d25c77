"""From predictions of queries to instances in pixels of the original image."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from glee.inference.preprocess import ImageGeometry
from glee.model.interfaces import GleeOutputs, ObjectOutputs
from glee.model.mask_maps import some_masks
from glee.ops.boxes import clip_boxes, suppress_nested
from glee.ops.masks import grade_masks, mask_to_boxes, render_masks

Scoring = Literal["object", "pair", "confidence"]

MASK_SHARE = 0.5
"""What the box of a mask that follows colours counts beside the box found; see docs/nano.md."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which predictions become instances.

    scoring      "object": each query counts once, with its best name and that name's
                 probability. "pair": every pair of query and name counts, and its probability is
                 multiplied by the quality of the mask, as in the evaluations of the paper.
                 "confidence": as "object", ranked by the confidence of being the marked object
    threshold    instances have a higher score than this, 0..1; None keeps all
    max_objects  at most so many
    masks        whether masks are wanted
    clip         whether boxes are cut at the image's borders
    nested       with scoring "object": of two objects of one name the worse is left out if more
                 than this share of the smaller box lies in the other, as the network found them;
                 None keeps both
    """

    scoring: Scoring = "object"
    threshold: float | None = None
    max_objects: int = 100
    masks: bool = True
    clip: bool = True
    nested: float | None = None

    @property
    def reads_masks(self) -> bool:
        """Whether masks are needed, be it for scores only."""
        return self.masks or self.scoring == "pair"

    def __post_init__(self) -> None:
        if self.scoring not in get_args(Scoring):
            raise ValueError(
                f"scoring must be one of {', '.join(get_args(Scoring))}, got {self.scoring!r}"
            )
        if self.threshold is not None and not 0 <= self.threshold < 1:
            raise ValueError(f"threshold must lie in 0..1 (1 excluded), got {self.threshold}")
        if not isinstance(self.max_objects, int):
            raise TypeError(f"max_objects must be a whole number, got {self.max_objects!r}")
        if self.max_objects < 1:
            raise ValueError(f"max_objects must be at least 1, got {self.max_objects}")
        if self.nested is not None and not 0 < self.nested <= 1:
            raise ValueError(f"nested must lie in 0..1 (0 excluded), got {self.nested}")


@dataclass(frozen=True, slots=True)
class Found:
    """Instances of one row of predictions, best first.

    query       [N] int64, which query
    labels      [N] int64, which name
    scores      [N] 0..1
    boxes       [N, 4] xyxy in pixels of the original image
    embeddings  [N, C] appearance, used to link frames
    masks       [N, H, W] bool at the original size, None if not wanted
    """

    query: Tensor
    labels: Tensor
    scores: Tensor
    boxes: Tensor
    embeddings: Tensor
    masks: Tensor | None


def find_objects(
    outputs: GleeOutputs, row: int, geometry: ImageGeometry, selection: Selection
) -> Found:
    """Choose and place the objects of one row of a batch.

    Only the masks of queries that are chosen are computed. Where they follow the colours of their
    image, the boxes follow them, unless such a box was given.
    """
    final = outputs.final
    query, labels, scores = _choose(final, row, selection)
    embeddings = final.embeddings[row].float()
    boxes = geometry.boxes_to_original(final.boxes_cxcywh[row, query], clip=selection.clip)
    if selection.scoring == "object" and selection.nested is not None:
        kept = suppress_nested(boxes, scores, labels, selection.nested)
        query, labels, scores, boxes = query[kept], labels[kept], scores[kept], boxes[kept]
    guide = outputs.guide
    given = guide is not None and guide.given is not None and bool(guide.given[row])
    follow = guide is not None and not given
    if selection.scoring != "pair":
        masks = None
        if selection.masks:
            logits = some_masks(outputs, row, query)
            masks = render_masks(
                logits,
                padded=geometry.padded,
                resized=geometry.content,
                original=geometry.original,
            )
            boxes = follow_masks(boxes, mask_to_boxes(masks), geometry) if follow else boxes
        return Found(query, labels, scores, boxes, embeddings[query], masks)
    # A query may stand in several pairs; its mask is rendered once.
    distinct, place = query.unique(return_inverse=True)
    logits = some_masks(outputs, row, distinct)
    masks, quality = grade_masks(
        logits, padded=geometry.padded, resized=geometry.content, original=geometry.original
    )
    boxes = follow_masks(boxes, mask_to_boxes(masks)[place], geometry) if follow else boxes
    scores = scores * quality[place]
    order = scores.argsort(descending=True, stable=True)
    order = order[_above(scores[order], selection.threshold)]
    return Found(
        query[order],
        labels[order],
        scores[order],
        boxes[order],
        embeddings[query[order]],
        masks[place[order]] if selection.masks else None,
    )


def follow_masks(boxes: Tensor, mask_boxes: Tensor, geometry: ImageGeometry) -> Tensor:
    """Return boxes moved half of the way to their masks, which say better where objects end.

    boxes       [N, 4]  xyxy in pixels of the original image
    mask_boxes  [N, 4]  the tightest boxes around the masks, zeros for those that are empty

    Boxes of empty masks stay, and so do sides that lie beyond the border of the image.
    """
    inside = clip_boxes(boxes, geometry.original)
    there = mask_boxes[:, 2:].amax(dim=1, keepdim=True) > 0
    moved = boxes + MASK_SHARE * (mask_boxes - boxes)
    return torch.where((inside == boxes) & there, moved, boxes)


def _choose(
    outputs: ObjectOutputs, row: int, selection: Selection
) -> tuple[Tensor, Tensor, Tensor]:
    """Return query, name and probability of the best candidates, best first."""
    # Chosen by logits: probabilities near 1 cannot be told apart.
    logits = outputs.logits[row].float()  # [Q, K]
    if selection.scoring == "pair":
        flat = logits.flatten()
        best, index = flat.topk(min(selection.max_objects, len(flat)))
        # The quality that they are multiplied with is at most 1.
        index = index[_above(best.sigmoid(), selection.threshold)]
        return index // logits.shape[1], index % logits.shape[1], flat[index].sigmoid()
    best, labels = logits.max(dim=1)
    if selection.scoring == "confidence":
        best = outputs.confidence[row].float()
    best, query = best.topk(min(selection.max_objects, len(best)))
    # Queries below the threshold leave here, before any mask is computed.
    kept = _above(best.sigmoid(), selection.threshold)
    return query[kept], labels[query[kept]], best[kept].sigmoid()


def _above(scores: Tensor, threshold: float | None) -> Tensor:
    return torch.ones_like(scores, dtype=torch.bool) if threshold is None else scores > threshold
