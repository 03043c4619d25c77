"""Swin transformer, the image encoder of GLEE-Plus."""

from collections.abc import Sequence
from itertools import islice

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glee.config import SwinConfig
from glee.model.interfaces import FeaturePyramid
from glee.model.layers.drop_path import drop_path, drop_path_rates
from glee.model.layers.windows import (
    merge_windows,
    pad_cells,
    partition_windows,
    shifted_window_mask,
)


def offset_index(window: int, *, like: Tensor) -> Tensor:
    """Number the offsets between the N = window * window cells of a window.

    Returns [N, N] int64 in 0..(2 * window - 1)**2 - 1, on the device of `like`: the offset of
    the reading cell (first index) from the cell that it reads, counted row by row from
    1 - window to window - 1 rows and columns.
    """
    place = torch.arange(window, device=like.device)
    offset = place[:, None] - place + window - 1  # [window, window], along one axis
    index = offset[:, None, :, None] * (2 * window - 1) + offset[None, :, None, :]
    return index.flatten(2).flatten(0, 1)


class WindowAttention(nn.Module):
    """Cells of a window read each other, with a learned bias per offset between two cells."""

    def __init__(self, width: int, *, num_heads: int, window: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.position_bias = nn.Parameter(torch.empty((2 * window - 1) ** 2, num_heads))
        nn.init.trunc_normal_(self.position_bias, std=0.02)

    def forward(self, windows: Tensor, offsets: Tensor, shift_mask: Tensor | None) -> Tensor:
        """Return what each cell reads, [B * n, N, C].

        windows     [B * n, N, C]  n windows of N cells per image
        offsets     [N, N]         rows of the bias table
        shift_mask  [n, N, N]      added to the scores; None if every cell may read all others
        """
        heads = self.qkv(windows).unflatten(-1, (3, self.num_heads, -1))
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # each [B * n, M, N, D]
        # Four axes, or PyTorch takes its slow way on a CPU.
        bias = self.position_bias[offsets].permute(2, 0, 1).contiguous()[None]  # [1, M, N, N]
        if shift_mask is not None:
            images = len(windows) // len(shift_mask)
            bias = bias + shift_mask.repeat(images, 1, 1)[:, None]  # [B * n, M, N, N]
        read = F.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype))
        return self.out(read.transpose(1, 2).flatten(2))


class SwinBlock(nn.Module):
    """Attention within windows, then two linear layers, each on normalised cells.

    Where `shift` is not 0 the windows lie that many cells further to the bottom and right.
    """

    def __init__(self, config: SwinConfig, stage: int, *, shift: int, drop_rate: float) -> None:
        super().__init__()
        width = config.out_widths[stage]
        inner = int(width * config.mlp_ratio)
        self.window, self.shift, self.drop_rate = config.window, shift, drop_rate
        self.attention_norm = nn.LayerNorm(width)
        self.attention = WindowAttention(
            width, num_heads=config.num_heads[stage], window=config.window
        )
        self.mlp_norm = nn.LayerNorm(width)
        self.expand, self.reduce = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, cells: Tensor, offsets: Tensor, shift_mask: Tensor) -> Tensor:
        """Return the cells [B, h, w, C] after they have read their window.

        cells       [B, h, w, C]
        offsets     [N, N]     rows of the bias table
        shift_mask  [n, N, N]  added to the scores of shifted windows
        """
        # Padding comes after the norm: padded cells are zeros, not the norm's bias.
        windows = partition_windows(self.attention_norm(cells), self.window, shift=self.shift)
        windows = self.attention(windows, offsets, shift_mask if self.shift else None)
        shape = (cells.shape[1], cells.shape[2])
        read = merge_windows(windows, self.window, shape, shift=self.shift)
        cells = cells + drop_path(read, self.drop_rate, training=self.training)
        update = self.reduce(F.gelu(self.expand(self.mlp_norm(cells))))
        return cells + drop_path(update, self.drop_rate, training=self.training)


class PatchMerging(nn.Module):
    """Four neighbouring cells become one of twice the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * width)
        self.reduce = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, cells: Tensor) -> Tensor:
        """Merge cells [B, h, w, C] into [B, h / 2, w / 2, 2 * C], rounded up."""
        cells = pad_cells(cells, 2)
        corners = [cells[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.reduce(self.norm(torch.cat(corners, dim=-1)))


class SwinStage(nn.Module):
    """Blocks of one width; in every other block the windows are shifted by half their side."""

    def __init__(self, config: SwinConfig, stage: int, *, drop_rates: Sequence[float]) -> None:
        super().__init__()
        self.window, self.shift = config.window, config.window // 2
        self.blocks = nn.ModuleList(
            SwinBlock(config, stage, shift=self.shift if block % 2 else 0, drop_rate=rate)
            for block, rate in enumerate(drop_rates)
        )

    def forward(self, cells: Tensor, offsets: Tensor) -> Tensor:
        """Apply all blocks to cells [B, h, w, C]; `offsets` [N, N] are rows of the bias table."""
        shape = (cells.shape[1], cells.shape[2])
        shift_mask = shifted_window_mask(shape, self.window, shift=self.shift, like=cells)
        for block in self.blocks:
            cells = block(cells, offsets, shift_mask)
        return cells


class Swin(nn.Module):
    """Hierarchical transformer with shifted windows (arXiv:2103.14030, "Overall architecture").

    Starts from truncated normal linear weights and bias tables (std 0.02), zero biases, and
    PyTorch's default for the patch convolution, as the authors' code does.
    """

    def __init__(self, config: SwinConfig) -> None:
        super().__init__()
        self.patch, self.window = config.patch, config.window
        widths = config.out_widths
        self.patch_embedding = nn.Conv2d(3, config.width, config.patch, stride=config.patch)
        self.patch_norm = nn.LayerNorm(config.width)
        rates = iter(drop_path_rates(config.drop_path, sum(config.depths)))
        self.stages = nn.ModuleList(
            SwinStage(config, stage, drop_rates=list(islice(rates, depth)))
            for stage, depth in enumerate(config.depths)
        )
        self.merges = nn.ModuleList(PatchMerging(width) for width in widths[:-1])
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in widths)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, pixels: Tensor) -> FeaturePyramid:
        """Return maps of strides 4, 8, 16 and 32 of `pixels` [B, 3, H, W], rounded up."""
        height, width = pixels.shape[-2:]
        pixels = F.pad(pixels, (0, -width % self.patch, 0, -height % self.patch))
        cells = self.patch_norm(self.patch_embedding(pixels).permute(0, 2, 3, 1))  # [B, h, w, C]
        offsets = offset_index(self.window, like=cells)
        maps = []
        for number, (stage, norm) in enumerate(zip(self.stages, self.norms, strict=True)):
            if number:
                cells = self.merges[number - 1](cells)
            cells = stage(cells, offsets)
            # The next stage reads the cells as they are, without this norm.
            maps.append(norm(cells).permute(0, 3, 1, 2))
        return FeaturePyramid(tuple(maps))
