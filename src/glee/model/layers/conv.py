"""Convolutions with the norm that follows them."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FrozenBatchNorm2d(nn.Module):
    """Batch norm whose statistics and affine terms never change: x * scale + shift per channel."""

    eps = 1e-5

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.ones(width))
        self.register_buffer("bias", torch.zeros(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    def scale_and_shift(self) -> tuple[Tensor, Tensor]:
        """Return the two terms [C] to which the norm reduces."""
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        return scale, self.bias - self.running_mean * scale

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x [B, C, h, w]."""
        scale, shift = self.scale_and_shift()
        return x * scale[:, None, None] + shift[:, None, None]


class FrozenConv(nn.Module):
    """Convolution followed by a frozen batch norm, or with that norm folded into its bias.

    x [B, C_in, h, w] -> [B, C_out, h / stride, w / stride]
    """

    def __init__(
        self, width_in: int, width: int, kernel: int, *, stride: int = 1, frozen_norm: bool
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            width_in, width, kernel, stride=stride, padding=kernel // 2, bias=not frozen_norm
        )
        self.norm = FrozenBatchNorm2d(width) if frozen_norm else nn.Identity()
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Convolve and normalise."""
        return self.norm(self.conv(x))


class GroupNormConv(nn.Module):
    """Convolution followed by a group norm.

    x [B, C_in, h, w] -> [B, C, h / stride, w / stride]
    """

    def __init__(
        self, width_in: int, width: int, kernel: int, *, groups: int, stride: int, bias: bool
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            width_in, width, kernel, stride=stride, padding=kernel // 2, bias=bias
        )
        self.norm = nn.GroupNorm(groups, width)
        nn.init.xavier_uniform_(self.conv.weight)
        if self.conv.bias is not None:
            nn.init.zeros_(self.conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve and normalise."""
        return self.norm(self.conv(x))


def resize_bilinear(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize maps [B, C, h, w] to `size` (height, width), pixel centres at +0.5."""
    if x.shape[-2:] == size:
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)
