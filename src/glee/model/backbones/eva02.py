"""EVA-02 vision transformer with a feature pyramid, the image encoder of GLEE-Pro."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glee.config import Eva02Config
from glee.model.backbones.pyramid import SimplePyramid
from glee.model.interfaces import FeaturePyramid
from glee.model.layers.drop_path import drop_path, drop_path_rates
from glee.model.layers.windows import merge_windows, partition_windows

NORM_EPS = 1e-6
ROTARY_BASE = 10000.0

Rotation = tuple[Tensor, Tensor]
"""Cosine and sine, each [N, 1, D], of the angles by which the channels of N cells are turned."""


def rotate(x: Tensor, rotation: Rotation) -> Tensor:
    """Turn each pair of adjacent channels of x [B, N, M, D] by the angle of its cell."""
    cos, sin = rotation
    quarter_turn = torch.stack([-x[..., 1::2], x[..., ::2]], dim=-1).flatten(-2)
    return (x * cos + quarter_turn * sin).to(x.dtype)


def rotation_of_cells(positions: Tensor, head_width: int) -> Rotation:
    """Return the rotation of cells at `positions` [N, 2], float: row and column.

    The first half of the channels turns with the row and the second with the column, each pair
    of channels slower than the pair before it (RoFormer, arXiv:2104.09864, equation 15, in two
    dimensions as in EVA-02).
    """
    pair = torch.arange(head_width // 4, device=positions.device, dtype=positions.dtype)
    frequency = ROTARY_BASE ** (-4 * pair / head_width)
    angles = positions[..., None] * frequency  # [N, 2, D / 4]
    angles = angles.flatten(1).repeat_interleave(2, dim=-1)[:, None]  # [N, 1, D]
    return angles.cos(), angles.sin()


def positions_of_cells(num_cells: int, columns: int, *, device: torch.device) -> Tensor:
    """Return row and column [N, 2], float, of the first N cells of rows of `columns` cells."""
    index = torch.arange(num_cells, device=device)
    return torch.stack([index // columns, index % columns], dim=-1).float()


class RotaryAttention(nn.Module):
    """Cells read each other; queries and keys are turned by the cells' positions."""

    def __init__(self, width: int, *, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, cells: Tensor, rotation: Rotation) -> Tensor:
        """Return what each cell reads: cells [B, N, C] -> [B, N, C]."""
        query, key, value = (
            linear(cells).unflatten(-1, (self.num_heads, -1))  # [B, N, M, D]
            for linear in (self.query, self.key, self.value)
        )
        read = F.scaled_dot_product_attention(
            rotate(query, rotation).transpose(1, 2),
            rotate(key, rotation).transpose(1, 2),
            value.transpose(1, 2),
        )
        return self.out(read.transpose(1, 2).flatten(2))


class GatedMLP(nn.Module):
    """Two linear layers in parallel, one gating the other, a norm and a third (SwiGLU).

    x [..., C] -> [..., C]

    GLU Variants Improve Transformer (arXiv:2002.05202), with the norm of EVA-02
    (arXiv:2303.11331, "Architecture").
    """

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.gate, self.expand = nn.Linear(width, inner), nn.Linear(width, inner)
        self.norm = nn.LayerNorm(inner, eps=NORM_EPS)
        self.reduce = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        """Gate, normalise and reduce."""
        return self.reduce(self.norm(F.silu(self.gate(x)) * self.expand(x)))


class Eva02Block(nn.Module):
    """Attention within windows, or among all cells if `window` is None, then a gated MLP."""

    def __init__(self, config: Eva02Config, *, window: int | None, drop_rate: float) -> None:
        super().__init__()
        self.window, self.drop_rate = window, drop_rate
        self.attention_norm = nn.LayerNorm(config.width, eps=NORM_EPS)
        self.attention = RotaryAttention(config.width, num_heads=config.num_heads)
        self.mlp_norm = nn.LayerNorm(config.width, eps=NORM_EPS)
        self.mlp = GatedMLP(config.width, config.mlp_width)

    def forward(self, cells: Tensor, rotation: Rotation) -> Tensor:
        """Return the cells [B, h, w, C] after they have read each other.

        `rotation` is that of the cells of one window or, without windows, of all h * w cells.
        """
        read = self._attend(self.attention_norm(cells), rotation)
        cells = cells + drop_path(read, self.drop_rate, training=self.training)
        update = self.mlp(self.mlp_norm(cells))
        return cells + drop_path(update, self.drop_rate, training=self.training)

    def _attend(self, cells: Tensor, rotation: Rotation) -> Tensor:
        shape = (cells.shape[1], cells.shape[2])
        if self.window is None:
            return self.attention(cells.flatten(1, 2), rotation).unflatten(1, shape)
        # Padded cells are read too: the released weights were trained without a mask.
        windows = self.attention(partition_windows(cells, self.window), rotation)
        return merge_windows(windows, self.window, shape)


class Eva02(nn.Module):
    """Plain transformer with windows and rotary positions (arXiv:2303.11331), and a pyramid.

    Starts from truncated normal linear weights and position table (std 0.02), zero biases, and
    PyTorch's default for convolutions, as ViTDet in detectron2 does.
    """

    def __init__(self, config: Eva02Config) -> None:
        super().__init__()
        if config.width // config.num_heads % 4:
            raise ValueError(
                "backbone.width / backbone.num_heads must be a multiple of 4, cosine and sine of "
                f"two axes, got {config.width // config.num_heads}"
            )
        self.config = config
        self.patch_embedding = nn.Conv2d(3, config.width, config.patch, stride=config.patch)
        # The first row belongs to the class token of pretraining, which is not used here.
        self.position_embedding = nn.Parameter(
            torch.empty(1, 1 + config.pretrain_grid**2, config.width)
        )
        self.blocks = nn.ModuleList(
            Eva02Block(
                config,
                window=None if block in config.global_blocks else config.window,
                drop_rate=rate,
            )
            for block, rate in enumerate(drop_path_rates(config.drop_path, config.depth))
        )
        self.pyramid = SimplePyramid(config.width, config.pyramid_width)
        nn.init.trunc_normal_(self.position_embedding, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, pixels: Tensor) -> FeaturePyramid:
        """Return maps of strides 8, 16, 32 and 64 of `pixels` [B, 3, H, W].

        H and W are multiples of 2 * patch; the coarsest map is rounded up.
        Raises ValueError for other sizes, and for more than rope_grid**2 patches with
        rope_by_flat_index.
        """
        shape = self._grid(pixels)
        # In memory too, channels come last from here on: every layer reads whole cells.
        cells = self.patch_embedding(pixels).permute(0, 2, 3, 1).contiguous()  # [B, h, w, C]
        cells = cells + self._absolute_positions(shape)
        in_window, in_image = self._rotations(shape, cells.device)
        for number, block in enumerate(self.blocks):
            cells = block(cells, in_image if number in self.config.global_blocks else in_window)
        return self.pyramid(cells.permute(0, 3, 1, 2))

    def _grid(self, pixels: Tensor) -> tuple[int, int]:
        """Return the rows and columns of patches."""
        height, width = pixels.shape[-2:]
        patch, side = self.config.patch, self.config.rope_grid
        if not height or not width or height % (2 * patch) or width % (2 * patch):
            raise ValueError(
                f"pixels must have a height and width that are multiples of {2 * patch}, got "
                f"{height} x {width}; pad the image"
            )
        rows, columns = height // patch, width // patch
        if self.config.rope_by_flat_index and rows * columns > side**2:
            raise ValueError(
                f"pixels of {height} x {width} make {rows * columns} patches, but positions exist "
                f"for {side**2} (rope_grid {side}); resize the image to at most {side * patch} x "
                f"{side * patch}, or set rope_by_flat_index to False"
            )
        return rows, columns

    def _absolute_positions(self, shape: tuple[int, int]) -> Tensor:
        """Return the learned positions [1, h, w, C], resized from the grid of pretraining."""
        side = self.config.pretrain_grid
        table = self.position_embedding[:, 1:].view(1, side, side, -1).permute(0, 3, 1, 2)
        table = F.interpolate(table, size=shape, mode="bicubic", align_corners=False)
        return table.permute(0, 2, 3, 1)

    def _rotations(self, shape: tuple[int, int], device: torch.device) -> tuple[Rotation, Rotation]:
        """Return the rotation of the cells of a window, and that of all cells of the image.

        Rows and columns of both grids are scaled to 0..rope_reference (EVA-02 in detectron2).
        """
        config, (rows, columns) = self.config, shape
        head_width = config.width // config.num_heads
        window = positions_of_cells(config.window**2, config.window, device=device)
        # With rope_by_flat_index the cells of any image are laid out in rows of rope_grid.
        row_length = config.rope_grid if config.rope_by_flat_index else columns
        image = positions_of_cells(rows * columns, row_length, device=device)
        return (
            rotation_of_cells(window / config.window * config.rope_reference, head_width),
            rotation_of_cells(image / config.rope_grid * config.rope_reference, head_width),
        )
