"""Recording: the files of a followed video, written by a thread while the network goes on."""

import json
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from glee.files import replacing
from glee.results import VideoFrame
from glee.tracking.snapshot import Snapshot
from glee.video.source import SourceInfo
from glee.video.writers.annotated import AnnotatedVideo, interrupted_at
from glee.video.writers.burst import write_burst
from glee.video.writers.journal import read_journal
from glee.video.writers.mot import MotWriter
from glee.video.writers.mots import MotsWriter
from glee.video.writers.palette import PaletteWriter
from glee.video.writers.record import JsonLinesWriter, Position, Record, Writer
from glee.video.writers.reports import ReportWriter, WriteReport
from glee.video.writers.tao import write_tao
from glee.video.writers.ytvis import write_data_set, write_results

LINES = "tracks.jsonl"
RUN, STATE = "run.json", "resume.safetensors"
FINISHED = "finished"  # in run.json
REPORTS: Mapping[str, tuple[str, WriteReport]] = {
    "ytvis": ("ytvis.json", write_results),
    "coco-video": ("coco_video.json", write_data_set),
    "tao": ("tao.json", write_tao),
    "burst": ("burst.json", write_burst),
}
FORMATS = ("video", "jsonl", "mot", "mots", "png", *REPORTS)
MASK_FORMATS = ("mots", "png", "burst")  # need masks

NO_TENSOR = "none"  # in states without tensors too, so that their file has one

QUEUED = 2  # frames that may wait for the writers
STATE_SECONDS = 2.0  # between states from which an interrupted run can go on


class Recording:
    """Writes frames to the files of a folder, in as many formats as wanted.

    A thread writes; `write` waits if it is too far behind. Files are complete up to the last
    written frame whatever stops the program, and a later recording can go on with them.

    folder    for all files; tracks.jsonl is always among them
    formats   any of `FORMATS`
    info      of the source
    settings  plain JSON values that another run must share to go on with the files
    resume    go on with the files of an interrupted run; without such a run begin anew
    written   called, by the thread, for each frame that is in all files

    Raises ValueError for an unknown format, and for files of a run with other settings.
    """

    def __init__(  # what a recording joins
        self,
        folder: Path,
        formats: Sequence[str],
        info: SourceInfo,
        *,
        settings: Mapping[str, Any],
        resume: bool = False,
        written: Callable[[VideoFrame], None] | None = None,
    ) -> None:
        for name in formats:
            if name not in FORMATS:
                raise ValueError(f"unknown format {name!r}; choose from {', '.join(FORMATS)}")
        self._folder, self._written = folder, written
        folder.mkdir(parents=True, exist_ok=True)
        self._settings = json.loads(json.dumps({**settings, "formats": sorted(formats)}))
        state = self._open_run(resume=resume)
        self.state: Snapshot | None = None if state is None else state[0]
        positions = {} if state is None else state[1]
        self._writers = _open_writers(folder, formats, info, positions)
        self.num_before = 0 if state is None else len(read_journal(folder / LINES).frames)
        self._num_written = 0
        self._state_due = time.perf_counter()
        self._error: Exception | None = None  # not raised yet
        self._failed = False
        self._queue: queue.Queue[tuple[VideoFrame, Snapshot | None] | None] = queue.Queue(QUEUED)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def wants_state(self) -> bool:
        """Whether the next frame should come with the state of its session."""
        return time.perf_counter() >= self._state_due

    def write(self, frame: VideoFrame, state: Snapshot | None = None) -> None:
        """Hand over a frame, with the state of its session behind it if that is wanted.

        Raises what writing an earlier frame has raised.
        """
        self._raise_error()
        if state is not None:
            self._state_due = time.perf_counter() + STATE_SECONDS
        self._queue.put((frame, state))

    def close(self, *, finished: bool = True) -> None:
        """Write what waits, and bring all files into their final form.

        finished  whether the run is complete; if not, another can go on
        Raises what writing has raised.
        """
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
        finished = finished and not self._failed
        for writer in self._writers.values():
            try:  # whatever one file lacks, the others are brought into their final form
                writer.close(finished=finished)
            except Exception as error:
                self._error, self._failed = self._error or error, True
        if finished and not self._failed:
            self._settings[FINISHED] = True
            self._write_settings()
            (self._folder / STATE).unlink(missing_ok=True)
        self._raise_error()

    def discard(self) -> None:
        """Remove the files of a recording that is closed and holds no frame to go on with."""
        if not self.num_before + self._num_written:
            _remove_earlier(self._folder)

    def __enter__(self) -> "Recording":
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self.close(finished=kind is None)

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            if self._failed:  # all files end with the same frame, or one apart
                continue
            try:
                self._write(*item)
            except Exception as error:  # whatever it is, it belongs to the caller
                self._error, self._failed = error, True

    def _write(self, frame: VideoFrame, state: Snapshot | None) -> None:
        record = Record.of(frame)
        for writer in self._writers.values():
            writer.write(record)
        self._num_written += 1
        if state is not None:
            positions = {name: writer.position() for name, writer in self._writers.items()}
            _save_state(self._folder / STATE, state, positions)
        if self._written is not None:
            self._written(frame)

    def _raise_error(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _open_run(self, *, resume: bool) -> tuple[Snapshot, dict[str, Position]] | None:
        """Return where an interrupted run can go on; None to begin anew."""
        if not resume or not is_run(self._folder):
            _remove_earlier(self._folder)
            self._write_settings()
            return None
        earlier = _settings_of(self._folder)
        if earlier.get(FINISHED):
            raise ValueError(f"the run in {self._folder} is complete; there is nothing to resume")
        for name in earlier.keys() | self._settings.keys():
            if earlier.get(name) != self._settings.get(name):
                raise ValueError(
                    f"the run in {self._folder} differs in {name}: it had "
                    f"{_short(earlier.get(name))}, now {_short(self._settings.get(name))}; resume "
                    "it with the same, or take another folder"
                )
        state = self._folder / STATE
        return _load_state(state) if state.is_file() else None

    def _write_settings(self) -> None:
        with replacing(self._folder / RUN) as beside:
            beside.write_text(json.dumps(self._settings, indent=1), encoding="utf-8")


def file_names(formats: Sequence[str]) -> list[str]:
    """Return what files and folders a recording in these formats writes."""
    single = {"video": "annotated.mp4", "mot": "mot.txt", "mots": "mots.txt", "png": "masks"}
    names = [single[name] for name in formats if name in single]
    return [*names, LINES, *(REPORTS[name][0] for name in formats if name in REPORTS)]


def is_run(folder: Path) -> bool:
    """Whether a folder holds the files of a recording."""
    return (folder / RUN).is_file()


def is_unfinished(folder: Path) -> bool:
    """Whether a folder holds the files of a recording that was interrupted."""
    return is_run(folder) and not _settings_of(folder).get(FINISHED)


def complete(folder: Path, info: SourceInfo) -> int:
    """Bring the files of an interrupted recording into their final form; return its frames.

    Raises ValueError if there is no interrupted recording in the folder.
    """
    if not is_unfinished(folder):
        raise ValueError(f"{folder} holds no interrupted run")
    formats = _settings_of(folder)["formats"]
    journal = read_journal(folder / LINES)
    for name, (file, report) in REPORTS.items():
        if name in formats:
            writer = ReportWriter(folder / file, folder / LINES, info, report)
            writer.close(finished=False)
    if "video" in formats and journal.frames:
        first = next(journal.lines())["time"]
        position = interrupted_at(folder / "annotated.ts", first)
        AnnotatedVideo(folder / "annotated.mp4", info, position).close(finished=False)
    return len(journal.frames)


def _remove_earlier(folder: Path) -> None:
    """Remove the files of an earlier recording, so that none is taken for one of the next."""
    if not is_run(folder):
        return
    for name in (*file_names(FORMATS), "annotated.ts", STATE, RUN):
        path = folder / name
        for file in path.glob("*.png") if path.is_dir() else [path]:
            file.unlink(missing_ok=True)


def _settings_of(folder: Path) -> dict[str, Any]:
    settings: dict[str, Any] = json.loads((folder / RUN).read_text(encoding="utf-8"))
    return settings


def _open_writers(
    folder: Path, formats: Sequence[str], info: SourceInfo, positions: Mapping[str, Position]
) -> dict[str, Writer]:
    """Open the writers in the order in which they write; the JSON lines tell that all is there."""
    writers: dict[str, Writer] = {}
    if "video" in formats:
        writers["video"] = AnnotatedVideo(folder / "annotated.mp4", info, positions.get("video"))
    if "mot" in formats:
        writers["mot"] = MotWriter(folder / "mot.txt", positions.get("mot"))
    if "mots" in formats:
        writers["mots"] = MotsWriter(folder / "mots.txt", positions.get("mots"))
    if "png" in formats:
        writers["png"] = PaletteWriter(folder / "masks", info)
    writers["jsonl"] = JsonLinesWriter(folder / LINES, positions.get("jsonl"))
    for name, (file, report) in REPORTS.items():
        if name in formats:
            before = positions.get(name, {"frames": 0})["frames"]
            writers[name] = ReportWriter(folder / file, folder / LINES, info, report, frames=before)
    return writers


def _save_state(path: Path, state: Snapshot, positions: Mapping[str, Position]) -> None:
    metadata = {"values": json.dumps(state.values), "positions": json.dumps(positions)}
    tensors = {NO_TENSOR: torch.zeros(1), **{n: t.contiguous() for n, t in state.tensors.items()}}
    with replacing(path) as beside:
        save_file(tensors, beside, metadata)


def _load_state(path: Path) -> tuple[Snapshot, dict[str, Position]]:
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            names = [name for name in file.keys() if name != NO_TENSOR]  # noqa: SIM118 - no dict
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in names}
            values, positions = json.loads(metadata["values"]), json.loads(metadata["positions"])
    except (SafetensorError, ValueError, KeyError) as error:
        raise ValueError(f"{path} is no state of a run, or is damaged: {error}") from error
    return Snapshot(values, tensors), positions


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) < 60 else text[:57] + "..."  # noqa: PLR2004 - characters in a line
