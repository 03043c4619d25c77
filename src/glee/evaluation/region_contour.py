"""J and F of video object segmentation: do two masks cover the same pixels, with the same contour.

Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation",
CVPR 2016, sections 4.1 (region similarity J) and 4.2 (contour accuracy F).
"""

from dataclasses import dataclass
from math import ceil, hypot, isqrt

import numpy as np

from glee.evaluation.arrays import BoolArray, IntArray

# How far apart two contours may be, as a share of the image's diagonal.
CONTOUR_TOLERANCE = 0.008


def region_similarity(gt: BoolArray, pred: BoolArray, void: BoolArray | None = None) -> float:
    """Return J, the intersection over union of two masks; 1 if both are empty.

    gt, pred  [H, W] bool
    void      [H, W] bool, pixels that count for neither
    """
    _check_shapes(gt, pred, void)
    gt, pred = _without(gt, void), _without(pred, void)
    union = np.count_nonzero(gt | pred)
    return np.count_nonzero(gt & pred) / union if union else 1.0


def contour_accuracy(gt: BoolArray, pred: BoolArray, void: BoolArray | None = None) -> float:
    """Return F, the harmonic mean of the precision and the recall of the contour.

    A contour pixel is right if the other contour has one within 0.8 % of the diagonal, rounded up
    to whole pixels. Two empty masks agree, F = 1; an empty mask and another one do not, F = 0.

    gt, pred  [H, W] bool
    void      [H, W] bool, pixels that count for neither
    """
    _check_shapes(gt, pred, void)
    return compare_contours(contour(_without(gt, void)), contour(_without(pred, void)))


@dataclass(frozen=True, slots=True)
class Contour:
    """The contour of a mask, made once and compared with many.

    pixels  [N] int64, flat indices of the contour's pixels
    near    [H, W] bool, pixels within the tolerance of one of them
    """

    pixels: IntArray
    near: BoolArray


def contour(mask: BoolArray, *, tolerance: float = CONTOUR_TOLERANCE) -> Contour:
    """Find the contour of a mask.

    mask       [H, W] bool
    tolerance  share of the diagonal

    A pixel is on the contour if it differs from its neighbour to the right, below or diagonally
    below, so that the line is one pixel wide; the image's border is no contour.
    """
    radius = ceil(tolerance * hypot(*mask.shape))
    edge = np.zeros_like(mask)
    edge[:, :-1] |= mask[:, :-1] ^ mask[:, 1:]
    edge[:-1] |= mask[:-1] ^ mask[1:]
    edge[:-1, :-1] |= mask[:-1, :-1] ^ mask[1:, 1:]
    pixels = np.flatnonzero(edge)
    near = np.zeros_like(mask)
    if len(pixels):
        rows, columns = pixels // mask.shape[1], pixels % mask.shape[1]
        top, left = max(rows[0] - radius, 0), max(columns.min() - radius, 0)
        crop = np.s_[top : rows[-1] + radius + 1, left : columns.max() + radius + 1]
        near[crop] = widen(edge[crop], radius)
    return Contour(pixels=pixels, near=near)


def compare_contours(gt: Contour, pred: Contour) -> float:
    """Return F of two contours of masks of one size."""
    if not len(gt.pixels) or not len(pred.pixels):
        return float(len(gt.pixels) == len(pred.pixels))
    precision = float(gt.near.ravel()[pred.pixels].mean())
    recall = float(pred.near.ravel()[gt.pixels].mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def widen(mask: BoolArray, radius: int) -> BoolArray:
    """Return the pixels within a Euclidean distance of a pixel of the mask, a disk dilation.

    mask    [H, W] bool
    radius  whole pixels, 0 or more

    Row by row of the disk, from its narrow top to its middle: the cost does not depend on what is
    in the mask, and is a tenth of a distance transform's.
    """
    height, width = mask.shape
    wide = np.pad(mask, ((radius, radius), (0, 0)))  # spread along the rows, ever further
    near = np.zeros_like(mask)
    reach = 0
    for rise in range(radius, -1, -1):
        while reach < min(isqrt(radius**2 - rise**2), width - 1):
            reach += 1
            wide[radius:-radius, reach:] |= mask[:, :-reach]
            wide[radius:-radius, :-reach] |= mask[:, reach:]
        near |= wide[radius - rise : radius - rise + height]
        near |= wide[radius + rise : radius + rise + height]
    return near


def _without(mask: BoolArray, void: BoolArray | None) -> BoolArray:
    return mask if void is None else mask & ~void


def _check_shapes(gt: BoolArray, pred: BoolArray, void: BoolArray | None) -> None:
    for name, mask in (("gt", gt), ("pred", pred), ("void", gt if void is None else void)):
        if mask.dtype != np.bool_ or len(mask.shape) != len("HW") or mask.shape != gt.shape:
            raise ValueError(
                f"{name} must be a bool mask of gt's size {list(gt.shape)}, "
                f"got {mask.dtype} {list(mask.shape)}"
            )
