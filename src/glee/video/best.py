"""The best object of each prompt in a frame: which query it is, and its mask."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from glee.inference.postprocess import follow_masks
from glee.inference.preprocess import ImageGeometry
from glee.model.interfaces import GleeOutputs
from glee.model.mask_maps import some_masks
from glee.ops.exclusive import render_exclusive
from glee.ops.masks import mask_to_boxes, render_masks


@dataclass(frozen=True, slots=True)
class BestObjects:
    """One object for each of R prompts.

    scores      [R]        probability of its best name, 0..1
    labels      [R] int64  that name
    boxes       [R, 4]     xyxy in pixels of the frame
    embeddings  [R, C]
    logits      [R, h, w]  of its mask, covering the network's input; h and w are 0 without masks
    follow      [R] bool   whether its box follows its mask: not one that was given on this frame
    """

    scores: Tensor
    labels: Tensor
    boxes: Tensor
    embeddings: Tensor
    logits: Tensor
    follow: Tensor

    def take(self, rows: Tensor) -> "BestObjects":
        """Return the objects of some rows, indices or bool."""
        return BestObjects(*(getattr(self, field.name)[rows] for field in fields(self)))

    def exact_boxes(self, masks: Tensor | None, geometry: ImageGeometry) -> Tensor:
        """Return the boxes [R, 4], which follow masks [R, H, W] as `find_objects` has it."""
        if masks is None:
            return self.boxes
        followed = follow_masks(self.boxes, mask_to_boxes(masks), geometry)
        return torch.where(self.follow[:, None], followed, self.boxes)

    def render(self, geometry: ImageGeometry) -> Tensor:
        """Return the masks [R, H, W] bool."""
        return render_masks(
            self.logits,
            padded=geometry.padded,
            resized=geometry.content,
            original=geometry.original,
        )

    def render_exclusive(self, geometry: ImageGeometry, given: Tensor) -> Tensor:
        """Return masks [R, H, W] bool that share no pixel; some may be given, see there."""
        return render_exclusive(
            self.logits,
            given,
            padded=geometry.padded,
            resized=geometry.content,
            original=geometry.original,
        )


def best_objects(
    outputs: GleeOutputs,
    geometry: ImageGeometry,
    *,
    previous: Tensor | None = None,
    consistency: float = 0.0,
) -> BestObjects:
    """Choose a query in each of R rows: the one of the highest score.

    previous     [R, C] embedding of the object in the frame before; zeros where it is not known
    consistency  weight of the cosine with it, which is added to the probability
    """
    final = outputs.final.float()
    logits, labels = final.logits.max(dim=2)  # [R, Q]
    # Ranked by logits where nothing is added: probabilities near 1 cannot be told apart.
    rank = logits
    if previous is not None and consistency:
        alike = F.cosine_similarity(final.embeddings, previous[:, None], dim=2)
        rank = logits.sigmoid() + consistency * alike
    rows, query = torch.arange(len(rank), device=rank.device), rank.argmax(dim=1)
    masks = [some_masks(outputs, row, query[row : row + 1]) for row in range(len(query))]
    guide = outputs.guide
    follow = torch.full_like(query, guide is not None, dtype=torch.bool)
    if guide is not None and guide.given is not None:
        follow = ~guide.given.to(query.device)
    return BestObjects(
        scores=logits[rows, query].sigmoid(),
        labels=labels[rows, query],
        boxes=geometry.boxes_to_original(final.boxes_cxcywh[rows, query]),
        embeddings=final.embeddings[rows, query],
        logits=torch.cat(masks),
        follow=follow,
    )


def join_best(parts: Iterable[BestObjects]) -> BestObjects:
    """Put the objects of several passes together; at least one."""
    columns: Sequence[Sequence[Tensor]] = [
        [getattr(part, field.name) for field in fields(BestObjects)] for part in parts
    ]
    return BestObjects(*(torch.cat(column) for column in zip(*columns, strict=True)))
