"""ResNet-50, the image encoder of GLEE-Lite."""

import torch.nn.functional as F
from torch import Tensor, nn

from glee.config import ResNetConfig
from glee.model.interfaces import FeaturePyramid
from glee.model.layers.conv import FrozenConv


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions around a shortcut; the 3x3 carries the stride.

    x [B, C_in, h, w] -> [B, C, h / stride, w / stride]
    """

    def __init__(
        self, width_in: int, inner: int, width: int, *, stride: int, frozen_norm: bool
    ) -> None:
        super().__init__()
        self.shortcut = (
            FrozenConv(width_in, width, 1, stride=stride, frozen_norm=frozen_norm)
            if width_in != width or stride != 1
            else nn.Identity()
        )
        self.conv1 = FrozenConv(width_in, inner, 1, frozen_norm=frozen_norm)
        self.conv2 = FrozenConv(inner, inner, 3, stride=stride, frozen_norm=frozen_norm)
        self.conv3 = FrozenConv(inner, width, 1, frozen_norm=frozen_norm)

    def forward(self, x: Tensor) -> Tensor:
        """Add what the convolutions find to the shortcut."""
        y = F.relu(self.conv1(x))
        y = F.relu(self.conv2(y))
        return F.relu(self.conv3(y) + self.shortcut(x))


class ResNet(nn.Module):
    """Residual network (arXiv:1512.03385, table 1) with frozen batch norms.

    The stride lies on the 3x3 convolution of each stage's first block, as in the weights that
    GLEE starts from.
    """

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        self.stem = FrozenConv(3, config.stem_width, 7, stride=2, frozen_norm=config.frozen_norm)
        width_in, stages = config.stem_width, []
        for stage, (width, depth) in enumerate(zip(config.widths, config.depths, strict=True)):
            blocks = []
            for block in range(depth):
                blocks.append(
                    Bottleneck(
                        width_in,
                        config.bottleneck_width * 2**stage,
                        width,
                        stride=2 if stage and not block else 1,
                        frozen_norm=config.frozen_norm,
                    )
                )
                width_in = width
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def forward(self, pixels: Tensor) -> FeaturePyramid:
        """Return maps of strides 4, 8, 16 and 32 of `pixels` [B, 3, H, W]."""
        x = F.relu(self.stem(pixels))
        x = F.max_pool2d(x, kernel_size=3, stride=2, padding=1)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return FeaturePyramid(tuple(maps))
