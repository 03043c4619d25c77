"""Low-rank changes of weights: little to learn, and nothing left of them in the end."""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from glee.model.glee import GLEE

PARTS = ("early_fusion", "pixel_decoder", "object_decoder")
"""Parts of the network whose linear layers are changed."""

ORIGINAL = ".parametrizations.weight."


class LowRank(nn.Module):
    """Adds a product of two thin matrices to a weight (LoRA, arXiv:2106.09685, section 4.1).

    weight  [out, in]  that it is for
    rank    of the product
    scale   factor of the product
    """

    def __init__(self, weight: Tensor, *, rank: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.down = nn.Parameter(weight.new_empty(rank, weight.shape[1]))
        self.up = nn.Parameter(weight.new_zeros(weight.shape[0], rank))  # no change at first
        nn.init.kaiming_uniform_(self.down, a=5**0.5)

    def forward(self, weight: Tensor) -> Tensor:
        """Return the changed weight [out, in]."""
        return weight + self.scale * (self.up @ self.down)


def add_low_rank(model: GLEE, *, rank: int = 8, scale: float = 2.0) -> None:
    """Let only low-rank changes of the linear layers of `PARTS`, and the heads, learn.

    Raises ValueError for a rank below 1.
    """
    if rank < 1:
        raise ValueError(f"rank must be at least 1, got {rank}")
    model.requires_grad_(False)
    model.heads.requires_grad_(True)
    for part in PARTS:
        for module in list(model.get_submodule(part).modules()):
            if isinstance(module, nn.Linear):
                change = LowRank(module.weight, rank=rank, scale=scale)
                parametrize.register_parametrization(module, "weight", change)


@torch.no_grad()
def plain_weights(model: GLEE) -> dict[str, Tensor]:
    """Return the state of a network with all low-rank changes added to the weights."""
    weights = {n: value for n, value in model.state_dict().items() if ORIGINAL not in n}
    for name, module in model.named_modules():
        if parametrize.is_parametrized(module, "weight"):
            weights[f"{name}.weight"] = module.weight
    return weights
