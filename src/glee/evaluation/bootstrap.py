"""Paired bootstrap over images: is one model better than another, or were the images lucky?

Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13 (percentile intervals).
Both models are scored on the same resampled images, so that images which are hard for both do not
widen the interval of the difference.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from glee.evaluation.arrays import FloatArray, IntArray
from glee.evaluation.resampling import Sample

AT_ONCE = 50
"""Resampled data sets that are scored together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How images are drawn.

    replicates  how many data sets are drawn
    confidence  share of them that an interval holds, 0..1
    seed        of the random choice
    """

    replicates: int = 1000
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.replicates < 1:
            raise ValueError(f"replicates must be at least 1, got {self.replicates}")
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence must lie between 0 and 1, got {self.confidence}")


@dataclass(frozen=True, slots=True)
class Interval:
    """A number, and the range that the drawing's confidence speaks of."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """One score of two models.

    name         of the score
    first        of the first model
    second       of the second model
    change       second minus first
    probability  share of the drawn data sets in which the second is better; equal ones count half
    """

    name: str
    first: Interval
    second: Interval
    change: Interval
    probability: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval of the change leaves out 0."""
        return self.change.low > 0 or self.change.high < 0


def draw_weights(num_units: int, drawing: Drawing) -> Iterator[IntArray]:
    """Yield how often each image is drawn, [up to AT_ONCE, U] at a time; each row sums to U."""
    random = np.random.default_rng(drawing.seed)
    for start in range(0, drawing.replicates, AT_ONCE):
        rows = min(AT_ONCE, drawing.replicates - start)
        yield np.stack(
            [
                np.bincount(random.integers(0, num_units, num_units), minlength=num_units)
                for _ in range(rows)
            ]
        )


def compare_samples(first: Sample, second: Sample, drawing: Drawing) -> list[Difference]:
    """Compare the scores that two models have on the same images.

    Raises ValueError if they were not evaluated on the same images, or on none.
    """
    _require_same_units(first, second)
    ones = np.ones((1, len(first.unit_ids)), dtype=np.int64)
    exact = first.resample(ones), second.resample(ones)
    names = [name for name in exact[0] if name in exact[1]]
    drawn: list[tuple[dict[str, FloatArray], dict[str, FloatArray]]] = [
        (first.resample(weights), second.resample(weights))
        for weights in draw_weights(len(first.unit_ids), drawing)
    ]
    differences = []
    for name in names:
        one, two = (np.concatenate([pair[side][name] for pair in drawn]) for side in (0, 1))
        values = (float(exact[0][name][0]), float(exact[1][name][0]))
        change = two - one
        differences.append(
            Difference(
                name,
                _interval(values[0], one, drawing),
                _interval(values[1], two, drawing),
                _interval(values[1] - values[0], change, drawing),
                float(((change > 0) + 0.5 * (change == 0)).mean()),
            )
        )
    return differences


def _interval(value: float, drawn: FloatArray, drawing: Drawing) -> Interval:
    """Return the percentiles that hold the middle of what was drawn; NaN is left out."""
    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return Interval(value, float("nan"), float("nan"))
    tail = 50 * (1 - drawing.confidence)
    low, high = np.percentile(known, (tail, 100 - tail))
    return Interval(value, float(low), float(high))


def _require_same_units(first: Sample, second: Sample) -> None:
    if first.unit_ids == second.unit_ids and first.unit_ids:
        return
    if not (first.unit_ids and second.unit_ids):
        raise ValueError("the runs have no images to be drawn")
    only = set(first.unit_ids) ^ set(second.unit_ids)
    raise ValueError(
        f"the runs were made on other images ({len(first.unit_ids)} and {len(second.unit_ids)}, "
        f"{len(only)} in one of them only); compare runs on the same data"
    )
