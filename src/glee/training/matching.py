"""Which query stands for which object: the cheapest assignment of one to the other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from glee.data.targets import Targets, check_labels
from glee.model.interfaces import ObjectOutputs
from glee.model.mask_maps import read_masks
from glee.ops.boxes import cxcywh_to_xyxy, generalized_iou
from glee.ops.points import points_inside, sample_maps, sample_masks
from glee.training.config import FocalConfig, MatcherConfig
from glee.training.randomness import Randomness


@dataclass(frozen=True, slots=True)
class Assignment:
    """Pairs of a query and an object in one image.

    query   [N] int64
    target  [N] int64, index into the objects of the image
    """

    query: Tensor
    target: Tensor


@dataclass(frozen=True, slots=True)
class MaskSamples:
    """What the masks of one image say at points shared by all queries and objects.

    features  [C, P]  mask features
    points    [P, 2]  (x, y) in 0..1
    inside    [P]     what a map of ones reads there, see `points_inside`
    truth     [G, P]  masks of the objects, 0..1
    """

    features: Tensor
    points: Tensor
    inside: Tensor
    truth: Tensor

    def predict(self, outputs: ObjectOutputs, image: int) -> Tensor:
        """Return the mask logits [Q, P] of all queries of the image; reading maps is linear."""
        bias = outputs.kernel_bias[image, :, None] * self.inside
        return read_masks(outputs.kernels[image], self.features, self.points) + bias


@torch.no_grad()
def match(
    sets: Sequence[ObjectOutputs],
    mask_features: Tensor,
    targets: Sequence[Targets],
    config: MatcherConfig,
    focal: FocalConfig,
    randomness: Randomness,
) -> list[list[Assignment]]:
    """Assign each object to one query, in each set of predictions and each image.

    sets           predictions of the same queries by several layers
    mask_features  [B, C, h, w]
    targets        the objects of each image
    Returns for each set one Assignment an image, of the fewer of queries and objects.

    DETR (arXiv:2005.12872, section 3.1) with the costs of Mask DINO (arXiv:2206.02777). Masks
    are read at random points, the same for all sets, unlike in the original, which draws anew for
    each. Reading is linear, and so the mask features are read and made into masks only there:
    the maps of all queries are never made.

    Raises ValueError if a label is no name of the prompt, FloatingPointError if predictions are
    not finite.
    """
    check_labels(targets, sets[0].logits.shape[2])
    samples = sample_images(mask_features, targets, config, randomness)
    costs = [
        _cost(outputs, image, (truth, sample), config, focal)
        for outputs in sets
        for image, (truth, sample) in enumerate(zip(targets, samples, strict=True))
    ]
    images = len(targets)
    pairs = _assign([cost.shape for cost in costs], torch.cat([cost.flatten() for cost in costs]))
    return [pairs[start : start + images] for start in range(0, len(pairs), images)]


def semantic_cost(logits: Tensor, labels: Tensor, focal: FocalConfig) -> Tensor:
    """Return how much focal loss each query [Q, K] would gain by each label [G], as [Q, G]."""
    probability = logits[:, labels].sigmoid()
    # This constant is that of the released code.
    present = -(probability + 1e-6).log() * (1 - probability) ** focal.gamma
    absent = -(1 - probability + 1e-6).log() * probability**focal.gamma
    return focal.alpha * present - (1 - focal.alpha) * absent


def mask_costs(logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean cross-entropy and dice loss of each mask [Q, P] with each truth [G, P].

    Both are [Q, G]; see `cross_entropy` and `dice_loss` of losses.py.
    """
    # Cross-entropy is softplus(x) - x t, of which only the second part depends on the pair.
    entropy = F.softplus(logits).mean(1)[:, None] - logits @ truth.T / logits.shape[1]
    probability = logits.sigmoid()
    overlap = 2 * probability @ truth.T
    total = probability.sum(1)[:, None] + truth.sum(1)
    return entropy, 1 - (overlap + 1) / (total + 1)


def sample_images(
    mask_features: Tensor,
    targets: Sequence[Targets],
    config: MatcherConfig,
    randomness: Randomness,
) -> list[MaskSamples | None]:
    """Read features and true masks at random points of each image, where masks are known."""
    if not any(truth.masks is not None and len(truth) for truth in targets):
        return [None] * len(targets)
    points = randomness.points(len(targets), config.num_points).to(mask_features)
    inside = points_inside(points, (mask_features.shape[2], mask_features.shape[3]))
    samples: list[MaskSamples | None] = []
    for image, truth in enumerate(targets):
        if truth.masks is None:
            samples.append(None)
            continue
        features = sample_maps(mask_features[image, None], points[image, None])[0]
        rows = torch.arange(len(truth), device=points.device)
        places = points[image].expand(len(truth), -1, -1)
        samples.append(
            MaskSamples(
                features, points[image], inside[image], sample_masks(truth.masks, rows, places)
            )
        )
    return samples


def _cost(
    outputs: ObjectOutputs,
    image: int,
    known: tuple[Targets, MaskSamples | None],
    config: MatcherConfig,
    focal: FocalConfig,
) -> Tensor:
    """Return what it costs each query of one image to stand for each object, [Q, G]."""
    truth, sample = known
    boxes = outputs.boxes_cxcywh[image].clamp(0, 1)
    distance = torch.cdist(boxes, truth.boxes_cxcywh, p=1)
    overlap = generalized_iou(
        cxcywh_to_xyxy(boxes)[:, None], cxcywh_to_xyxy(truth.boxes_cxcywh)[None]
    )
    cost = config.semantic * semantic_cost(outputs.logits[image], truth.labels, focal)
    cost = cost + config.box_l1 * distance - config.box_giou * overlap
    if sample is not None:
        entropy, dice = mask_costs(sample.predict(outputs, image), sample.truth)
        cost = cost + config.mask * entropy + config.dice * dice
    return cost


def _assign(shapes: Sequence[torch.Size], costs: Tensor) -> list[Assignment]:
    """Find the cheapest assignments for several tables of costs [Q, G], given one after another.

    All costs go to the CPU in one transfer and all pairs come back in one, so that a GPU is not
    waited for at every image of every layer.
    """
    try:
        from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - only training needs it
    except ImportError as error:
        raise ImportError('training needs SciPy: pip install "glee-vision[train]"') from error
    numbers = costs.float().cpu()
    if not numbers.isfinite().all():
        raise FloatingPointError("predictions are not finite, the training has diverged")
    tables = numbers.split([shape.numel() for shape in shapes])
    pairs = [
        torch.from_numpy(np.stack(linear_sum_assignment(table.view(shape).numpy())))
        for table, shape in zip(tables, shapes, strict=True)
    ]
    placed = torch.cat(pairs, dim=1).to(costs.device)
    return [Assignment(*part) for part in placed.split([pair.shape[1] for pair in pairs], dim=1)]
