"""Cross-stage partial network of NanoDet-g, an image encoder of plain convolutions."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glee.config import CspConfig
from glee.model.interfaces import FeaturePyramid

COARSEST_STRIDE = 32
NEGATIVE_SLOPE = 0.1

# The published names count stages and laterals by the powers of two of their strides.
FIRST_STAGE, FIRST_LATERAL = 2, 3


class LeakyConv(nn.Module):
    """Convolution of 3x3 with bias and a leaky ReLU behind it.

    x [B, C_in, h, w] -> [B, C, h / stride, w / stride]
    """

    def __init__(self, width_in: int, width: int, *, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width_in, width, 3, stride=stride, padding=1)
        nn.init.kaiming_normal_(self.conv.weight, NEGATIVE_SLOPE)
        if self.conv.bias is not None:
            nn.init.zeros_(self.conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve and activate."""
        return F.leaky_relu(self.conv(x), NEGATIVE_SLOPE)


class CspBlock(nn.Module):
    """Two convolutions in a row, whose results are joined instead of added; x [B, C, h, w]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduce = LeakyConv(width, width // 2)
        self.refine = LeakyConv(width // 2, width // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return as many channels as came, the last results first."""
        first = self.reduce(x)
        return torch.cat([self.refine(first), first], dim=1)


class CspStage(nn.Module):
    """Blocks and a way past them (CSPNet, arXiv:1911.11929).

    x [B, C, h, w] -> [B, 2 C, h / stride, w / stride]
    """

    def __init__(self, width: int, *, depth: int, stride: int) -> None:
        super().__init__()
        self.down = LeakyConv(width, width, stride=stride)
        self.blocks = nn.Sequential(*(CspBlock(width) for _ in range(depth)))
        self.out = LeakyConv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Join what passed the blocks with what did not."""
        x = self.down(x)
        return torch.cat([self.out(self.blocks(x)), x], dim=1)


class CspNeck(nn.Module):
    """Path aggregation (arXiv:1803.01534) without weights but those of its projections.

    The maps are added up from coarse to fine, and then from fine to coarse.
    """

    def __init__(self, widths: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(source, width, 1) for source in widths)

    def forward(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return as many maps [B, C, h, w] of one width, each half as large as the one before.

        maps  [B, C_i, h_i, w_i], finest first, each half as large as the one before
        """
        levels = [lateral(x) for lateral, x in zip(self.laterals, maps, strict=True)]
        for fine in reversed(range(len(levels) - 1)):
            enlarged = F.interpolate(levels[fine + 1], scale_factor=2.0, mode="bilinear")
            levels[fine] = levels[fine] + enlarged
        for coarse in range(1, len(levels)):
            levels[coarse] = levels[coarse] + F.avg_pool2d(levels[coarse - 1], 2)
        return tuple(levels)


class CspTowers(nn.Module):
    """One more convolution for each map, of its own, as before a detector's predictions."""

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.towers = nn.ModuleList(LeakyConv(width, width) for _ in range(count))

    def forward(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the maps [B, C, h, w] with their convolved selves behind them, [B, 2C, h, w]."""
        return tuple(
            torch.cat([x, tower(x)], dim=1) for x, tower in zip(maps, self.towers, strict=True)
        )


class CspNet(nn.Module):
    """Encoder of NanoDet-g (https://github.com/RangiLyu/nanodet, "CustomCspNet").

    Its batch norms are folded into the convolutions. It reads pixels as GLEE normalises them.
    """

    def __init__(self, config: CspConfig) -> None:
        super().__init__()
        width = config.stem_width
        self.stem = LeakyConv(3, width, stride=2)
        self.stages = nn.ModuleList(
            CspStage(width << number, depth=depth, stride=2 if number else 1)
            for number, depth in enumerate(config.depths)
        )
        widths = config.stage_widths[1:]
        self.neck = CspNeck(widths, config.neck_width) if config.has_neck else None
        self.towers = CspTowers(config.neck_width, len(widths)) if config.has_towers else None

    def forward(self, pixels: Tensor) -> FeaturePyramid:
        """Return maps of strides 4, 8, 16 and 32 of `pixels` [B, 3, H, W].

        With a neck all but the finest have passed it; with towers both are there.
        Raises ValueError if H or W is no multiple of 32.
        """
        first, *others = self.encode(pixels)
        maps = tuple(others)
        if self.neck is not None:
            maps = self.neck(maps)
        if self.towers is not None:
            maps = self.towers(maps)
        return FeaturePyramid((first, *maps))

    def encode(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Return the maps that the stages give, before the neck, if there is one."""
        height, width = pixels.shape[2:]
        if height % COARSEST_STRIDE or width % COARSEST_STRIDE:
            raise ValueError(
                f"pixels are {height} x {width}, but height and width must be multiples of "
                f"{COARSEST_STRIDE}; pad the images to such a size"
            )
        x = self.stem(pixels.contiguous(memory_format=torch.channels_last))
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return tuple(maps)


def convert_csp(published: Mapping[str, Tensor], config: CspConfig) -> dict[str, Tensor]:
    """Return the weights of `CspNet` from those of NanoDet-g with folded norms.

    The published network reads blue, green, red and GLEE red, green, blue, normalised alike.
    Raises ValueError if a tensor is missing; the detector's predictors are left out.
    """
    weights = {}
    for target, source in _published_names(config).items():
        for kind in ("weight", "bias"):
            if f"{source}.{kind}" not in published:
                raise ValueError(f"the published weights lack {source}.{kind}")
            weights[f"{target}.{kind}"] = published[f"{source}.{kind}"].float()
    weights["stem.conv.weight"] = weights["stem.conv.weight"].flip(1)
    return weights


def _published_names(config: CspConfig) -> dict[str, str]:
    """Return the published name of each convolution by ours."""
    names = {"stem.conv": "backbone.stem"}
    for number, depth in enumerate(config.depths):
        ours, theirs = f"stages.{number}", f"backbone.stage{FIRST_STAGE + number}"
        names |= {f"{ours}.{part}.conv": f"{theirs}.{part}" for part in ("down", "out")}
        for block in range(depth):
            names[f"{ours}.blocks.{block}.reduce.conv"] = f"{theirs}.res.{block}.a"
            names[f"{ours}.blocks.{block}.refine.conv"] = f"{theirs}.res.{block}.b"
    if config.has_neck:
        for level in range(len(config.depths) - 1):
            names[f"neck.laterals.{level}"] = f"neck.lateral{FIRST_LATERAL + level}"
    if config.has_towers:
        for level in range(len(config.depths) - 1):
            names[f"towers.towers.{level}.conv"] = f"head.tower.p{FIRST_LATERAL + level}"
    return names
