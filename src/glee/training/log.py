"""What a run says of itself: a progress bar, and a file of numbers."""

import json
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor
from tqdm import tqdm

from glee.training.criterion import LAST, Losses

FILE = "log.jsonl"


class Log:
    """Gathers the numbers of steps and writes their means, one JSON object a line.

    folder  where the file is; it goes on after an interruption
    main    whether this process writes
    """

    def __init__(self, folder: Path, *, main: bool) -> None:
        self.folder, self.main = folder, main
        self._bar: tqdm[None] | None = None
        self._reset()

    def _reset(self) -> None:
        self._started = time.perf_counter()
        self._images = 0
        self._losses: dict[str, list[Losses]] = defaultdict(list)
        self._notes: dict[str, Tensor] = {}

    def progress(self, done: int, total: int) -> "tqdm[None]":
        """Return a progress bar over steps, on stderr."""
        self._bar = tqdm(
            total=total, initial=done, unit="step", disable=None if self.main else True
        )
        return self._bar

    def add(self, source: str, images: int, losses: Losses) -> None:
        """Remember the losses of a batch; nothing is transferred from a GPU yet."""
        self._images += images
        detached = Losses({name: value.detach() for name, value in losses.terms.items()})
        self._losses[source].append(detached)

    def note(self, name: str, value: Tensor) -> None:
        """Remember a number of the last step."""
        self._notes[name] = value.detach()

    def write(self, step: int, rate: float) -> None:
        """Write the means since the last time, for each source."""
        seconds = time.perf_counter() - self._started
        line: dict[str, object] = {
            "step": step,
            "rate": rate,
            "images_per_second": round(self._images / max(seconds, 1e-9), 2),
            **{name: round(float(value), 4) for name, value in self._notes.items()},
        }
        total, count = 0.0, 0
        losses: dict[str, dict[str, float]] = {}
        for source, several in self._losses.items():
            numbers = [each.numbers() for each in several]
            sums = {n: sum(each[n] for each in numbers) / len(numbers) for n in numbers[0]}
            total += sum(sum(each.values()) for each in numbers)
            count += len(numbers)
            losses[source] = {"total": round(sum(sums.values()), 4), **_main_terms(sums)}
        line["loss"] = round(total / max(count, 1), 4)
        line["losses"] = losses
        if self._bar is not None:
            self._bar.set_postfix(loss=line["loss"], img_s=line["images_per_second"])
        self._append(line)
        self._reset()

    def evaluation(self, step: int, numbers: Mapping[str, float]) -> None:
        """Write what an evaluation found."""
        self._append({"step": step, "evaluation": dict(numbers)})
        tqdm.write(f"step {step}: " + ", ".join(f"{n} {v:.4g}" for n, v in numbers.items()))

    def _append(self, line: Mapping[str, object]) -> None:
        if not self.main:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _main_terms(terms: Mapping[str, float]) -> dict[str, float]:
    """Return the losses of the last layer, and those that no layer has."""
    return {
        name.removesuffix(f"/{LAST}"): round(value, 4)
        for name, value in terms.items()
        if "/" not in name or (name.endswith(f"/{LAST}") and not name.startswith("noised"))
    }
