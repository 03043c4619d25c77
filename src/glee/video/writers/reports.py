"""Reports: JSON files about a whole video, made anew of its JSON lines from time to time."""

from collections.abc import Callable
from pathlib import Path
from typing import IO

from glee.files import replacing
from glee.video.source import SourceInfo
from glee.video.writers.journal import Journal, read_journal
from glee.video.writers.record import Position, Record

WriteReport = Callable[[IO[str], Journal, SourceInfo], None]
"""Writes a report of a journal to a text file."""


class ReportWriter:
    """One report of a video; needs the JSON lines, which have to be written before it.

    The file is replaced as a whole whenever the number of frames has doubled, which costs little,
    and when it is closed. After an interruption the JSON lines hold all frames, and opening and
    closing the recording again completes the report.
    """

    def __init__(
        self, path: Path, lines: Path, info: SourceInfo, write: WriteReport, *, frames: int = 0
    ) -> None:
        self._path, self._lines, self._info = path, lines, info
        self._write_report = write
        self._frames = frames
        self._due = max(1, 2 * frames)

    def write(self, record: Record) -> None:
        """Count a frame, and renew the file if it is time."""
        del record  # it is in the JSON lines
        self._frames += 1
        if self._frames >= self._due:
            self._renew()
            self._due = 2 * self._frames

    def position(self) -> Position:
        """Return how many frames there were."""
        return {"frames": self._frames}

    def close(self, *, finished: bool) -> None:
        """Write the file with all frames."""
        self._renew()

    def _renew(self) -> None:
        journal = read_journal(self._lines)
        with replacing(self._path) as beside, beside.open("w", encoding="utf-8") as file:
            self._write_report(file, journal, self._info)
