"""What a run says of itself: a progress bar, a file of numbers, and TensorBoard's files."""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from math import isfinite, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor
from tqdm import tqdm

from glee.data.report import Report
from glee.files import replacing
from glee.training.criterion import LAST, Losses

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FILE = "log.jsonl"

LEFT_OUT = "left_out.txt"

BOARD = "tensorboard"


class Log:
    """Gathers the numbers of steps and writes their means, one JSON object a line.

    folder  where the file is; it goes on after an interruption
    main    whether this process writes
    board   whether to write for TensorBoard, too
    """

    def __init__(self, folder: Path, *, main: bool, board: bool = False) -> None:
        self.folder, self.main = folder, main
        self._bar: tqdm[None] | None = None
        self._wants_board = board and main
        self._board: SummaryWriter | None = None
        self._reset()

    def _reset(self) -> None:
        self._started = time.perf_counter()
        self._images = 0
        self._losses: dict[str, list[Losses]] = defaultdict(list)
        self._notes: dict[str, Tensor] = {}

    def begin(self, step: int) -> None:
        """Go on after a step: what was written of later ones, which are taken anew, is removed.

        Raises ImportError if TensorBoard is wanted and missing.
        """
        path = self.folder / FILE
        if self._wants_board:
            self._board = _open_board(self.folder / BOARD, step)
        if not self.main or not path.is_file():
            return
        # Of a run that has no checkpoint yet, all is taken anew, the judgement of its start too.
        lines = path.read_text("utf-8").splitlines() if step else []
        kept = [line for line in lines if _is_until(line, step)]
        with replacing(path) as beside:
            beside.write_text("".join(f"{line}\n" for line in kept), "utf-8")

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
            **{name: float(value) for name, value in self._notes.items()},
        }
        total, count = 0.0, 0
        losses: dict[str, dict[str, float]] = {}
        for source, several in self._losses.items():
            numbers = [each.numbers() for each in several]
            sums = {n: sum(each[n] for each in numbers) / len(numbers) for n in numbers[0]}
            total += sum(sum(each.values()) for each in numbers)
            count += len(numbers)
            losses[source] = {"total": sum(sums.values()), **_main_terms(sums)}
        line |= {"loss": total / max(count, 1), "losses": losses}
        if self._bar is not None:
            self._bar.set_postfix(loss=f"{line['loss']:.4g}", img_s=line["images_per_second"])
        self._append(line)
        self._reset()

    def evaluation(self, step: int, numbers: Mapping[str, float]) -> None:
        """Write what an evaluation found."""
        self._append({"step": step, "evaluation": dict(numbers)})
        if self.main:
            found = ", ".join(f"{n} {v:.4g}" for n, v in numbers.items())
            tqdm.write(f"step {step}: {found}", file=sys.stderr)

    def left_out(self, reports: Mapping[str, Report]) -> None:
        """Write what of the data could not be used, by what was looked at, if there is anything."""
        faulty = {name: report for name, report in reports.items() if report.counts}
        if not (self.main and faulty):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        text = "".join(f"{name}: {report}\n" for name, report in faulty.items())
        with replacing(self.folder / LEFT_OUT) as beside:
            beside.write_text(text, "utf-8")
        count = sum(report.counts.total() for report in faulty.values())
        tqdm.write(f"{count} entries left out, see {self.folder / LEFT_OUT}", file=sys.stderr)

    def end(self) -> None:
        """Write all that waits to be written."""
        if self._board is not None:
            self._board.close()

    def _append(self, line: Mapping[str, object]) -> None:
        if not self.main:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(finite(line), allow_nan=False) + "\n")
        if self._board is not None:
            for name, value in _flatten(line):
                self._board.add_scalar(name, value, line["step"])


def read_evaluations(folder: Path) -> list[tuple[int, Mapping[str, float]]]:
    """Return the step of each evaluation of a run and what it found; none without a log."""
    if not (folder / FILE).is_file():
        return []
    return [
        (line["step"], {n: nan if v is None else v for n, v in line["evaluation"].items()})
        for line in read_log(folder)
        if "evaluation" in line
    ]


def read_log(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's log, in the order they were written.

    A last line that was cut short, when the run was killed or while it is written, is left out.
    Raises FileNotFoundError without a log, ValueError for one that is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} has no {FILE}; give a folder that glee train or glee finetune has written to"
        )
    lines = path.read_text("utf-8", errors="replace").splitlines()
    read = []
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
        except ValueError as error:
            if number == len(lines):
                break
            raise ValueError(f"{path}, line {number} is not JSON: {error}") from error
        if not isinstance(entry, dict) or not isinstance(entry.get("step"), int):
            raise ValueError(f"{path}, line {number} has no step: it is no line of a run's log")
        read.append(entry)
    return read


def finite(value: Any) -> Any:
    """Return nested values with None for numbers that JSON has not: NaN and infinity."""
    match value:
        case Mapping():
            return {name: finite(one) for name, one in value.items()}
        case float():
            return value if isfinite(value) else None
    return value


def _is_until(line: str, step: int) -> bool:
    """Whether a line is whole and of a step that is not later."""
    try:
        return bool(json.loads(line)["step"] <= step)
    except ValueError:  # cut short when the run was killed
        return False


def _main_terms(terms: Mapping[str, float]) -> dict[str, float]:
    """Return the losses of the last layer, and those that no layer has."""
    return {
        name.removesuffix(f"/{LAST}"): value
        for name, value in terms.items()
        if "/" not in name or (name.endswith(f"/{LAST}") and not name.startswith("noised"))
    }


def _flatten(values: Mapping[str, object], prefix: str = "") -> list[tuple[str, float]]:
    """Return all numbers of nested values, named by their path."""
    found: list[tuple[str, float]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            found += _flatten(value, f"{prefix}{name}/")
        elif isinstance(value, float | int) and name != "step":
            found.append((prefix + name, float(value)))
    return found


def _open_board(folder: Path, step: int) -> "SummaryWriter":
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  # an extra
    except ImportError as error:
        raise ImportError(
            'writing for TensorBoard needs tensorboard: pip install "glee-vision[log]"'
        ) from error
    return SummaryWriter(str(folder), purge_step=step + 1)
