"""Averaged weights: a slower copy of what learns, which judges better than the last step."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor


class Averages:
    """Exponential moving averages of parameters (arXiv:1703.01780, section 2).

    parameters  what is averaged, by name
    keep        share of the averages that each step keeps; 0 keeps no averages at all
    """

    def __init__(self, parameters: Mapping[str, Tensor], keep: float) -> None:
        self.parameters, self.keep = parameters, keep
        self.values = {n: p.detach().clone() for n, p in parameters.items()} if keep else {}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the parameters after a step, counted from 1; the first steps count more."""
        if self.values:
            share = min(self.keep, (1 + step) / (10 + step))
            now = [self.parameters[name] for name in self.values]
            torch._foreach_lerp_(list(self.values.values()), now, 1 - share)

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Give the parameters their averages for a while, if there are any."""
        own = {name: self.parameters[name].detach().clone() for name in self.values}
        copy_into(self.parameters, self.values)
        try:
            yield
        finally:
            copy_into(self.parameters, own)


@torch.no_grad()
def copy_into(parameters: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    """Overwrite parameters by name."""
    for name, value in values.items():
        parameters[name].copy_(value)
