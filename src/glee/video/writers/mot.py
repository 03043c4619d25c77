"""MOTChallenge's text: a line for each box, frame,id,left,top,width,height,score,-1,-1,-1."""

from pathlib import Path
from typing import Any

from glee.video.writers.record import GrowingFile, Position, Record


class MotWriter:
    """Boxes of all tracks; frames count from 1, and left and top are those of our boxes."""

    def __init__(self, path: Path, position: Position | None = None) -> None:
        self._file = GrowingFile(path, position)

    def write(self, record: Record) -> None:
        """Append the lines of a frame."""
        self._file.append("".join(_line(record.frame.index + 1, one) for one in record.objects))

    def position(self) -> Position:
        """Return how long the file is."""
        return self._file.position()

    def close(self, *, finished: bool) -> None:
        """Close the file."""
        self._file.close()


def _line(frame: int, one: dict[str, Any]) -> str:
    x1, y1, x2, y2 = one["box"]
    place = f"{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f}"
    return f"{frame},{one['track_id']},{place},{one['score']:.4f},-1,-1,-1\n"
