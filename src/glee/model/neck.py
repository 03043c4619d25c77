"""From the backbone's pyramid to the cells that meet the prompt, all at one width."""

import torch
from torch import Tensor, nn

from glee.config import GleeConfig
from glee.model.interfaces import FeaturePyramid, ImageFeatures
from glee.model.layers.conv import GroupNormConv, resize_bilinear


class Neck(nn.Module):
    """Bring the backbone's maps to one width.

    Either every map but the finest is projected and one coarser level is made of the last
    (Deformable DETR, arXiv:2010.04159, appendix A.2), or the maps already have that width and
    are all used as they are. The finest map also goes to the mask features.

    With `top_down` each level is added, enlarged, to the next finer one (arXiv:1612.03144,
    without the convolutions behind it: the pixel decoder refines all levels anyway), so that
    fine cells know what they belong to when they read the prompt.
    """

    def __init__(self, config: GleeConfig) -> None:
        super().__init__()
        widths, width, groups = config.backbone.out_widths, config.width, config.norm_groups
        self.lateral = GroupNormConv(widths[0], width, 1, groups=groups, stride=1, bias=False)
        self.top_down = config.top_down
        self.levels = nn.ModuleList()
        self.coarser = nn.ModuleList()
        if config.project_levels:
            self.levels.extend(
                GroupNormConv(w, width, 1, groups=groups, stride=1, bias=True) for w in widths[1:]
            )
            self.coarser.append(
                GroupNormConv(widths[-1], width, 3, groups=groups, stride=2, bias=True)
            )

    def forward(self, pyramid: FeaturePyramid, pixels: Tensor) -> ImageFeatures:
        """Return the features of the images `pixels` [B, 3, H, W] that no prompt has touched."""
        maps = list(pyramid.maps)
        levels = maps
        if self.levels:
            levels = [level(x) for level, x in zip(self.levels, maps[1:], strict=True)]
            levels += [level(maps[-1]) for level in self.coarser]
        if self.top_down:
            for fine in reversed(range(len(levels) - 1)):
                height, width = levels[fine].shape[2:]
                levels[fine] = levels[fine] + resize_bilinear(levels[fine + 1], (height, width))
        return ImageFeatures(
            pixels=pixels,
            cells=torch.cat([level.flatten(2).transpose(1, 2) for level in levels], dim=1),
            shapes=tuple((level.shape[2], level.shape[3]) for level in levels),
            lateral=self.lateral(maps[0]),
        )
