"""Reading ahead: frames are decoded in a thread while the network works on those before."""

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from glee.video.source import SourceFrame

POLL_SECONDS = 0.1  # how soon a thread notices that nobody wants its frames any more


@dataclass(frozen=True, slots=True)
class _End:
    """What comes behind the last frame.

    error  what ended the frames, None if they were all
    """

    error: Exception | None


class Prefetch:
    """Frames of an iterator, at most `depth` of them read ahead.

    Errors of the iterator are raised where its frames would have come.
    """

    def __init__(self, frames: Iterator[SourceFrame], depth: int) -> None:
        self._queue: queue.Queue[SourceFrame | _End] = queue.Queue(maxsize=depth)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._fill, args=(frames,), daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[SourceFrame]:
        return self

    def __next__(self) -> SourceFrame:
        item = self._queue.get()
        if isinstance(item, _End):
            self._queue.put(item)  # also for who asks again
            if item.error is not None:
                raise item.error
            raise StopIteration
        return item

    def close(self) -> None:
        """Stop reading, and wait for the thread."""
        self._closed.set()
        self._thread.join(timeout=1)

    def _fill(self, frames: Iterator[SourceFrame]) -> None:
        error: Exception | None = None
        try:
            for frame in frames:
                if not self._put(frame):
                    return
        except Exception as failure:  # whatever it is, it belongs to the reader
            error = failure
        self._put(_End(error))

    def _put(self, item: SourceFrame | _End) -> bool:
        """Wait for room; return False if nobody wants frames any more."""
        while not self._closed.is_set():
            try:
                self._queue.put(item, timeout=POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False
