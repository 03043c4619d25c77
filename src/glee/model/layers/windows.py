"""Maps of cells cut into square windows, and put together again."""

import torch
import torch.nn.functional as F
from torch import Tensor


def pad_cells(cells: Tensor, multiple: int) -> Tensor:
    """Pad cells [B, h, w, C] with zeros at the bottom and right to multiples of `multiple`."""
    bottom, right = -cells.shape[1] % multiple, -cells.shape[2] % multiple
    return F.pad(cells, (0, 0, 0, right, 0, bottom)) if bottom or right else cells


def partition_windows(cells: Tensor, window: int, *, shift: int = 0) -> Tensor:
    """Cut cells [B, h, w, C] into windows [B * n, window * window, C], row by row.

    The cells are first padded with zeros to whole windows, then rolled by `shift` cells to the
    top and left, so that the first rows and columns come last.
    """
    cells = pad_cells(cells, window)
    if shift:
        cells = cells.roll((-shift, -shift), dims=(1, 2))
    batch, height, width, channels = cells.shape
    rows, columns = height // window, width // window
    windows = cells.view(batch, rows, window, columns, window, channels).transpose(2, 3)
    return windows.reshape(batch * rows * columns, window * window, channels)


def merge_windows(
    windows: Tensor, window: int, shape: tuple[int, int], *, shift: int = 0
) -> Tensor:
    """Undo `partition_windows` on [B * n, window * window, C]: cells [B, h, w, C].

    `shape` is (h, w) before padding.
    """
    height, width = shape
    rows, columns = -(-height // window), -(-width // window)
    batch, channels = len(windows) // (rows * columns), windows.shape[-1]
    cells = windows.view(batch, rows, columns, window, window, channels).transpose(2, 3)
    cells = cells.reshape(batch, rows * window, columns * window, channels)
    if shift:
        cells = cells.roll((shift, shift), dims=(1, 2))
    return cells[:, :height, :width]


def shifted_window_mask(shape: tuple[int, int], window: int, *, shift: int, like: Tensor) -> Tensor:
    """Return what to add to the attention scores within windows rolled by `shift`.

    A rolled window at the border holds cells from opposite sides of the map. `shape` is (h, w)
    before padding; `like` gives device and dtype. Returns [n, N, N] for n windows of N cells,
    -100 between cells that the roll has brought together and 0 elsewhere (Swin,
    arXiv:2103.14030, "Efficient batch computation for shifted configuration").
    """
    from_top, from_left = (
        torch.arange(padded, device=like.device) >= padded - shift
        for padded in (length + -length % window for length in shape)
    )
    regions = 2 * from_top[:, None] + from_left.long()  # [h, w]
    regions = partition_windows(regions[None, :, :, None], window)  # [n, N, 1]
    return -100 * (regions != regions.transpose(1, 2)).to(like.dtype)
