"""What the log of a run says against the step, ready to be drawn."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glee.training.log import FILE, read_log

REACH = 0.05
"""Share of a line's points, on either side of each, that its smoothed form is the mean of."""

LEAST_REACH = 2
"""Points on either side at least, but not more than a quarter of all."""

TITLES = {
    "loss": "loss, mean of all sources",
    "rate": "rate",
    "gradient_norm": "norm of the gradients",
    "images_per_second": "images per second",
}


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A number against the step.

    steps   [P] int64, ascending
    values  [P] float64, finite
    """

    steps: NDArray[np.int64]
    values: NDArray[np.float64]

    def smoothed(self) -> NDArray[np.float64]:
        """Return the mean [P] of the points around each, a tenth of all, at the ends fewer."""
        count = len(self.values)
        return running_mean(self.values, min(max(LEAST_REACH, round(REACH * count)), count // 4))


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What a run has logged.

    name        what the run is called
    whole       lines of the run as a whole, by title
    evaluation  lines of what its evaluations found, by name
    losses      lines of each loss, by name and source, but those that are 0 throughout;
                "total" is the sum of all
    """

    name: str
    whole: Mapping[str, Line]
    evaluation: Mapping[str, Line]
    losses: Mapping[str, Mapping[str, Line]]


def read_histories(folders: Sequence[Path]) -> list[History]:
    """Read the logs of runs, each named by its folder, or by its path where two share a name.

    Raises FileNotFoundError for a folder without a log, ValueError for one in which nothing is
    logged yet, that is damaged, or that is given twice.
    """
    paths = [folder.resolve() for folder in folders]
    if len(set(paths)) < len(paths):
        raise ValueError("a run is given twice; give each folder once")
    names = [path.name for path in paths]
    return [
        read_history(folder, name if names.count(name) == 1 else str(folder))
        for folder, name in zip(folders, names, strict=True)
    ]


def read_history(folder: Path, name: str) -> History:
    """Read the log of a run.

    Raises FileNotFoundError without a log, ValueError for one that is damaged or in which nothing
    is logged yet.
    """
    points: dict[tuple[str, ...], list[tuple[int, float]]] = {}
    for entry in read_log(folder):
        for key, value in _numbers(entry):
            points.setdefault(key, []).append((entry["step"], value))
    if not points:
        raise ValueError(
            f"{folder / FILE} holds no numbers yet: a run writes its losses every few steps, "
            "as often as its recipe says (log_every)"
        )
    lines = {key: _line(own) for key, own in points.items()}
    losses: dict[str, dict[str, Line]] = {}
    for key, line in lines.items():
        if key[0] == "losses" and line.values.any():  # what a source never teaches is 0 throughout
            _, source, loss = key
            losses.setdefault(loss, {})[source] = line
    return History(
        name,
        {title: lines[(key,)] for key, title in TITLES.items() if (key,) in lines},
        {key[1]: line for key, line in lines.items() if key[0] == "evaluation"},
        losses,
    )


def running_mean(values: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Return the mean [P] of each value and of up to `reach` on either side of it."""
    sums = np.concatenate([[0.0], values.cumsum()])
    places = np.arange(len(values))
    first = np.maximum(places - reach, 0)
    end = np.minimum(places + reach + 1, len(values))
    means: NDArray[np.float64] = (sums[end] - sums[first]) / (end - first)
    return means


def _numbers(entry: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[Any, float]]:
    """Yield the finite numbers of a line of the log, by their path; others are null there."""
    for name, value in entry.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, (*path, name))
        elif isinstance(value, int | float) and (*path, name) != ("step",):
            yield (*path, name), float(value)


def _line(points: Sequence[tuple[int, float]]) -> Line:
    steps, values = zip(*points, strict=True)
    return Line(np.array(steps, dtype=np.int64), np.array(values, dtype=np.float64))
