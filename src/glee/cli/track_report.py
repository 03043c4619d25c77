"""What `glee track` tells of its frames: lines, progress and a window."""

import argparse
import json
import sys
from typing import TYPE_CHECKING

import glee

if TYPE_CHECKING:
    from glee import VideoFrame, VideoSession


class Report:
    """Tells of each frame: a line on stdout, progress on stderr, and a window if wanted."""

    def __init__(self, session: "VideoSession", options: argparse.Namespace) -> None:
        from tqdm import tqdm  # noqa: PLC0415

        from glee.cli.window import Window  # noqa: PLC0415

        self._json = options.json
        self._window = Window(session.info.title) if options.show else None
        total = session.info.num_frames
        if total is not None:
            span = options.start + 1 if options.backward else total - options.start
            total = -(-span // options.every)
        self._bar = tqdm(unit="frame", total=total, file=sys.stderr)
        self._dropped = 0

    @property
    def closed(self) -> bool:
        """Whether the user has closed the window."""
        return self._window is not None and self._window.closed

    def start_behind(self, count: int) -> None:
        """Count frames that an earlier run has written."""
        self._bar.initial = self._bar.n = count  # they say nothing of this run's speed
        self._bar.refresh()

    def tell(self, frame: "VideoFrame") -> None:
        """Tell of a frame that is done."""
        from glee.video.memory import process_bytes  # noqa: PLC0415

        self._dropped += frame.dropped
        facts = {"objects": len(frame.instances)}
        if self._dropped:
            facts["dropped"] = self._dropped
        if held := process_bytes():
            facts["MB"] = round(held / 1e6)
        self._bar.set_postfix(facts, refresh=False)
        self._bar.update()
        text = json.dumps(frame.to_json()) if self._json else _as_text(frame)
        self._bar.write(text, file=sys.stdout)

    def show(self, frame: "VideoFrame") -> None:
        """Show a frame in the window, if there is one."""
        if self._window is not None:
            self._window.show(glee.draw_instances(frame.image, frame.instances))

    def __enter__(self) -> "Report":
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()


def _as_text(frame: "VideoFrame") -> str:
    """Say what a frame shows, in one line."""
    found = frame.instances
    ids = [] if found.track_ids is None else found.track_ids.tolist()
    rows = zip(ids, found.label_names(), found.scores.tolist(), strict=True)
    objects = ", ".join(f"#{track} {name} {score:.2f}" for track, name, score in rows)
    return f"frame {frame.index} ({float(frame.timestamp):.3f} s): {objects or 'nothing'}"
