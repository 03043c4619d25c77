"""Everything that the losses draw at random, in one place, so that it can be replaced."""

from typing import Protocol

import torch
from torch import Tensor


class Randomness(Protocol):
    """A source of the random numbers of one training step, asked in the order of the step."""

    def points(self, rows: int, count: int) -> Tensor:
        """Return points [rows, count, 2], (x, y) uniform in 0..1."""

    def label_chances(self, count: int) -> Tensor:
        """Return numbers [count] uniform in 0..1, which decide what labels are replaced."""

    def labels(self, count: int, num_labels: int) -> Tensor:
        """Return labels [count] int64, uniform in 0..num_labels-1."""

    def box_shifts(self, count: int) -> Tensor:
        """Return shifts [count, 4] of box centres and sizes, uniform in -1..1."""

    def queries(self, count: int, num_queries: int) -> Tensor:
        """Return `count` distinct indices [count] int64 below num_queries, all if fewer."""


class SeededRandomness:
    """Random numbers from a generator, on the generator's device."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def points(self, rows: int, count: int) -> Tensor:
        """See Randomness."""
        return self._uniform(rows, count, 2)

    def label_chances(self, count: int) -> Tensor:
        """See Randomness."""
        return self._uniform(count)

    def labels(self, count: int, num_labels: int) -> Tensor:
        """See Randomness."""
        generator = self.generator
        return torch.randint(num_labels, (count,), generator=generator, device=generator.device)

    def box_shifts(self, count: int) -> Tensor:
        """See Randomness."""
        return 2 * self._uniform(count, 4) - 1

    def queries(self, count: int, num_queries: int) -> Tensor:
        """See Randomness."""
        generator = self.generator
        order = torch.randperm(num_queries, generator=generator, device=generator.device)
        return order[:count]

    def _uniform(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self.generator, device=self.generator.device)
