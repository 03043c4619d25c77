"""LazyIndex: samples whose annotation lies in a file of its own, opened when asked for."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glee.data.readers.columns import Texts
from glee.data.report import Report
from glee.data.schema import BadSampleError, RandomAccess, Sample

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LazyIndex:
    """Images by the million, each with a file of annotation beside it.

    folder  what the names of the files are relative to
    names   the names or phrases that objects may have
    files   the image files
    read    makes the sample of an image file, and reports what it leaves out
    report  what was left out, by this process, up to now
    """

    folder: Path
    names: RandomAccess[str]
    files: Texts
    read: Callable[[Path, Report], Sample]
    report: Report

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Sample:
        return self.read(self.folder / self.files[index], self.report)


def find_images(folder: Path) -> Texts:
    """List the image files in a folder and the folders in it, in the order of their names.

    Raises FileNotFoundError if there is no such folder or no image in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"folder {str(folder)!r} not found")
    files = Texts(_walk(folder, ""))
    if not len(files):
        raise FileNotFoundError(f"folder {str(folder)!r} holds no images")
    return files


def _walk(folder: Path, prefix: str) -> Iterator[str]:
    # Of a folder of a million files pathlib would make a million objects.
    with os.scandir(folder / prefix) as entries:
        found = sorted((entry.name, entry.is_dir()) for entry in entries)
    for name, is_folder in found:
        if is_folder:
            yield from _walk(folder, f"{prefix}{name}/")
        elif name.lower().endswith(IMAGE_ENDINGS):
            yield prefix + name


def read_json_beside(image: Path) -> Any:
    """Return the content of the JSON file with the name of an image.

    Raises BadSampleError if it is missing or damaged.
    """
    path = image.with_suffix(".json")
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BadSampleError(f"annotation file {str(path)!r} cannot be read: {error}") from error
