"""From the backbone's pyramid to the cells that meet the prompt, all at one width."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glee.config import GleeConfig
from glee.model.interfaces import FeaturePyramid, ImageFeatures
from glee.model.layers.conv import GroupNormConv, resize_bilinear
from glee.model.layers.mlp import MLP
from glee.model.layers.position import encode_cells

COLOURS = 3


class Neck(nn.Module):
    """Bring the backbone's maps to one width.

    Either every map but the finest is projected and one coarser level is made of the last
    (Deformable DETR, arXiv:2010.04159, appendix A.2), or the maps already have that width and
    are all used as they are. The finest map also goes to the mask features.

    With `coarse_context` each finer level also reads the coarsest map, enlarged, by a projection
    of its own, so that fine cells know what they belong to when they read the prompt; each cell
    knows where it is and its mean colour, which descriptions speak of; and there are no group
    norms behind the projections, since early fusion normalises each cell.
    """

    def __init__(self, config: GleeConfig) -> None:
        super().__init__()
        widths, width, groups = config.backbone.out_widths, config.width, config.norm_groups
        self.lateral = GroupNormConv(widths[0], width, 1, groups=groups, stride=1, bias=False)
        self.levels = nn.ModuleList()
        self.coarser = nn.ModuleList()
        self.context = nn.ModuleList()
        if config.coarse_context:
            self.levels.extend(nn.Conv2d(w, width, 1) for w in widths[1:])
            self.coarser.append(nn.Conv2d(widths[-1], width, 3, stride=2, padding=1))
            self.context.extend(nn.Conv2d(widths[-1], width, 1, bias=False) for _ in widths[1:-1])
            self.looks = MLP(width + COLOURS, width // 2, width)
            for parameter in self.looks.layers[-1].parameters():
                nn.init.zeros_(parameter)
        elif config.project_levels:
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
        for number, project in enumerate(self.context):
            height, width = levels[number].shape[2:]
            levels[number] = levels[number] + resize_bilinear(project(maps[-1]), (height, width))
        if self.context:
            levels = [level + self._look(level, pixels) for level in levels]
        return ImageFeatures(
            pixels=pixels,
            cells=torch.cat([level.flatten(2).transpose(1, 2) for level in levels], dim=1),
            shapes=tuple((level.shape[2], level.shape[3]) for level in levels),
            lateral=self.lateral(maps[0]),
            concepts=pyramid.concepts,
        )

    def _look(self, level: Tensor, pixels: Tensor) -> Tensor:
        """Return what the cells of a level [B, C, h, w] know of their places and colours."""
        height, width = level.shape[2:]
        place = encode_cells((height, width), level.shape[1], level)
        place = place.expand(len(level), -1, -1)
        colour = F.adaptive_avg_pool2d(pixels, (height, width)).flatten(2).transpose(1, 2)
        look = self.looks(torch.cat([place, colour.to(place)], dim=2))
        return look.transpose(1, 2).unflatten(2, (height, width))
