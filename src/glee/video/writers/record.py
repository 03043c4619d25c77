"""What writers have in common: the record of a frame, and text files that only grow."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from glee.ops.masks import mask_to_boxes
from glee.results import VideoFrame

Position = dict[str, Any]
"""How far a file was written, as plain JSON values."""


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One frame, ready to be written.

    frame       with instances on the CPU
    values      the same as plain JSON values, see `VideoFrame.to_json`; masks are run lengths
    mask_boxes  [N, 4] tightest boxes around the masks, None without masks
    """

    frame: VideoFrame
    values: Mapping[str, Any]
    mask_boxes: Tensor | None

    @staticmethod
    def of(frame: VideoFrame) -> "Record":
        """Return the record of a frame, which may be on any device."""
        found = frame.instances.cpu()
        frame = replace(frame, instances=found)
        mask_boxes = None if found.masks is None else mask_to_boxes(found.masks)
        return Record(frame, frame.to_json(mask_boxes), mask_boxes)

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Each object: box, score, label, name, track_id, and mask if there are masks."""
        objects: list[dict[str, Any]] = self.values["objects"]
        return objects


class Writer(Protocol):
    """Writes one file, or one folder of files, frame by frame.

    Whatever stops the program, the frames that were written can be read. A writer that is given
    the position of an earlier one goes on there and forgets what came behind.
    """

    def write(self, record: Record) -> None:
        """Write a frame; when this returns, it is in the file."""

    def position(self) -> Position:
        """Return where a later writer can go on."""

    def close(self, *, finished: bool) -> None:
        """Bring the file into its final form, and keep what going on needs unless finished."""


class GrowingFile:
    """A text file that only grows.

    position  where to go on, None to begin anew
    """

    def __init__(self, path: Path, position: Position | None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Kept open for all frames, and closed by `close`.
        self._file = path.open("r+b" if position is not None else "wb", buffering=0)
        if position is not None:
            self._file.truncate(position["bytes"])
            self._file.seek(0, os.SEEK_END)

    def append(self, text: str) -> None:
        """Write all of a frame at once."""
        data = memoryview(text.encode())
        while data:
            data = data[self._file.write(data) :]

    def position(self) -> Position:
        """Return how long the file is."""
        return {"bytes": self._file.tell()}

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class JsonLinesWriter:
    """One JSON object a line for each frame: `VideoFrame.to_json`."""

    def __init__(self, path: Path, position: Position | None = None) -> None:
        self._file = GrowingFile(path, position)

    def write(self, record: Record) -> None:
        """Append a line."""
        self._file.append(json.dumps(record.values, separators=(",", ":")) + "\n")

    def position(self) -> Position:
        """Return how long the file is."""
        return self._file.position()

    def close(self, *, finished: bool) -> None:
        """Close the file."""
        self._file.close()
