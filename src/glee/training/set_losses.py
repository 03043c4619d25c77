"""Losses of one set of predictions, such as those of one decoder layer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from glee.data.targets import Targets
from glee.model.interfaces import ObjectOutputs
from glee.training.config import CriterionConfig, FocalConfig
from glee.training.losses import box_losses, cross_entropy, dice_loss, focal_loss
from glee.training.mask_losses import masks_at_points
from glee.training.matching import Assignment
from glee.training.randomness import Randomness


@dataclass(frozen=True, slots=True)
class Matched:
    """What the queries of a set of predictions stand for.

    assigned     which query stands for which object, for each image
    targets      the objects of each image
    num_objects  what losses are divided by
    """

    assigned: Sequence[Assignment]
    targets: Sequence[Targets]
    num_objects: float

    def keep(self, images: Sequence[bool]) -> "Matched":
        """Return the pairs of some images, none of the others."""
        pairs = [
            pair if kept else Assignment(pair.query[:0], pair.target[:0])
            for pair, kept in zip(self.assigned, images, strict=True)
        ]
        return replace(self, assigned=pairs)

    def places(self) -> tuple[Tensor, Tensor]:
        """Return image and query of all pairs, to index [B, Q, ...] with."""
        images = [torch.full_like(pair.query, image) for image, pair in enumerate(self.assigned)]
        return torch.cat(images), torch.cat([pair.query for pair in self.assigned])

    def labels(self) -> Tensor:
        """Return the label of each pair."""
        pairs = zip(self.targets, self.assigned, strict=True)
        return torch.cat([truth.labels[pair.target] for truth, pair in pairs])

    def boxes(self) -> Tensor:
        """Return the true box of each pair, cxcywh."""
        pairs = zip(self.targets, self.assigned, strict=True)
        return torch.cat([truth.boxes_cxcywh[pair.target] for truth, pair in pairs])


def compare_places(
    predicted: ObjectOutputs, matched: Matched, config: CriterionConfig
) -> dict[str, Tensor]:
    """Compute the losses of names and, where they can be learned from, boxes."""
    semantic = semantic_loss(predicted.logits, matched, config.focal)
    known = matched.keep([truth.learn_boxes for truth in matched.targets])
    distance, apart = box_losses(predicted.boxes_cxcywh[known.places()], known.boxes())
    return {
        "semantic": config.semantic * semantic / matched.num_objects,
        "box_l1": config.box_l1 * distance.sum() / matched.num_objects,
        "box_giou": config.box_giou * apart.sum() / matched.num_objects,
    }


def semantic_loss(logits: Tensor, matched: Matched, focal: FocalConfig) -> Tensor:
    """Sum the focal loss over all queries and names; unmatched queries should deny all names.

    logits  [B, Q, K]
    """
    target = torch.zeros_like(logits)
    target[(*matched.places(), matched.labels())] = 1
    each = focal_loss(logits, target, alpha=focal.alpha, gamma=focal.gamma)
    exhaustive = [truth.exhaustive for truth in matched.targets]
    if all(known is None for known in exhaustive):
        return each.sum()
    every = torch.ones(logits.shape[2], dtype=torch.bool, device=logits.device)
    known = torch.stack([every if own is None else own for own in exhaustive])
    # Where absence is not known, only presence teaches.
    return (each * (known[:, None] | (target > 0))).sum()


def compare_masks(
    predicted: ObjectOutputs,
    mask_features: Tensor,
    matched: Matched,
    config: CriterionConfig,
    randomness: Randomness,
) -> dict[str, Tensor]:
    """Compute the losses of masks, where they are known; features are [B, C, h, w]."""
    known = matched.keep([truth.masks is not None for truth in matched.targets])
    logits, truth = masks_at_points(
        predicted, mask_features, known.assigned, known.targets, config.mask_points, randomness
    )
    if config.mask_loss == "focal":
        focal = config.focal
        each = focal_loss(logits, truth, alpha=focal.alpha, gamma=focal.gamma).mean(-1)
    else:
        each = cross_entropy(logits, truth)
    return {
        "mask": config.mask * each.sum() / matched.num_objects,
        "dice": config.dice * dice_loss(logits, truth).sum() / matched.num_objects,
    }


def compare_confidence(
    predicted: ObjectOutputs, matched: Matched, config: CriterionConfig, *, applies: bool
) -> dict[str, Tensor]:
    """Compute the loss of being the marked object, for images with a mark if it `applies`."""
    target = torch.zeros_like(predicted.confidence)
    target[matched.places()] = 1
    marked = [row for row, truth in enumerate(matched.targets) if truth.marked]
    rows = torch.tensor(marked if applies else [], dtype=torch.int64, device=target.device)
    each = focal_loss(
        predicted.confidence[rows],
        target[rows],
        alpha=config.focal.alpha,
        gamma=config.focal.gamma,
    )
    divisor = matched.num_objects if config.confidence_per_object else target.shape[1]
    return {"confidence": config.confidence * each.sum() / divisor}
