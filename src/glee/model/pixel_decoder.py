"""Deformable encoder over all pyramid levels, and the mask features."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glee.config import GleeConfig
from glee.model.interfaces import LevelShapes
from glee.model.layers.conv import GroupNormConv, resize_bilinear
from glee.model.layers.deformable import DeformableAttention
from glee.model.layers.mlp import FeedForward
from glee.model.layers.position import cell_centres, encode_cells


class EncoderLayer(nn.Module):
    """Each cell reads a few places of all levels, then passes a feed-forward block."""

    def __init__(self, config: GleeConfig) -> None:
        super().__init__()
        size = config.pixel_decoder
        self.attention = DeformableAttention(
            config.width,
            num_heads=size.num_heads,
            num_levels=config.num_levels,
            num_points=size.num_points,
        )
        self.attention_norm = nn.LayerNorm(config.width)
        self.feed_forward = FeedForward(config.width, size.mlp_width)
        self.feed_forward_norm = nn.LayerNorm(config.width)

    def forward(
        self, cells: Tensor, position: Tensor, centres: Tensor, shapes: LevelShapes
    ) -> Tensor:
        """Return the refined cells [B, S, C]; position [S, C] and centres [1, S, 2] in 0..1."""
        read = self.attention(cells + position, centres, cells, shapes)
        cells = self.attention_norm(cells + read)
        return self.feed_forward_norm(cells + self.feed_forward(cells))


class PixelDecoder(nn.Module):
    """Refine the cells and make the mask features (Mask DINO, arXiv:2206.02777, section 3.3)."""

    def __init__(self, config: GleeConfig) -> None:
        super().__init__()
        width = config.width
        self.level_embedding = nn.Parameter(torch.randn(config.num_levels, width))
        self.layers = nn.ModuleList(
            EncoderLayer(config) for _ in range(config.pixel_decoder.num_layers)
        )
        self.output = GroupNormConv(
            width,
            width,
            config.pixel_decoder.mask_kernel,
            groups=config.norm_groups,
            stride=1,
            bias=False,
        )

    def forward(self, cells: Tensor, shapes: LevelShapes) -> tuple[Tensor, ...]:
        """Return the refined levels, each [B, C, h_i, w_i].

        cells  [B, S, C]  cells that have read the prompt, finest level first
        """
        width = cells.shape[-1]
        position = torch.cat(
            [
                encode_cells(shape, width, cells) + level
                for shape, level in zip(shapes, self.level_embedding, strict=True)
            ]
        )
        centres = cell_centres(shapes, cells)[None]
        for layer in self.layers:
            cells = layer(cells, position, centres, shapes)
        return tuple(
            level.transpose(1, 2).unflatten(2, shape)
            for level, shape in zip(
                cells.split([h * w for h, w in shapes], dim=1), shapes, strict=True
            )
        )

    def mask_features(self, finest: Tensor, lateral: Tensor) -> Tensor:
        """Return the mask features [B, C, h, w].

        finest   [B, C, h_0, w_0]  the finest refined level
        lateral  [B, C, h, w]      the backbone's finest map
        """
        size = (lateral.shape[2], lateral.shape[3])
        return F.relu(self.output(lateral + resize_bilinear(finest, size)))
