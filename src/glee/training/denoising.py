"""Noised truth as extra queries, which learn to find back to it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from glee.data.targets import Targets, check_labels
from glee.model.interfaces import ExtraQueries
from glee.model.layers.position import inverse_sigmoid
from glee.training.config import DenoisingConfig
from glee.training.matching import Assignment
from glee.training.randomness import Randomness


@dataclass(frozen=True, slots=True)
class Denoising:
    """Extra queries and what they stand for.

    queries   for the forward pass of the network
    assigned  which extra query stands for which object, for each image
    groups    how many copies of each object there are
    """

    queries: ExtraQueries
    assigned: tuple[Assignment, ...]
    groups: int


def noise_targets(
    targets: Sequence[Targets],
    embeddings: Tensor,
    config: DenoisingConfig,
    randomness: Randomness,
) -> Denoising | None:
    """Make groups of extra queries, in each of which every object appears once, noised.

    targets     the objects of each image, on the device of the embeddings
    embeddings  [B or 1, K, C]  content of a query for each label: the prompt's own embeddings of
                its names (`TextTokens.classes`), or a table of learned ones
    Returns None if no image has objects, or one has more than the number of extra queries.

    DN-DETR (arXiv:2203.01305), as in Mask DINO's "standard" mode: labels and boxes, no masks, and
    no negative copies. Groups do not see each other. Images with fewer objects than the fullest
    have empty slots, of zeros.

    Raises ValueError if a label has no embedding.
    """
    check_labels(targets, embeddings.shape[1])
    counts = [len(truth) for truth in targets]
    most = max(counts, default=0)
    groups = config.num_queries // most if most else 0
    if not groups:
        return None
    # All objects of the batch, image by image, then all of them again for the next group.
    labels = torch.cat([truth.labels for truth in targets]).repeat(groups)
    boxes = torch.cat([truth.boxes_cxcywh for truth in targets]).repeat(groups, 1)
    labels = _noise_labels(labels, embeddings.shape[1], config, randomness)
    boxes = _noise_boxes(boxes, config, randomness)
    size = groups * most
    # The slots of each image's objects: a row for each group, [groups, G].
    start = torch.arange(0, size, most, device=labels.device)[:, None]
    slots = [start + torch.arange(count, device=labels.device) for count in counts]
    slot = torch.cat(slots, dim=1).flatten()
    image = torch.arange(len(targets), device=labels.device)
    image = image.repeat_interleave(torch.tensor(counts, device=labels.device)).repeat(groups)
    content = embeddings.new_zeros(len(targets), size, embeddings.shape[2])
    content[image, slot] = embeddings.expand(len(targets), -1, -1)[image, labels]
    box_logits = boxes.new_zeros(len(targets), size, 4)
    box_logits[image, slot] = inverse_sigmoid(boxes)
    group = torch.arange(size, device=labels.device) // most
    queries = ExtraQueries(content, box_logits, group[:, None] == group)
    assigned = (Assignment(own.flatten(), _count_up(own)) for own in slots)
    return Denoising(queries, tuple(assigned), groups)


def _count_up(slots: Tensor) -> Tensor:
    """Return the objects in slots [groups, G]: 0 to G - 1, again in every group."""
    return torch.arange(slots.shape[1], device=slots.device).repeat(len(slots))


def _noise_labels(
    labels: Tensor, num_labels: int, config: DenoisingConfig, randomness: Randomness
) -> Tensor:
    """Replace some labels [N] by any."""
    chosen = randomness.label_chances(len(labels)).to(labels.device) < config.label_noise
    noised = labels.clone()
    noised[chosen] = randomness.labels(int(chosen.sum()), num_labels).to(labels.device)
    return noised


def _noise_boxes(boxes: Tensor, config: DenoisingConfig, randomness: Randomness) -> Tensor:
    """Shift and scale boxes [N, 4], cxcywh in 0..1."""
    size = boxes[:, 2:]
    reach = config.box_noise * torch.cat([size / 2, size], dim=1)
    return (boxes + reach * randomness.box_shifts(len(boxes)).to(boxes)).clamp(0, 1)
