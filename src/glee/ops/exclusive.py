"""Masks of several objects that share no pixel."""

import torch
from torch import Tensor

from glee.ops.masks import compose_resizes

# Pixels of all objects computed at once, so that memory does not grow with the image.
STRIP_PIXELS = 2**18


def render_exclusive(
    logits: Tensor,
    given: Tensor,
    *,
    padded: tuple[int, int],
    resized: tuple[int, int],
    original: tuple[int, int],
) -> Tensor:
    """Turn mask logits at the network's resolution into masks that share no pixel.

    A pixel belongs to the object of the highest probability p, if that exceeds the product of all
    (1 - p), the background's; as in UNINEXT (arXiv:2303.06674, its released code for video object
    segmentation).

    logits    [N, h, w], covering the padded input; resized as by `render_masks`
    given     [N, H, W] bool, masks that are known already; where an object has any pixel of them,
              this is its mask and its logits are not read
    padded, resized, original  (height, width), see `render_masks`
    Returns [N, H, W] bool. Memory does not grow with the image beyond that.
    """
    logits = logits.detach().float()
    rows = compose_resizes(logits.shape[1], padded[0], resized[0], original[0]).to(logits.device)
    columns = compose_resizes(logits.shape[2], padded[1], resized[1], original[1]).to(logits.device)
    masks = torch.zeros(len(logits), *original, dtype=torch.bool, device=logits.device)
    if len(logits) == 0:
        return masks
    known = given.flatten(1).any(dim=1)[:, None, None]
    wide = logits @ columns.weights.T  # [N, h, W]
    step = max(1, STRIP_PIXELS // (original[1] * len(logits)))
    for top in range(0, original[0], step):
        strip = slice(top, min(top + step, original[0]))
        probability = (rows.weights[strip] @ wide).sigmoid()
        # What is known exceeds every probability.
        rank = torch.where(known, 2.0 * given[:, strip], probability)
        background = (1 - rank.clamp(max=1)).prod(dim=0)
        best, owner = rank.max(dim=0)
        owner[best <= background] = -1
        masks[:, strip] = owner == torch.arange(len(logits), device=logits.device)[:, None, None]
    return masks
