"""Checks: what was measured in several ways must have given the same objects."""

from dataclasses import dataclass

import torch
from torch import Tensor

# Largest differences, of scores (0..1) and of sides of boxes (pixels), where only the order of
# sums differs; and where each of them is also rounded to half precision.
EXACT = (1e-3, 0.5)
ROUNDED = (0.05, 8.0)


@dataclass(frozen=True, slots=True)
class Check:
    """How far the objects of two ways to the same result are apart.

    name    the two ways, in words
    scores  largest difference of their scores
    boxes   largest difference of their boxes, in pixels
    passed  whether both are within what rounding explains, and as many objects were found
    """

    name: str
    scores: float
    boxes: float
    passed: bool


@dataclass(frozen=True, slots=True)
class Objects:
    """What is compared: scores [N], boxes [N, 4] xyxy."""

    scores: Tensor
    boxes: Tensor


def check_same(name: str, first: Objects, second: Objects, dtype: torch.dtype) -> Check:
    """Compare the objects of two ways; their order may differ where scores are equal.

    dtype  what the network computed in
    """
    if len(first.scores) != len(second.scores):
        return Check(name, float("nan"), float("nan"), passed=False)
    if not len(first.scores):
        return Check(name, 0.0, 0.0, passed=True)
    order, other = first.scores.sort().values, second.scores.sort().values
    scores = float((order - other).abs().max())
    apart = (first.boxes[:, None] - second.boxes[None]).abs().amax(dim=-1)  # [N, N]
    boxes = float(torch.maximum(apart.amin(dim=0).max(), apart.amin(dim=1).max()))
    most_scores, most_boxes = EXACT if dtype is torch.float32 else ROUNDED
    return Check(name, scores, boxes, passed=scores <= most_scores and boxes <= most_boxes)
