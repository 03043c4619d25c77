"""Memory of this process: how much it holds, and a limit that it must not pass."""

import ctypes
import gc
import sys
from pathlib import Path

STATM = Path("/proc/self/statm")  # sizes in pages; the second is what is resident
READ_AHEAD = 4  # frames that may wait for the network
READ_AHEAD_SHARE = 0.25  # of the memory that is left, at most


class MemoryLimitError(OSError):
    """The process needs more memory than it was allowed to."""


def process_bytes() -> int | None:
    """Return the resident memory of this process, None on systems that do not tell."""
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415 - not on Windows

    if STATM.is_file():
        return int(STATM.read_text().split()[1]) * resource.getpagesize()
    if sys.platform == "darwin":  # the largest so far, in bytes
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return None


def give_back() -> None:
    """Return memory that is free, but kept for reuse, to the system, where that can be asked."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, musl has not
        if trim is not None:
            trim(0)


class MemoryLimit:
    """Keeps the process below a limit, None for no limit.

    Raises ValueError for a limit that is not above 0, and on systems that do not tell how much
    memory a process holds.
    """

    def __init__(self, megabytes: float | None) -> None:
        if megabytes is not None:
            if not megabytes > 0:
                raise ValueError(f"max_memory_mb must be above 0, got {megabytes}")
            if process_bytes() is None:
                raise ValueError("max_memory_mb is not supported on this system; leave it out")
        self._limit = megabytes

    def require(self, index: int) -> None:
        """Raise MemoryLimitError if the process holds too much, after giving back what it can."""
        if self._limit is None or self._used() <= self._limit:
            return
        give_back()
        used = self._used()
        if used > self._limit:
            raise MemoryLimitError(
                f"max_memory_mb is {self._limit:g}, but the process holds {used:.0f} MB after "
                f"frame {index}; allow more, or take a smaller network or frames"
            )

    def read_ahead(self, frame_bytes: int) -> int:
        """Return how many frames of a size may wait for the network."""
        if self._limit is None:
            return READ_AHEAD
        room = READ_AHEAD_SHARE * (self._limit - self._used()) * 1e6
        return max(1, min(READ_AHEAD, int(room // frame_bytes)))

    def _used(self) -> float:
        return (process_bytes() or 0) / 1e6
