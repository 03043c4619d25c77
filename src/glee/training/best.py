"""The best network of a run, by what its evaluations say."""

from collections.abc import Mapping
from math import inf, isnan, nan
from pathlib import Path

from glee.model.glee import GLEE
from glee.model.weights import load_model, save_model
from glee.training.log import read_evaluations

BEST = "best.safetensors"


def best_evaluation(folder: Path, by: str) -> tuple[int, Mapping[str, float]]:
    """Return what was found of the network that a run has kept, and after which step it was that.

    Where the number that decides was never more than NaN, that is the last network.
    """
    found = read_evaluations(folder)
    usable = [one for one in found if not isnan(one[1][by])]
    return max(usable, key=lambda one: one[1][by], default=found[-1])


class Best:
    """Keeps the network that has had the highest number so far in a file beside the checkpoints.

    folder  of the run
    by      which number of an evaluation decides; None to keep none
    step    after which the network was that is kept; None if none is
    """

    def __init__(self, folder: Path, by: str | None) -> None:
        self.folder, self.by = folder, by
        self._highest = -inf
        self.step: int | None = None

    def resume(self) -> None:
        """Go on from what the log says, which has the evaluations up to the checkpoint only."""
        if self.by is not None and (self.folder / BEST).is_file():
            for step, numbers in read_evaluations(self.folder):
                self._is_better(numbers.get(self.by, nan), step)

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
        if self._is_better(numbers[self.by], step):
            origin = f"trained for {step} steps, {self.by} {self._highest:.4g}"
            save_model(self.folder / BEST, model, origin=origin)

    def load(self) -> GLEE | None:
        """Return the best network; None if none was kept."""
        return None if self.step is None else load_model(self.folder / BEST)

    def _is_better(self, number: float, step: int) -> bool:
        better = number > self._highest  # never true of NaN
        if better:
            self._highest, self.step = number, step
        return better
