"""Masks are compared with the truth at a few points, most of them where the mask is uncertain."""

from collections.abc import Sequence

import torch
from torch import Tensor

from glee.data.targets import Targets
from glee.model.interfaces import ObjectOutputs
from glee.model.mask_maps import make_masks
from glee.ops.points import sample_maps, sample_masks
from glee.training.config import MaskPointsConfig
from glee.training.matching import Assignment
from glee.training.randomness import Randomness


def masks_at_points(
    outputs: ObjectOutputs,
    mask_features: Tensor,
    assigned: Sequence[Assignment],
    targets: Sequence[Targets],
    config: MaskPointsConfig,
    randomness: Randomness,
) -> tuple[Tensor, Tensor]:
    """Return the logits [N, P] of the matched masks, and what they should be, [N, P] in 0..1.

    mask_features  [B, C, h, w]
    assigned       the N pairs, of each image; none where masks are unknown
    targets        the objects of each image

    Maps are made of the matched queries only; the original makes those of all queries.
    """
    counts = [len(pairs.query) for pairs in assigned]
    # Taken apart at once: the gradient of each image by itself would be as large as all of them.
    apart = zip(mask_features.unbind(0), assigned, strict=True)
    maps = torch.cat(
        [
            _make_maps(outputs, features, image, pairs.query)
            for image, (features, pairs) in enumerate(apart)
        ]
    )
    points = choose_points(maps.detach(), config, randomness)
    truths = [
        sample_masks(truth.masks, pairs.target, places)
        for truth, pairs, places in zip(targets, assigned, points.split(counts), strict=True)
        if truth.masks is not None
    ]
    logits = sample_maps(maps[:, None], points).squeeze(1)
    return logits, torch.cat(truths) if truths else torch.zeros_like(logits)


def choose_points(maps: Tensor, config: MaskPointsConfig, randomness: Randomness) -> Tensor:
    """Choose points where masks are uncertain, and some anywhere (arXiv:1912.08193, section 3.1).

    maps  [N, h, w]  mask logits
    Returns [N, P, 2], (x, y) in 0..1.
    """
    uncertain = int(config.uncertain_share * config.num_points)
    candidates = randomness.points(len(maps), int(config.oversampling * config.num_points))
    candidates = candidates.to(maps)
    certainty = sample_maps(maps[:, None], candidates).squeeze(1).abs()
    best = certainty.topk(uncertain, dim=1, largest=False, sorted=False).indices
    anywhere = randomness.points(len(maps), config.num_points - uncertain).to(maps)
    return torch.cat([candidates.take_along_dim(best[..., None], dim=1), anywhere], dim=1)


def _make_maps(outputs: ObjectOutputs, features: Tensor, image: int, query: Tensor) -> Tensor:
    """Return the mask logits [N, h, w] of some queries [N] of an image's features [C, h, w]."""
    kernels, bias = outputs.kernels[image, query], outputs.kernel_bias[image, query]
    return make_masks(kernels[None], bias[None], features[None])[0]
