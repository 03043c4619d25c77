"""The best network of a run, by what its evaluations say."""

from collections.abc import Mapping
from math import inf, isnan, nan
from pathlib import Path

from glee.model.glee import GLEE
from glee.model.weights import load_model, save_model
from glee.training.log import read_evaluations

BEST = "best.safetensors"


class Best:
    """Keeps the network that has had the highest number so far in a file beside the checkpoints.

    folder  of the run
    by      which number of an evaluation decides; None to keep none
    """

    def __init__(self, folder: Path, by: str | None) -> None:
        self.folder, self.by = folder, by
        self._highest = -inf

    def resume(self) -> None:
        """Go on from what the log says, which has the evaluations up to the checkpoint only."""
        if self.by is not None:
            found = [numbers.get(self.by, nan) for numbers in read_evaluations(self.folder)]
            self._highest = max((value for value in found if not isnan(value)), default=-inf)

    def offer(self, model: GLEE, numbers: Mapping[str, float], step: int) -> None:
        """Keep a network if it is better than all before it.

        Raises ValueError if the number that decides is missing.
        """
        if self.by is None:
            return
        if self.by not in numbers:
            raise ValueError(
                f"best_by is {self.by!r}, but evaluations give {', '.join(numbers) or 'nothing'}"
            )
        if numbers[self.by] > self._highest:  # never true of NaN
            self._highest = numbers[self.by]
            origin = f"trained for {step} steps, {self.by} {self._highest:.4g}"
            save_model(self.folder / BEST, model, origin=origin)

    def load(self) -> GLEE | None:
        """Return the best network; None if none was kept."""
        if self.by is None or not (self.folder / BEST).is_file():
            return None
        return load_model(self.folder / BEST)
