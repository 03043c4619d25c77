"""Values of maps and masks at points between their cells."""

import torch.nn.functional as F
from torch import Tensor


def sample_maps(maps: Tensor, points: Tensor) -> Tensor:
    """Read maps at points, bilinearly; beyond the outermost cells' centres they fall to zero.

    maps    [B, C, h, w]
    points  [B, P, 2]  (x, y) in 0..1 of the map
    Returns [B, C, P].
    """
    sampled = F.grid_sample(maps, 2 * points[:, :, None] - 1, mode="bilinear", align_corners=False)
    return sampled.squeeze(3)


def sample_masks(masks: Tensor, rows: Tensor, points: Tensor) -> Tensor:
    """Read masks at points as `sample_maps` does, without turning whole masks into numbers.

    masks   [G, H, W]  bool
    rows    [N]        int64, which mask is read; several may read the same
    points  [N, P, 2]  (x, y) in 0..1 of the mask
    Returns [N, P] in 0..1, without gradient.
    """
    height, width = masks.shape[1:]
    size = points.new_tensor([width, height])
    # A cell's value holds at its centre, half a cell inside.
    place = points.detach() * size - 0.5
    first = place.floor()
    share = place - first
    flat, first = masks.flatten(), first.long()
    values = points.new_zeros(points.shape[:2])
    for y in (0, 1):
        for x in (0, 1):
            column, row = first[..., 0] + x, first[..., 1] + y
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            weight = (share[..., 0] if x else 1 - share[..., 0]) * (
                share[..., 1] if y else 1 - share[..., 1]
            )
            index = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
            filled = flat[rows[:, None] * (height * width) + index]
            values += weight * (inside & filled)
    return values


def points_inside(points: Tensor, size: tuple[int, int]) -> Tensor:
    """Return what `sample_maps` reads of a map of ones: 1, less near the border.

    points  [B, P, 2]  (x, y) in 0..1
    size    (height, width) of the map
    Returns [B, P].
    """
    ones = points.new_ones(len(points), 1, *size)
    return sample_maps(ones, points).squeeze(1)
