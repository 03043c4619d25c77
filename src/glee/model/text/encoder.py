"""What the network asks of a text encoder."""

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor, nn


class TextEncoder(Protocol):
    """A module that turns token ids into one hidden state per token.

    max_tokens  tokens of the longest text that it reads, start and end included
    """

    max_tokens: int

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        ...

    def __call__(self, ids: Tensor, valid: Tensor) -> Tensor:
        """Return the hidden states [K, T, C] of texts, ids [K, T] int64 and valid [K, T] bool."""
        ...

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """Yield the parameters, as every module does."""
        ...
