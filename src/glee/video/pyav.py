"""PyAV, imported when it is needed, and its errors in words."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import av


def import_av() -> Any:
    """Return the module `av`.

    Raises ImportError, with the line that installs it, if it is not there.
    """
    try:
        import av  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise ImportError(
            'reading and writing video needs PyAV: pip install "glee-vision[video]"'
        ) from error
    return av


class VideoError(OSError):
    """A video that cannot be read, or not to its end.

    timestamp  seconds of the last frame that was delivered, None if there was none
    """

    def __init__(self, message: str, timestamp: float | None = None) -> None:
        super().__init__(message)
        self.timestamp = timestamp


def reason(error: "av.FFmpegError") -> str:
    """Return what FFmpeg says, without numbers of errors and names of its functions."""
    return str(error.strerror or error)
