"""Which samples make up each batch: a weighted mixture of sources, the same on every machine."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

GOLDEN = (5**0.5 - 1) / 2
"""Steps of this length around a circle fill it more evenly than any others, and than chance."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """What a mixture must know of one source of samples.

    num_samples  how many there are
    ratio        its share of all samples drawn, relative to the other sources
    batch_size   samples of a batch of it
    groups       [num_samples] small numbers; all samples of a batch are of one group, such as of
                 landscape format, so that little is padded; None if all may meet
    """

    num_samples: int
    ratio: float
    batch_size: int = 2
    groups: NDArray[np.int8] | NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.num_samples < 1 or self.batch_size < 1:
            raise ValueError(
                f"num_samples ({self.num_samples}) and batch_size ({self.batch_size}) must be at "
                "least 1; leave out a source without samples"
            )
        if not 0 < self.ratio < float("inf"):
            raise ValueError(f"ratio must be more than 0, got {self.ratio}; leave out the source")
        if self.groups is not None and len(self.groups) != self.num_samples:
            raise ValueError(
                f"groups has {len(self.groups)} entries for {self.num_samples} samples"
            )


@dataclass(frozen=True, slots=True)
class Draw:
    """One batch: samples of one source.

    source  its row
    rows    of its samples; one may come twice
    seed    for everything else that is random about this batch, such as augmentation
    """

    source: int
    rows: tuple[int, ...]
    seed: int


class Mixture:
    """Draws batches, each from one source, in shares that follow the ratios.

    A batch depends on the seed and on its number only. So all processes agree on who takes what
    without speaking to each other, and training goes on after an interruption from the number of
    the step: there is no other state.
    """

    def __init__(self, sources: list[Source], *, seed: int) -> None:
        if not sources:
            raise ValueError("sources is empty; give at least one")
        self.sources, self.seed = tuple(sources), seed
        # Larger batches must come less often for the same share of samples.
        chances = np.array([source.ratio / source.batch_size for source in sources])
        self._ends = np.cumsum(chances / chances.sum())
        self._groups = [_rows_by_group(source) for source in sources]

    def draw(self, number: int) -> Draw:
        """Return a batch by its number, counted from 0 over all steps and processes."""
        generator = torch.Generator().manual_seed(_mix(self.seed, number))
        # Sources take turns evenly instead of by chance: the shares are right after a few
        # thousand batches, also of the rarest.
        start = _mix(self.seed, 0) / 2**63
        place = (start + number * GOLDEN) % 1
        row = min(int(np.searchsorted(self._ends, place, side="right")), len(self.sources) - 1)
        source = self.sources[row]
        first = int(torch.randint(source.num_samples, (), generator=generator))
        rest = torch.rand(source.batch_size - 1, dtype=torch.float64, generator=generator)
        if (groups := self._groups[row]) is None or source.groups is None:
            others = (rest * source.num_samples).long().tolist()
        else:
            same = groups[int(source.groups[first])]
            others = same[(rest * len(same)).long().numpy()].tolist()
        seed = int(torch.randint(2**62, (), generator=generator))
        return Draw(row, (first, *others), seed)

    def batches(self, *, rank: int = 0, num_ranks: int = 1, start: int = 0) -> Iterator[Draw]:
        """Yield the batches of one process, for ever.

        rank       number of the process
        num_ranks  how many processes there are; they take turns
        start      the step to begin with, which is how many were done before an interruption

        Raises ValueError for a rank that there is not.
        """
        if not 0 <= rank < num_ranks:
            raise ValueError(f"rank must lie in 0..{num_ranks - 1}, got {rank}")
        number = start * num_ranks + rank
        while True:
            yield self.draw(number)
            number += num_ranks


def _rows_by_group(source: Source) -> dict[int, NDArray[np.int64]] | None:
    if source.groups is None:
        return None
    groups = np.asarray(source.groups)
    return {int(group): np.flatnonzero(groups == group) for group in np.unique(groups)}


def _mix(seed: int, number: int) -> int:
    """Return 63 bits that look random (SplitMix64, Steele et al., OOPSLA 2014)."""
    bits = 2**64 - 1
    value = (seed * 0xBF58476D1CE4E5B9 + (number + 1) * 0x9E3779B97F4A7C15) & bits
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & bits
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & bits
    return (value ^ (value >> 31)) >> 1
