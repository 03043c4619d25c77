"""What a classifier takes the contents of boxes for, counted with what queries say."""

from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor

from glee.model.interfaces import ObjectOutputs

GAIN, EXPECTED = 2.5, 0.3
"""What logits gain by the cosine of a box's concepts and a name, beyond that to be expected."""

STRANGE, FAMILIAR = 0.4, 0.8
"""Cosines of names and the nearest concept between which the gain grows: of what is like none of
them, such as people in ImageNet, a classifier cannot say that it is not there."""

SMALLEST, LARGE = 0.1, 0.4
"""Sides of boxes, in shares of the image's, between which the gain grows: small boxes are less than
a cell of the coarsest map, which shows what is around them."""


def weigh_concepts(
    outputs: ObjectOutputs, seen: Tensor, classes: Tensor, concepts: Tensor, *, trust: float = 1.0
) -> ObjectOutputs:
    """Return predictions whose logits say what the boxes show, by the concepts in them.

    Means over boxes of what an encoder says of an image, beside the names of a detector that
    learned from fewer images (F-VLM, arXiv:2209.15639, section 3.2); nothing is learned for it.

    seen      [B, Q, C]       means of concepts in the boxes
    classes   [B or 1, K, C]  names
    concepts  [N, C]          all concepts; zero where there is none
    trust     share of the gain, 0..1
    """
    there = F.normalize(concepts[concepts.norm(dim=1) > 0], dim=1)
    if not len(there):
        return outputs
    centre = there.mean(dim=0)
    boxes, names, known = (
        F.normalize(F.normalize(x, dim=-1) - centre, dim=-1) for x in (seen, classes, there)
    )
    familiar = (names @ known.T).amax(dim=-1)
    share = between(familiar, STRANGE, FAMILIAR)[:, None]
    sides = outputs.boxes_cxcywh[..., 2:].prod(dim=-1).sqrt()
    share = share * between(sides, SMALLEST, LARGE)[..., None]
    alike = boxes @ names.transpose(1, 2) - EXPECTED
    return replace(outputs, logits=outputs.logits + trust * GAIN * share * alike)


def between(x: Tensor, low: float, high: float) -> Tensor:
    """Return how far values lie from one to another, 0..1."""
    return ((x - low) / (high - low)).clamp(0, 1)
