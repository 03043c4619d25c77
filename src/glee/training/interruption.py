"""Ctrl-C and SIGTERM end a run between two steps instead of in the middle of one."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

TOGETHER = 1.0
"""Seconds within which several signals count as one: a launcher such as torchrun passes on what a
service manager has sent to all processes already."""


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Give a function that says whether Ctrl-C or SIGTERM came; a later second one acts at once.

    Only the main thread of a process can be told of signals; in others it never says so.
    """
    caught: list[float] = []

    def remember(_number: int, _frame: FrameType | None) -> None:
        caught.append(time.monotonic())
        if caught[-1] - caught[0] > TOGETHER:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(caught)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
