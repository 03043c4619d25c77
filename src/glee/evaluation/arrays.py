"""Types of the arrays that metrics take, and the checks made where they enter."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

Id = int | str
"""What a data set calls an image, a video or a category."""


def require_rows(name: str, values: Sequence[object] | NDArray[np.generic], count: int) -> None:
    """Raise ValueError unless `values` has one row for each of `count` objects."""
    if len(values) != count:
        raise ValueError(f"{name} has {len(values)} rows for {count} objects")


def require_indices(name: str, values: IntArray, stop: int) -> None:
    """Raise ValueError unless all of `values` [N] lie in 0..stop-1."""
    wrong = np.flatnonzero((values < 0) | (values >= stop))
    if len(wrong):
        raise ValueError(f"{name}[{wrong[0]}] is {values[wrong[0]]}, but must lie in 0..{stop - 1}")


def require_finite(name: str, values: FloatArray) -> None:
    """Raise ValueError if any of `values` [N, ...] is NaN or infinite."""
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        raise ValueError(
            f"{name}[{wrong[0][0]}] is {values[wrong[0][0]]}; give finite numbers only"
        )


def require_boxes(name: str, xywh: FloatArray) -> None:
    """Raise ValueError unless `xywh` is [N, 4] with finite numbers and no negative size."""
    if xywh.ndim != 2 or xywh.shape[1] != len("xywh"):  # noqa: PLR2004 - a table of rows
        raise ValueError(f"{name} must be [N, 4] (left, top, width, height), got {xywh.shape}")
    require_finite(name, xywh)
    wrong = np.flatnonzero((xywh[:, 2:] < 0).any(axis=1))
    if len(wrong):
        raise ValueError(
            f"{name}[{wrong[0]}] is {xywh[wrong[0]].tolist()}, of negative size; "
            "boxes are (left, top, width, height)"
        )
