"""Stochastic depth: whole residual branches are left out at random in training."""

import torch.nn.functional as F
from torch import Tensor


def drop_path(x: Tensor, rate: float, *, training: bool) -> Tensor:
    """Zero the branch output x [B, ...] of some images, at random and in training only.

    Each image is dropped with probability `rate` (0..1) and the others are scaled by
    1 / (1 - rate), so that the expectation stays. Draws from PyTorch's default generator, as
    dropout does.

    Deep Networks with Stochastic Depth (arXiv:1603.09382), scaled in training instead of testing.
    """
    if not training or rate == 0:
        return x
    kept = F.dropout(x.new_ones(len(x), *(1,) * (x.ndim - 1)), rate)
    return x * kept


def drop_path_rates(highest: float, num_blocks: int) -> list[float]:
    """Return one rate per block, rising linearly from 0 to `highest` at the last block."""
    return [highest * block / max(num_blocks - 1, 1) for block in range(num_blocks)]
