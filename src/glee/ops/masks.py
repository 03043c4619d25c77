"""Masks: logits to pixels, prompt masks to the network's input, boxes, and run-length codes."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypedDict

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

# Pixels computed at once: they stay in a CPU's cache, and memory does not grow with the image
# beyond the boolean result. Few rows at once also read few of the others that they are made of.
STRIP_PIXELS = 2**15

_WORD_BYTES = 8


class Rle(TypedDict):
    """A mask in COCO's compressed run-length code: size [height, width], counts as text."""

    size: list[int]
    counts: str


def render_masks(
    logits: Tensor,
    *,
    padded: tuple[int, int],
    resized: tuple[int, int],
    original: tuple[int, int],
) -> Tensor:
    """Turn mask logits at the network's resolution into masks of the original image.

    The same as bilinear resizing to `padded`, cropping to `resized`, bilinear resizing to
    `original` and keeping what is positive (`F.interpolate` without corner alignment). Both
    resizes are linear and separable, so each axis is one small matrix; and since a weighted
    mean of logits that are not positive is not positive, only the surroundings of positive
    logits are computed.

    logits    [N, h, w], covering the padded input
    padded    (height, width) of the network's input
    resized   (height, width) of the image inside it, at the top left
    original  (height, width) of the masks
    Returns masks [N, H, W] bool.
    Raises ValueError if `resized` exceeds `padded`.
    """
    masks = _no_pixels(len(logits), original, logits.device)
    for window in _windows(logits, padded, resized, original):
        for strip, values in window.strips():
            torch.gt(values, 0, out=masks[window.row][strip])
    return masks


def grade_masks(
    logits: Tensor,
    *,
    padded: tuple[int, int],
    resized: tuple[int, int],
    original: tuple[int, int],
) -> tuple[Tensor, Tensor]:
    """Turn mask logits into masks as `render_masks` does, and say how sure they are.

    Returns masks [N, H, W] bool, and their quality [N] float32 in 0..1: the mean sigmoid of the
    positive pixels, 0 for an empty mask (GLEE's released code; not in the paper).
    """
    masks = _no_pixels(len(logits), original, logits.device)
    total = torch.zeros(len(logits), device=logits.device)
    count = torch.zeros_like(total)
    for window in _windows(logits, padded, resized, original):
        for strip, values in window.strips():
            positive = torch.gt(values, 0, out=masks[window.row][strip])
            total[window.row] += values.sigmoid_().mul_(positive).sum()
            count[window.row] += positive.sum()
    return masks, total / (count + 1e-6)


def _no_pixels(count: int, size: tuple[int, int], device: torch.device) -> Tensor:
    """Return empty masks [N, H, W]."""
    if device.type == "cpu":
        # Not torch.zeros, which writes to all of them: most pixels are never touched, and where
        # nothing was written the system need not find memory.
        return torch.from_numpy(np.zeros((count, *size), dtype=np.bool_))
    return torch.zeros(count, *size, dtype=torch.bool, device=device)


@dataclass(frozen=True, slots=True)
class ResizeAxis:
    """How the outputs of a resize along one axis are made of its inputs.

    weights  [out, in], few of them not zero in a row, and those side by side
    first    the first input of each output; never falls from one output to the next
    last     the last input of each output; never falls either
    """

    weights: Tensor
    first: list[int]
    last: list[int]

    def to(self, device: torch.device) -> "ResizeAxis":
        """Return the same with its weights on another device."""
        return replace(self, weights=self.weights.to(device))

    def outputs_of(self, start: int, stop: int) -> range:
        """Return the outputs that read any of the inputs start..stop-1."""
        return range(bisect_left(self.last, start), bisect_right(self.first, stop - 1))

    def inputs_of(self, outputs: range) -> slice:
        """Return the inputs that the outputs read."""
        return slice(self.first[outputs[0]], self.last[outputs[-1]] + 1)


# The frames of a video, or of a set of pictures, are mostly of one size.
@lru_cache(maxsize=16)
def compose_resizes(size: int, padded: int, resized: int, original: int) -> ResizeAxis:
    """Join the resizes size -> padded and, after cropping, resized -> original."""
    low, low_weights = _linear_taps(size, padded)
    high, high_weights = _linear_taps(resized, original)
    inputs = low[high].flatten(1)  # [original, 4]
    weights = (low_weights[high] * high_weights[..., None]).flatten(1)
    matrix = weights.new_zeros(original, size).scatter_add_(1, inputs, weights)
    return ResizeAxis(matrix, inputs.amin(1).tolist(), inputs.amax(1).tolist())


def _linear_taps(size: int, target: int) -> tuple[Tensor, Tensor]:
    """Return the two inputs [target, 2] that each output of a linear resize mixes, and weights.

    In float32 like `F.interpolate`, so that the same masks come out to the pixel.
    """
    scale = torch.tensor(size, dtype=torch.float32) / target
    source = (torch.arange(target, dtype=torch.float32) + 0.5) * scale - 0.5
    source = source.clamp(min=0)
    left = source.long().clamp(max=size - 1)
    share = (source - left).clamp(max=1)
    right = (left + 1).clamp(max=size - 1)
    return torch.stack([left, right], 1), torch.stack([1 - share, share], 1)


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """The part of one mask that may hold positive pixels.

    row     which mask
    logits  [h, w] of that mask
    axes    how rows and columns are made
    y, x    the rows and columns of the window
    """

    row: int
    logits: Tensor
    axes: tuple[ResizeAxis, ResizeAxis]
    y: range
    x: range

    def strips(self) -> Iterator[tuple[tuple[slice, slice], Tensor]]:
        """Yield parts of the window, as slices of rows and columns, and their logits."""
        rows, columns = self.axes
        top, across = rows.inputs_of(self.y), columns.inputs_of(self.x)
        weights = columns.weights[self.x.start : self.x.stop, across]
        wide = self.logits[top, across] @ weights.T  # [h', X]
        step = max(1, STRIP_PIXELS // len(self.x))
        for strip in (self.y[start : start + step] for start in range(0, len(self.y), step)):
            read = rows.inputs_of(strip)
            weights = rows.weights[strip.start : strip.stop, read]
            place = slice(strip.start, strip.stop), slice(self.x.start, self.x.stop)
            yield place, weights @ wide[read.start - top.start : read.stop - top.start]


def _windows(
    logits: Tensor, padded: tuple[int, int], resized: tuple[int, int], original: tuple[int, int]
) -> Iterator[_Window]:
    """Yield the window of every mask that has one; see `render_masks`."""
    if resized[0] > padded[0] or resized[1] > padded[1]:
        raise ValueError(f"resized {resized} must fit into padded {padded}, (height, width) both")
    logits = logits.detach().float()
    rows = compose_resizes(logits.shape[1], padded[0], resized[0], original[0])
    columns = compose_resizes(logits.shape[2], padded[1], resized[1], original[1])
    axes = rows.to(logits.device), columns.to(logits.device)
    # One transfer for all boxes, so that a GPU is not waited for at every mask.
    around = _spanned(logits.amax(dim=1) > 0, logits.amax(dim=2) > 0).tolist()
    for n, (left, top, right, bottom) in enumerate(around):
        y, x = rows.outputs_of(top, bottom), columns.outputs_of(left, right)
        if y and x:
            yield _Window(n, logits[n], axes, y, x)


def resize_masks(masks: Tensor, *, resized: tuple[int, int], padded: tuple[int, int]) -> Tensor:
    """Bring masks drawn on the original image to the network's input.

    A pixel is True if any of those that bilinear interpolation (without corner alignment) would
    mix is, as in GLEE's released code. A mask thinner than the reduction in size may vanish.

    masks    [N, H, W] bool at the original size
    resized  (height, width) of the resized image
    padded   (height, width) of the network's input, with that image at the top left
    Returns [N, *padded] bool, False in the padding.
    """
    small = F.interpolate(masks[:, None].float(), resized, mode="bilinear")[:, 0] > 0
    return F.pad(small, (0, padded[1] - resized[1], 0, padded[0] - resized[0]))


def mask_to_boxes(masks: Tensor) -> Tensor:
    """Return the tightest box around each mask.

    masks  [N, H, W] bool
    Returns [N, 4] float32, xyxy in pixels with right and bottom exclusive; zeros if empty.
    """
    return _extents(masks).float()


def _extents(masks: Tensor) -> Tensor:
    """Return the tightest boxes around masks [N, H, W] as integers [N, 4]."""
    if masks.device.type == "cpu":
        return _extents_on_cpu(masks.numpy())
    flags = masks.view(torch.uint8)  # the maximum of bytes is several times faster than any()
    return _spanned(flags.amax(1) > 0, flags.amax(2) > 0)


def _spanned(columns: Tensor, rows: Tensor) -> Tensor:
    """Return the tightest boxes [N, 4] around what fills columns [N, W] and rows [N, H], bool."""
    edges = []
    for filled in (columns.view(torch.uint8), rows.view(torch.uint8)):
        length = filled.shape[1] * filled.amax(1).long()  # 0 for an empty mask
        edges.append((filled.argmax(1), (length - filled.flip(1).argmax(1))))
    (left, right), (top, bottom) = edges
    return torch.stack([left, top, right, bottom], dim=1)


def _extents_on_cpu(masks: NDArray[np.bool_]) -> Tensor:
    """Return the same; the columns of a mask are read in its rows only, which mostly are few."""
    whole = masks.flags.c_contiguous and masks.shape[2] % _WORD_BYTES == 0
    words = masks.view(np.uint64) if whole else masks  # eight pixels at once
    rows = np.bitwise_or.reduce(words, axis=2) != 0  # [N, H]
    boxes = np.zeros((len(masks), len("xyxy")), dtype=np.int64)
    for n in rows.any(axis=1).nonzero()[0].tolist():
        top, bottom = _ends(rows[n])
        columns = np.bitwise_or.reduce(words[n, top:bottom], axis=0).view(np.bool_)
        left, right = _ends(columns)
        boxes[n] = left, top, right, bottom
    return torch.from_numpy(boxes)


def _ends(filled: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the first place that is True, and the one behind the last; at least one is."""
    return int(filled.argmax()), len(filled) - int(filled[::-1].argmax())


def encode_rle(masks: Tensor, mask_boxes: Tensor | None = None) -> list[Rle]:
    """Encode masks [N, H, W] bool as COCO does, byte for byte.

    mask_boxes  what `mask_to_boxes` has returned for them, if it is known: saves finding it

    Runs go down the columns. Their borders are found in the rows as they lie in memory, which is
    3 to 8 times faster than transposing the masks for pycocotools, which then only packs them.
    """
    from pycocotools.mask import frPyObjects  # noqa: PLC0415 - only when masks are stored

    height, width = masks.shape[1:]
    on_cpu = masks.cpu()
    boxes = (_extents(on_cpu) if mask_boxes is None else mask_boxes.long()).tolist()
    runs = [
        {"size": [height, width], "counts": _count_runs(mask, box)}
        for mask, box in zip(on_cpu.numpy(), boxes, strict=True)
    ]
    packed = frPyObjects(runs, height, width) if runs else []
    return [Rle(size=[height, width], counts=rle["counts"].decode("ascii")) for rle in packed]


def _count_runs(mask: NDArray[np.bool_], box: Sequence[int]) -> NDArray[np.int64]:
    """Return the lengths of the runs down the columns, of zeros first.

    mask  [H, W]
    box   xyxy around its pixels
    """
    (height, width), (left, top, right, bottom) = mask.shape, box
    inside = mask[top:bottom, left:right]
    if not inside.size:
        return np.array([height * width])
    changes = np.empty((bottom - top + 1, right - left), dtype=np.bool_)
    changes[0], changes[-1] = inside[0], inside[-1]
    np.not_equal(inside[1:], inside[:-1], out=changes[1:-1])
    y, x = np.divmod(np.flatnonzero(changes), right - left)
    borders = np.sort((x + left) * height + y + top)
    if bottom - top == height:
        # A run that reaches the bottom goes on at the top of the next column: no border.
        borders, times = np.unique(borders, return_counts=True)
        borders = borders[(times == 1) & (borders < height * width)]
    elif bottom == height:
        borders = borders[borders < height * width]
    ends = np.empty(len(borders) + 2, dtype=np.int64)
    ends[0], ends[1:-1], ends[-1] = 0, borders, height * width
    return ends[1:] - ends[:-1]


def decode_rle(rles: Sequence[Rle], size: tuple[int, int]) -> Tensor:
    """Decode COCO's compressed run-length codes.

    rles  masks of one image
    size  (height, width) of that image; the codes must agree
    Returns [N, H, W] bool.
    Raises ValueError for a code of another size or one that does not fill its size, and for sizes
    of more than 2**28 pixels.

    Not by pycocotools, which trusts what it reads: of a code that ends early it returns whatever
    the memory held.
    """
    height, width = size
    if min(size) < 1 or height * width > _MOST_PIXELS:
        raise ValueError(f"a mask cannot have the size {list(size)}")
    for rle in rles:
        if list(rle["size"]) != [height, width]:
            raise ValueError(f"mask has size {list(rle['size'])}, its image {[height, width]}")
    masks = torch.zeros(len(rles), height, width, dtype=torch.bool)
    for mask, rle in zip(masks, rles, strict=True):
        runs = _unpack_counts(rle["counts"])
        if (runs < 0).any() or runs.sum() != height * width:
            raise ValueError(
                f"the counts of a mask add up to {runs.sum()} pixels, but its size "
                f"{[height, width]} has {height * width}; the code is damaged"
            )
        columns = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height)
        mask.copy_(torch.from_numpy(columns).T)
    return masks


def check_rle(rle: Rle) -> None:
    """Raise ValueError for a compressed run-length code that does not fill its size."""
    runs = _unpack_counts(rle["counts"])
    height, width = rle["size"]
    if (runs < 0).any() or runs.sum() != height * width:
        raise ValueError(
            f"the counts of a mask add up to {runs.sum()} pixels, but its size "
            f"{[height, width]} has {height * width}; the code is damaged"
        )


# Of what is read from files: pixels of one mask, and characters (of 5 bits) of one run length.
_MOST_PIXELS = 2**28
_MOST_CHARACTERS = 7


def _unpack_counts(counts: str) -> NDArray[np.int64]:
    """Return the lengths of the runs, of zeros first, in COCO's compressed form.

    Each number is a group of characters of 5 bits, lowest first, a sixth bit saying that more
    follow; from the fourth on it is the difference to the number two places before.
    """
    codes = np.frombuffer(counts.encode(), dtype=np.uint8).astype(np.int64) - 48
    if not len(codes) or codes.min() < 0 or codes.max() >= 1 << 6 or codes[-1] & 0x20:
        raise ValueError(f"{counts[:20]!r} are no counts of a compressed mask")
    last = (codes & 0x20) == 0
    start = np.flatnonzero(np.concatenate([[True], last[:-1]]))
    length = np.diff(start, append=len(codes))
    if length.max() > _MOST_CHARACTERS:
        raise ValueError(f"{counts[:20]!r} are no counts of a compressed mask")
    place = np.arange(len(codes)) - np.repeat(start, length)
    values = np.add.reduceat((codes & 0x1F) << (5 * place), start)
    negative = (codes[last] & 0x10) != 0
    values = np.where(negative, values - (np.int64(1) << (5 * length)), values)
    values[1::2] = values[1::2].cumsum()
    values[2::2] = values[2::2].cumsum()
    return values
