"""Draws: the random numbers that the corpus is made of."""

import math

import numpy as np
from numpy.random import Generator


def generator(*numbers: int) -> Generator:
    """Return a source of random numbers that follows from some whole numbers alone."""
    return np.random.default_rng(numbers)


def chance(rng: Generator, share: float) -> bool:
    """Return True with a chance in 0..1."""
    return bool(rng.random() < share)


def log_uniform(rng: Generator, low: float, high: float) -> float:
    """Return a number in low..high; every doubling is as likely."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))
