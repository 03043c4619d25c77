"""Deformable attention: each query reads a few bilinear samples of the feature pyramid."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glee.model.interfaces import LevelShapes

# Points handled at a time without autograd: half a megabyte per temporary, so that the steps
# between a location and its four rows stay in the cache. Encoder layer of an 800 x 1344 image,
# 2 cores of an AMD EPYC, torch 2.13: 38 ms, 42 with half or twice as many, 130 in one piece.
_POINTS_PER_CHUNK = 65536

# A multiply-add on a gathered row takes about as long as three in a matrix product (same machine).
_GATHER_COST = 3


def sample_deformable(
    values: Tensor, shapes: LevelShapes, locations: Tensor, weights: Tensor
) -> Tensor:
    """Sum bilinear samples of all levels, weighted, for each query and head.

    values     [B, S, M, D]             cells of all levels, each level row by row
    shapes     (h, w) of each level, in the order in which S concatenates them
    locations  [B, Q, M, levels, P, 2]  (x, y), 0..1 of each level; cell centres lie at +0.5
    weights    [B, Q, M, levels, P]
    Returns [B, Q, M * D] in the dtype of `values`; the arithmetic is at least float32. A sample
    beyond the outermost cell centres fades to zero over one cell, as with zero padding.

    Raises ValueError if the shapes do not have S cells or if the other arguments do not fit.

    Deformable DETR (arXiv:2010.04159, eq. 3). Differentiable in all three tensors.
    """
    _check(values, shapes, locations, weights)
    dtype = torch.promote_types(values.dtype, torch.float32)
    # Measured as above: bags take 38 ms and grid_sample 583 (300 queries: 0.9 and 4), with the
    # backward pass 1337 and 1512; compiled, on one thread, 0.2 s and 4 s. An exported graph has
    # grid_sample because ONNX would loop over the bags, and so have other devices, where it is a
    # tuned kernel and bags were not measured.
    on_cpu = values.device.type == "cpu" and not torch.compiler.is_exporting()
    sample = _sample_bags if on_cpu else _sample_grids
    return sample(values.to(dtype), shapes, locations.to(dtype), weights.to(dtype)).to(values.dtype)


class DeformableAttention(nn.Module):
    """Queries read the pyramid at a few points of their own choice around a reference.

    Deformable DETR (arXiv:2010.04159, "Multi-scale Deformable Attention Module"). Its parameters
    begin as there (appendix A.4, on initialization): the heads look in different directions, the
    points of a head ever farther, all with equal weight.
    """

    def __init__(self, width: int, *, num_heads: int, num_levels: int, num_points: int) -> None:
        super().__init__()
        if width % num_heads:
            raise ValueError(f"width ({width}) must be a multiple of num_heads ({num_heads})")
        self.layout = (num_heads, num_levels, num_points)
        self.offsets = nn.Linear(width, math.prod(self.layout) * 2)
        self.weights = nn.Linear(width, math.prod(self.layout))
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        heads, levels, points = self.layout
        # Computed on the CPU, also for a sketch on the meta device, where it would be slow.
        angle = torch.arange(heads, device="cpu") * (2 * math.pi / heads)
        direction = torch.stack([angle.cos(), angle.sin()], dim=-1)
        direction = direction / direction.abs().amax(dim=-1, keepdim=True)
        reach = direction[:, None, None] * torch.arange(1, points + 1, device="cpu")[:, None]
        with torch.no_grad():
            self.offsets.bias.copy_(reach.expand(heads, levels, points, 2).flatten())
        for parameter in (self.offsets.weight, self.weights.weight, self.weights.bias):
            nn.init.zeros_(parameter)
        for linear in (self.value, self.out):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(
        self, query: Tensor, reference: Tensor, memory: Tensor, shapes: LevelShapes
    ) -> Tensor:
        """Return what each query has read, [B, Q, C].

        query      [B, Q, C]
        reference  [B or 1, Q, 2 or 4]  (x, y) or cxcywh, 0..1: offsets are in cells of each level
                                        around a point, or in fractions of a box around its centre
        memory     [B, S, C]            cells of all levels, each level row by row
        shapes     (h, w) of each level of `memory`

        Raises ValueError if `reference` is neither points nor boxes or if `shapes` does not have
        as many levels as this layer or as many cells as `memory`.
        """
        if len(shapes) != self.layout[1]:
            raise ValueError(f"shapes has {len(shapes)} levels, this layer has {self.layout[1]}")
        locations = self._locate(query, reference, shapes)
        weights = self.weights(query).unflatten(-1, (self.layout[0], -1))
        weights = weights.to(locations.dtype).softmax(dim=-1).view(locations.shape[:-1])
        if self._projects_last(query.shape[1], memory.shape[1]):
            read = self._sample_then_project(memory, shapes, locations, weights)
        else:
            read = self._project_then_sample(memory, shapes, locations, weights)
        return self.out(read)

    def _locate(self, query: Tensor, reference: Tensor, shapes: LevelShapes) -> Tensor:
        """Return the sampling locations [B, Q, M, levels, P, 2], at least float32."""
        heads, _, points = self.layout
        dtype = torch.promote_types(query.dtype, torch.float32)
        offsets, reference = self.offsets(query).to(dtype), reference.to(dtype)
        match reference.shape[-1]:
            case 2:
                cell = torch.tensor([(1 / w, 1 / h) for h, w in shapes], dtype=dtype)
                cell = cell.to(query.device, non_blocking=True)
                step = cell.repeat_interleave(points, dim=0).repeat(heads, 1)
            case 4:
                step = reference[:, :, None, 2:] * (0.5 / points)
            case size:
                raise ValueError(f"reference must hold (x, y) or cxcywh, got {size} numbers")
        # With all points in one dimension this takes a quarter of the time of six dimensions.
        flat = (offsets.unflatten(-1, (-1, 2)) * step).add_(reference[:, :, None, :2])
        return flat.unflatten(2, self.layout)

    def _projects_last(self, num_queries: int, num_cells: int) -> bool:
        """Say whether sampling first is the cheaper order.

        The value projection is linear, so it may follow the sampling. It is then applied to
        num_queries rows instead of num_cells, but each head samples all channels instead of its
        own. For 300 queries of 22323 cells: 59 million multiply-adds instead of 1468 and, measured
        as above, 3 ms instead of 18, or 21 instead of 49 with gradients. Near 3000 queries it makes
        no difference with gradients.
        """
        heads, levels, points = self.layout
        width = self.value.in_features
        gathered = _GATHER_COST * heads * levels * points * 4
        return num_queries * (gathered + width) < num_cells * width

    def _project_then_sample(
        self, memory: Tensor, shapes: LevelShapes, locations: Tensor, weights: Tensor
    ) -> Tensor:
        values = self.value(memory).unflatten(-1, (self.layout[0], -1))
        return sample_deformable(values, shapes, locations, weights)

    def _sample_then_project(
        self, memory: Tensor, shapes: LevelShapes, locations: Tensor, weights: Tensor
    ) -> Tensor:
        heads = self.layout[0]
        read = sample_deformable(
            memory.unsqueeze(2),  # one head of all channels: the heads become more queries
            shapes,
            locations.flatten(1, 2).unsqueeze(2),
            weights.flatten(1, 2).unsqueeze(2),
        ).view(*locations.shape[:3], memory.shape[-1])  # [B, Q, M, C]
        matrix = self.value.weight.view(heads, -1, memory.shape[-1])  # [M, D, C]
        bias = self.value.bias.view(heads, -1)
        # Outside the image there is nothing, so not even a bias.
        inside = (weights * _inside(locations, shapes)).sum(dim=(-2, -1))  # [B, Q, M]
        read = torch.einsum("bqmc,mdc->bqmd", read, matrix)
        return (read + (inside.unsqueeze(-1) * bias).to(read.dtype)).flatten(2)


def _check(values: Tensor, shapes: LevelShapes, locations: Tensor, weights: Tensor) -> None:
    batch, cells, heads, _ = values.shape
    if cells != sum(h * w for h, w in shapes):
        raise ValueError(f"values has {cells} cells, which the levels {shapes} do not add up to")
    expected = [batch, locations.shape[1], heads, len(shapes), locations.shape[-2]]
    for name, tensor, wanted in (
        ("locations", locations, [*expected, 2]),
        ("weights", weights, expected),
    ):
        if list(tensor.shape) != wanted:
            raise ValueError(
                f"{name} is {list(tensor.shape)}; for values {list(values.shape)} and "
                f"{len(shapes)} levels it must be {wanted}"
            )


def _clip(position: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    """Move positions between the outermost cell centres, 0 and `last`.

    Returns them and, per axis, how much of a sample there is left of what zero padding fades: a
    bilinear sample with zero padding is the sample of the nearest position inside, times the
    product of both axes' remainders. That needs no masks and no cells that are not there.
    """
    near = torch.minimum(position, last).clamp_(min=0)
    return near, (position - near).abs_().neg_().add_(1).clamp_(min=0)


def _inside(locations: Tensor, shapes: LevelShapes) -> Tensor:
    """Return the part of each bilinear sample [..., levels, P, 2] that lies in the image, 0..1."""
    size = torch.tensor([(w, h) for h, w in shapes], dtype=locations.dtype)
    size = size.to(locations.device, non_blocking=True).unsqueeze(1)
    _, remainder = _clip(locations * size - 0.5, size - 1)
    return remainder.prod(dim=-1)


def _sample_grids(
    values: Tensor, shapes: LevelShapes, locations: Tensor, weights: Tensor
) -> Tensor:
    batch, _, heads, _ = values.shape
    maps = values.permute(0, 2, 3, 1).flatten(0, 1)  # [B * M, D, S]
    grids = (2 * locations - 1).transpose(1, 2).flatten(0, 1)  # [B * M, Q, levels, P, 2]
    weights = weights.transpose(1, 2).flatten(0, 1).unsqueeze(1)  # [B * M, 1, Q, levels, P]
    levels = zip(
        maps.split_with_sizes([h * w for h, w in shapes], dim=2),
        shapes,
        grids.unbind(2),
        weights.unbind(3),
        strict=True,
    )
    read = torch.stack(
        [
            (F.grid_sample(cells.unflatten(2, shape), grid, align_corners=False) * weight).sum(-1)
            for cells, shape, grid, weight in levels
        ]
    ).sum(0)  # [B * M, D, Q]
    return read.view(batch, heads, *read.shape[1:]).permute(0, 3, 1, 2).flatten(2)


class _Columns(NamedTuple):
    """Facts about each of the N = M * levels * P points of a query: its level and its head.

    last   [2, 1, N]      index of the last column and row of cells
    width  [N]            cells in a row
    first  [N]            int32, row of the table that holds the level's first cell for the head
    steps  [M, 4, N / M]  int32, rows from a cell to itself, its right, lower, lower right one
    """

    last: Tensor
    width: Tensor
    first: Tensor
    steps: Tensor


def _columns(shapes: LevelShapes, heads: int, points: int, like: Tensor) -> _Columns:
    """Build the columns for a table with one row per cell and head."""
    areas = [h * w for h, w in shapes]
    starts = [sum(areas[:level]) for level in range(len(areas))]
    facts = torch.tensor([(w, h, start) for (h, w), start in zip(shapes, starts, strict=True)])
    width, height, start = facts.to(like.device).repeat_interleave(points, dim=0).unbind(1)
    # Across a level of one cell there is no neighbour: its weight is zero, but its row must exist.
    right, down = (width > 1).int() * heads, (height > 1).int() * width.int() * heads
    steps = torch.stack([torch.zeros_like(right), right, down, right + down])
    first = start * heads + torch.arange(heads, device=like.device)[:, None]
    return _Columns(
        last=torch.stack([width, height]).repeat(1, heads).unsqueeze(1).to(like.dtype) - 1,
        width=width.repeat(heads).to(like.dtype),
        first=first.flatten().int(),
        steps=steps.int().expand(heads, *steps.shape),
    )


def _sample_bags(values: Tensor, shapes: LevelShapes, locations: Tensor, weights: Tensor) -> Tensor:
    """Sample by turning every query and head into one bag of 4 * levels * P weighted rows."""
    heads, queries = values.shape[2], locations.shape[1]
    columns = _columns(shapes, heads, locations.shape[4], values)
    # One piece where a backward pass would fill the whole table's gradient for each, or where a
    # compiler fuses the arithmetic anyway and would unroll the loop.
    needs_grad = torch.is_grad_enabled() and any(
        tensor.requires_grad for tensor in (values, locations, weights)
    )
    whole = needs_grad or torch.compiler.is_compiling()
    chunk = queries if whole else max(1, _POINTS_PER_CHUNK // columns.width.shape[0])
    tables = values.reshape(len(values), -1, values.shape[3])
    places = locations.flatten(2, 4).movedim(-1, 1)  # [B, 2, Q, N]
    read = [
        _bag(table, columns, *piece)
        for table, place, weight in zip(tables, places, weights.flatten(2), strict=True)
        for piece in zip(place.split(chunk, 1), weight.split(chunk), strict=True)
    ]
    return torch.cat(read).view(len(values), queries, heads * values.shape[3])


def _bag(table: Tensor, columns: _Columns, places: Tensor, weights: Tensor) -> Tensor:
    """Sample one image: table [S * M, D], places [2, Q, N], weights [Q, N] -> [Q, M * D]."""
    heads, _, points = columns.steps.shape
    position = (places.contiguous() * (columns.last + 1)).sub_(0.5)
    near, remainder = _clip(position, columns.last)
    # The upper left cell of the four; never the last, which would have no neighbour.
    cell = torch.minimum(near.detach().floor(), (columns.last - 1).clamp_(min=0))
    x, y = (near - cell).unbind(0)
    # float32 counts cells exactly up to 2**24. Not-a-number becomes cell 0; its weight shows it.
    index = torch.addcmul(cell[0], cell[1], columns.width).int().clamp_(min=0)
    index = torch.add(columns.first, index, alpha=heads).view(-1, heads, 1, points)

    weights = weights * remainder[0] * remainder[1]
    lower = weights * y
    upper = weights - lower
    lower_right, upper_right = lower * x, upper * x
    corners = (upper - upper_right, upper_right, lower - lower_right, lower_right)
    shares = torch.stack([corner.view(-1, heads, points) for corner in corners], dim=2)
    rows = (index + columns.steps).flatten(0, 1).flatten(1)
    shares = shares.view(rows.shape)
    read = F.embedding_bag(rows, table, per_sample_weights=shares, mode="sum")  # [Q * M, D]
    return read.view(len(weights), heads * table.shape[1])
