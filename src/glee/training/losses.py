"""How far predictions are from the truth: plain functions of numbers."""

import torch
import torch.nn.functional as F
from torch import Tensor

from glee.ops.boxes import cxcywh_to_xyxy, generalized_iou


def focal_loss(logits: Tensor, target: Tensor, *, alpha: float, gamma: float) -> Tensor:
    """Compute binary cross-entropy that counts what is already right less.

    logits  [...]
    target  [...]  0 or 1
    alpha   weight of the ones; the zeros weigh 1 - alpha
    gamma   how fast the weight falls with the probability of being right
    Returns [...], unreduced.

    Focal Loss (arXiv:1708.02002, equation 5).
    """
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    probability = logits.sigmoid()
    wrong = probability + target - 2 * probability * target
    weight = alpha * target + (1 - alpha) * (1 - target)
    return weight * wrong**gamma * entropy


def dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Compute 1 - Dice overlap of each predicted mask with its target.

    logits  [N, P]  mask logits at P sampled points
    target  [N, P]  0..1 at the same points
    Returns [N] in 0..1, unreduced and unweighted: the criterion does both.

    V-Net (arXiv:1606.04797, "Dice loss layer"), with plain sums for its squares, as in DETR
    (arXiv:2005.12872), and +1 above and below so that an empty target gives a finite gradient.
    """
    probability = logits.sigmoid()
    overlap = 2 * (probability * target).sum(-1)
    total = probability.sum(-1) + target.sum(-1)
    return 1 - (overlap + 1) / (total + 1)


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Average the binary cross-entropy over the points of each mask; shapes as `dice_loss`."""
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(-1)


def box_losses(boxes: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the L1 distance and 1 - generalized IoU of each box and its target.

    boxes   [N, 4]  cxcywh; brought to 0..1 first, as in the released code
    target  [N, 4]  cxcywh in 0..1
    Returns [N] and [N].
    """
    boxes = boxes.clamp(0, 1)
    distance = (boxes - target).abs().sum(-1)
    return distance, 1 - generalized_iou(cxcywh_to_xyxy(boxes), cxcywh_to_xyxy(target))


def contrastive_loss(similarity: Tensor, same: Tensor, different: Tensor) -> Tensor:
    """Compute log(1 + sum over pairs of exp(wrong - right)) over all wrong and right pairs.

    similarity  [N, M]  of N objects with M candidates
    same        [N, M]  bool, pairs that are one object
    different   [N, M]  bool, pairs that are not; what is neither does not count
    Returns a number, 0 if either kind is missing.

    The contrastive loss of IDOL (arXiv:2207.10661), over all objects of the frame together, as in
    the released code; the paper of GLEE (arXiv:2312.09158) sums over objects.
    """
    # The double sum of exponents is a product of two sums.
    wrong = similarity.masked_fill(~different, -torch.inf).flatten().logsumexp(0)
    right = (-similarity).masked_fill(~same, -torch.inf).flatten().logsumexp(0)
    return F.softplus(wrong + right)
