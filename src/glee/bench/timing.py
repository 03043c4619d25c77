"""Timing: how long a call takes, after warming up, and the memory that it needs at most."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from glee.bench.memory import peak_bytes, reset_peak

_T = TypeVar("_T")

Call = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """How often a call is timed.

    runs     timed calls at most
    least    timed calls at least, however long they take
    seconds  no further call is begun after so long
    warm_up  calls before, which are not timed: allocators, caches and kernels settle
    """

    runs: int = 20
    least: int = 3
    seconds: float = 10.0
    warm_up: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.runs:
            raise ValueError(
                f"runs must be at least 1 and no fewer than least, got runs {self.runs} and "
                f"least {self.least}"
            )
        if self.warm_up < 0:
            raise ValueError(f"warm_up must be at least 0, got {self.warm_up}")


@dataclass(frozen=True, slots=True)
class Timing:
    """Times of the same call, and its memory.

    seconds     of each run, in the order in which they were made, at least one
    peak_bytes  the most memory used during these runs
    """

    seconds: tuple[float, ...]
    peak_bytes: int

    @property
    def median(self) -> float:
        """The median time in seconds."""
        return float(np.median(self.seconds))

    @property
    def p95(self) -> float:
        """The time in seconds that 95 of 100 runs keep, interpolated between runs."""
        return float(np.percentile(self.seconds, 95))


def measure(prepare: Callable[[], Call], *, repeat: Repeat, device: torch.device) -> Timing:
    """Time the calls that `prepare` returns, a new one for each run; preparing is not timed."""
    for _ in range(repeat.warm_up):
        prepare()()
    reset_peak(device)
    seconds: list[float] = []
    begin = time.perf_counter()
    while len(seconds) < repeat.runs:
        if len(seconds) >= repeat.least and time.perf_counter() - begin > repeat.seconds:
            break
        seconds.append(time_once(prepare(), device)[0])
    return Timing(tuple(seconds), peak_bytes(device))


def time_once(run: Callable[[], _T], device: torch.device) -> tuple[float, _T]:
    """Return the seconds that a call takes until the device has done all of it, and its result."""
    _wait(device)
    start = time.perf_counter()
    result = run()
    _wait(device)
    return time.perf_counter() - start, result


def _wait(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
