"""Linear layers with an activation in between."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Rows of a feed-forward block expanded at once: a few megabytes, which stay near the cache and
# spare the memory of the whole expansion.
ROWS_AT_ONCE = 2048


class MLP(nn.Module):
    """A stack of linear layers with ReLU between them: `MLP(256, 256, 4)` has two.

    x [..., widths[0]] -> [..., widths[-1]]
    """

    def __init__(self, *widths: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(inner, outer) for inner, outer in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        """Apply all layers."""
        *hidden, last = self.layers
        for layer in hidden:
            x = F.relu(layer(x))
        return last(x)


class FeedForward(nn.Module):
    """The two linear layers of a transformer block, with ReLU between them.

    x [..., C] -> [..., C]
    """

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.expand, self.reduce = nn.Linear(width, inner), nn.Linear(inner, width)
        for layer in (self.expand, self.reduce):
            nn.init.xavier_uniform_(layer.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Expand, rectify and reduce."""
        if torch.is_grad_enabled() or torch.compiler.is_compiling():
            return self.reduce(F.relu(self.expand(x)))
        rows = x.flatten(0, -2).split(ROWS_AT_ONCE)
        return torch.cat([self.reduce(self.expand(some).relu_()) for some in rows]).view(x.shape)
