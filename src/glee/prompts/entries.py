"""Entries: one per object, in whatever form an argument has them, as lists of plain values."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Entries = Sequence[Any] | NDArray[Any] | Tensor
"""One entry per object, as a list or as one array."""


def list_entries(name: str, values: Entries) -> list[tuple[str, Any]]:
    """List the entries of an argument with their names for messages."""
    if not isinstance(values, np.ndarray | Tensor | list | tuple):
        raise TypeError(f"{name} must be a list with one entry per object, got {values!r}")
    return [(f"{name}[{i}]", value) for i, value in enumerate(values)]


def plain(value: Any) -> Any:
    """Turn arrays, tensors and tuples into lists of plain values."""
    if isinstance(value, np.ndarray | np.generic | Tensor):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return value
