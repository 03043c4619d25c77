"""Files written beside their place and then moved there, so that none is half-written; folders."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to; on success it takes its place, else it is deleted.

    The path given is of a short name of its own, so that long names of files stay possible.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{uuid.uuid4().hex}.part")
    beside.touch()
    mode = beside.stat().st_mode  # what the user's umask allows; some writers would narrow it
    try:
        yield beside
        beside.chmod(mode)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def require_folder(path: Path) -> None:
    """Raise NotADirectoryError if what is to be a folder is there and something else."""
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"{str(path)!r} is a file; give a folder to write to")
