"""Snapshot: what a tracker or follower knows, as plain values that can be stored."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """The state of something that follows objects, from which it goes on as if never stopped.

    values   plain JSON values: numbers, strings, lists and dicts
    tensors  on the CPU, by name

    Both fit into one safetensors file: the tensors, and the values as JSON in its metadata.
    """

    values: dict[str, Any]
    tensors: dict[str, Tensor]
