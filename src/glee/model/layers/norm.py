"""Layer norm over the channels of a feature map."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ChannelLayerNorm(nn.Module):
    """Normalise the channels of each cell on its own (arXiv:1607.06450).

    x [B, C, h, w] -> [B, C, h, w], channels last in memory
    """

    eps = 1e-6

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x [B, C, h, w]."""
        cells = F.layer_norm(
            x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, self.eps
        )
        return cells.permute(0, 3, 1, 2)
