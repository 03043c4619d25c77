"""Predictions kept as JSON lines, one for each image or video, so that a run can go on later.

A line is {"id": ..., "results": [...]}: entries of the benchmark's official result format. Several
processes write a file each into one folder; together the files are the predictions of the run.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path

from glee.evaluation.arrays import Id
from glee.evaluation.benchmark import Json, Rows
from glee.evaluation.result import PREDICTIONS
from glee.files import replacing

START = '{"id": '


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several processes that share the work.

    index  0..count-1
    count  how many there are
    """

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise ValueError(
                f"shard must be i/n with i from 0 to n - 1, got {self.index}/{self.count}"
            )

    def take(self, keys: Sequence[Id]) -> Sequence[Id]:
        """Return every n-th of the keys."""
        return keys[self.index :: self.count]

    @property
    def file(self) -> str:
        """The name of its file of predictions."""
        if self.count == 1:
            return PREDICTIONS
        return f"predictions-{self.index:03}-of-{self.count:03}.jsonl"


def parse_shard(text: str) -> Shard:
    """Read "i/n"; raise ValueError if it is not of this form."""
    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal()):
        raise ValueError(f"shard must be i/n, such as 0/4 for the first of four, got {text!r}")
    return Shard(int(index), int(count))


@dataclass(frozen=True, slots=True)
class Line:
    """Where the predictions for one unit are stored."""

    file: Path
    start: int
    length: int


class Cache:
    """The predictions in the folder of a run.

    A line that a killed process has left half-written at the end of a file does not count, and is
    cut off before that file is written to again.
    """

    def __init__(self, folder: Path) -> None:
        """Read which units have predictions.

        Raises ValueError for a damaged line that is not the last of its file.
        """
        self._folder = folder
        self._lines: dict[Id, Line] = {}
        for path in sorted(folder.glob("predictions*.jsonl")):
            for key, line in _index(path):
                self._lines.setdefault(key, line)

    def __contains__(self, key: Id) -> bool:
        return key in self._lines

    def results(self, key: Id) -> list[Json]:
        """Return the predictions for one unit."""
        line = self._lines[key]
        with line.file.open("rb") as file:
            file.seek(line.start)
            results: list[Json] = json.loads(file.read(line.length))["results"]
        return results

    def rows(self, keys: Sequence[Id]) -> Rows:
        """Return what gives the predictions for some units, in their order."""

        def iterate() -> Iterator[Json]:
            for key in keys:
                if key in self._lines:
                    yield from self.results(key)

        return iterate

    def join(self, keys: Sequence[Id]) -> None:
        """Write all predictions into one file, in the order of the keys, and delete the others."""
        target = self._folder / PREDICTIONS
        ordered = [key for key in keys if key in self._lines]
        moved: dict[Id, Line] = {}
        with replacing(target) as beside, beside.open("wb") as out:
            for key in ordered:
                line = self._lines[key]
                with line.file.open("rb") as file:
                    file.seek(line.start)
                    moved[key] = Line(target, out.tell(), line.length)
                    out.write(file.read(line.length) + b"\n")
        for path in {line.file for line in self._lines.values()} - {target}:
            path.unlink(missing_ok=True)
        self._lines = moved


class Appender:
    """Adds predictions to a file, each line at once."""

    def __init__(self, path: Path) -> None:
        end = max((line.start + line.length + 1 for _, line in _index(path)), default=0)
        self._file: BufferedWriter = path.open("ab")
        self._file.truncate(end)

    def add(self, key: Id, results: Sequence[Json]) -> None:
        """Store the predictions for one unit; a reader sees the whole line or none of it."""
        text = json.dumps({"id": key, "results": list(results)})
        self._file.write(text.encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_lines(path: Path) -> Iterator[Json]:
    """Yield the stored predictions of a file of ours, entry by entry.

    Raises ValueError for a line that is damaged, the last one included.
    """
    with path.open(encoding="utf-8") as file:
        for number, text in enumerate(file, start=1):
            try:
                results = json.loads(text)["results"]
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise ValueError(f"{path}, line {number} holds no predictions: {error}") from error
            if not isinstance(results, list) or not all(isinstance(one, dict) for one in results):
                raise ValueError(
                    f"{path}, line {number} holds no predictions: results must be a list of objects"
                )
            yield from results


def is_ours(path: Path) -> bool:
    """Return whether a file holds predictions as lines of ours."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(START)) == START.encode()


def _index(path: Path) -> Iterator[tuple[Id, Line]]:
    """Yield the whole lines of a file, without decoding what they hold."""
    if not path.is_file():
        return
    decode, start = json.JSONDecoder().raw_decode, 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                text = line.decode()
                if not (text.startswith(START) and text.endswith("]}\n")):
                    raise ValueError("not a line of predictions")
                key, _ = decode(text, len(START))
            except ValueError as error:
                raise ValueError(
                    f"{path}, line {number} is damaged: {error}; delete this line to have it "
                    "predicted again"
                ) from error
            yield key, Line(path, start, len(line) - 1)
            start += len(line)
