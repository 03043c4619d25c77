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
    counts  how many objects each of them found
    scores  largest difference of their scores, None if one found more than the other
    boxes   largest difference of their boxes, in pixels, or None
    passed  whether both are within what rounding explains, and as many objects were found
    """

    name: str
    counts: tuple[int, int]
    scores: float | None
    boxes: float | None
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
    counts = len(first.scores), len(second.scores)
    if counts[0] != counts[1]:
        return Check(name, counts, None, None, passed=False)
    if not counts[0]:
        return Check(name, counts, 0.0, 0.0, passed=True)
    order, other = first.scores.sort().values, second.scores.sort().values
    scores = float((order - other).abs().max())
    apart = (first.boxes[:, None] - second.boxes[None]).abs().amax(dim=-1)  # [N, N]
    boxes = float(torch.maximum(apart.amin(dim=0).max(), apart.amin(dim=1).max()))
    most_scores, most_boxes = EXACT if dtype is torch.float32 else ROUNDED
    return Check(name, counts, scores, boxes, scores <= most_scores and boxes <= most_boxes)
