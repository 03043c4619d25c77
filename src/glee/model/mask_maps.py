"""From kernels and mask features to masks."""

import torch
from torch import Tensor

from glee.model.interfaces import GleeOutputs, ObjectOutputs
from glee.model.layers.conv import resize_bilinear
from glee.model.mask_colours import follow_colours

ELLIPSE = 4
"""Numbers of a kernel behind those of the mask features: the ellipse, see heads.Ellipse."""

FINER = 2
"""By how much masks with ellipses are finer than the mask features: an ellipse of few cells is
none."""


def make_masks(kernels: Tensor, bias: Tensor, mask_features: Tensor) -> Tensor:
    """Return mask logits [B, N, h, w], FINER times as high and wide if kernels have ellipses.

    kernels        [B, N, C]  or C + ELLIPSE
    bias           [B, N]
    mask_features  [B, C, h, w]

    All in one floating-point type and outside of autocast, since large terms cancel.
    """
    count, height, width = mask_features.shape[1:]
    # Adding the bias by itself would need memory for all logits once more.
    logits = torch.baddbmm(bias[..., None], kernels[..., :count], mask_features.flatten(2))
    logits = logits.unflatten(2, (height, width))
    if kernels.shape[-1] == count:
        return logits
    height, width = FINER * height, FINER * width
    x, y = ((torch.arange(size).to(logits) + 0.5) / size for size in (width, height))
    wide, high, across, down = kernels[..., count:, None].unbind(2)
    rows, columns = high * y**2 + down * y, wide * x**2 + across * x
    # One by one, since there may be none.
    logits = resize_bilinear(logits.flatten(0, 1)[:, None], (height, width))
    logits = logits.view(*bias.shape, height, width)
    # In place: finding memory for sums of this size takes several times as long as adding.
    logits += rows[..., None]
    logits += columns[..., None, :]
    return logits


def mask_logits(outputs: ObjectOutputs, mask_features: Tensor) -> Tensor:
    """Return the mask logits [B, Q, h, w] of all queries; see `make_masks`."""
    return make_masks(outputs.kernels, outputs.kernel_bias, mask_features)


def some_masks(outputs: GleeOutputs, row: int, query: Tensor) -> Tensor:
    """Return the mask logits [N, h, w] of queries [N] of one row of a batch, to be looked at.

    See `make_masks`, and `follow_colours`, which training does without.
    """
    final = outputs.final
    kernels, bias = final.kernels[row, query].float(), final.kernel_bias[row, query].float()
    logits = make_masks(kernels[None], bias[None], outputs.mask_features[row, None].float())[0]
    return follow_colours(outputs, row, query, logits)


def read_masks(kernels: Tensor, features: Tensor, points: Tensor) -> Tensor:
    """Return what masks without their bias say at points, [Q, P].

    kernels   [Q, C]  or C + ELLIPSE
    features  [C, P]  mask features, read at the points
    points    [P, 2]  (x, y) in 0..1
    """
    logits = kernels[:, : len(features)] @ features
    if kernels.shape[1] == len(features):
        return logits
    places = points.to(logits).T
    return logits + kernels[:, len(features) :] @ torch.cat([places**2, places])
