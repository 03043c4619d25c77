"""The images that a command reads, named by files, folders or patterns."""

import glob
import re
from collections.abc import Sequence
from pathlib import Path

# Of the files in a folder these are taken for images; a file that is named is always tried.
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def find_images(words: Sequence[str]) -> list[Path]:
    """Return the image files that were asked for, those of a folder or a pattern sorted.

    words  each the path of a file, which need not exist; of a folder, for the images in it; or a
           pattern such as "photos/*.jpg", for shells that leave it as it is
    Raises ValueError for a URL, and for a folder or a pattern without images.
    """
    return [path for word in words for path in _find(word)]


def exists(path: Path) -> bool:
    """Whether there is a file or a folder; no path is too long or too odd to be asked for."""
    try:
        return path.expanduser().exists()
    except (OSError, RuntimeError):  # a name too long, a home of nobody
        return False


def _find(word: str) -> list[Path]:
    if re.match(r"[a-z][a-z0-9+.-]*://", word, flags=re.IGNORECASE):
        raise ValueError(f"IMAGE {word!r} is a URL; download the image and give its file")
    path = Path(word)
    if exists(path):
        return _in_folder(path) if path.expanduser().is_dir() else [path]
    if not glob.has_magic(word):
        return [path]
    found = sorted(Path(name) for name in glob.glob(word, recursive=True))  # noqa: PTH207  # absolute too
    if files := [one for one in found if one.is_file()]:
        return files
    raise ValueError(f"IMAGE {word!r} matches no file; looked in {Path.cwd()}")


def _in_folder(folder: Path) -> list[Path]:
    found = sorted(
        path
        for path in folder.expanduser().iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
    if not found:
        raise ValueError(
            f"folder {str(folder)!r} holds no image ({', '.join(SUFFIXES)}); give image files, or "
            "a folder that holds them itself"
        )
    return found
