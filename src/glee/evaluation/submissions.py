"""Submissions: the zip files that evaluation servers take, each in its server's own layout."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glee.evaluation.benchmark import Json, Rows
from glee.evaluation.label_maps import row_frames, row_labels, row_objects, row_size
from glee.files import replacing

BITS = 8


def write_results_zip(rows: Rows, path: Path) -> None:
    """Write results.json alone into a zip file: YouTube-VIS and OVIS.

    Every entry has video_id, category_id, score and segmentations.
    """
    with (
        replacing(path) as beside,
        zipfile.ZipFile(beside, "w") as archive,
        archive.open(_entry("results.json"), "w") as file,
    ):
        start = b"["
        for row in rows():
            file.write(start + json.dumps(row).encode())
            start = b", "
        file.write(b"]" if start != b"[" else b"[]")


def write_label_zip(rows: Rows, path: Path, *, root: str) -> None:
    """Write label maps as colour-mapped pictures <video>/<frame>.png: YouTube-VOS and MOSE.

    root  folder in the zip file that holds the videos: "Annotations" for YouTube-VOS, none for MOSE
    """
    _write_pictures(_label_pictures(rows), path, root)


def write_expression_zip(rows: Rows, path: Path, *, root: str = "Annotations") -> None:
    """Write masks as black and white pictures <video>/<expression>/<frame>.png: Ref-YouTube-VOS."""
    _write_pictures(_expression_pictures(rows), path, root)


def davis_palette() -> list[int]:
    """Return the colours of DAVIS and Pascal VOC, red, green and blue of each of 256 numbers.

    Bits of the number, from the lowest, in turn set the highest bits of the three colours.
    """
    colours = np.zeros((256, 3), dtype=np.int64)
    for number in range(256):
        for bit in range(BITS):
            colours[number, bit % 3] |= (number >> bit & 1) << (BITS - 1 - bit // 3)
    return list(colours.flatten().tolist())


def _label_pictures(rows: Rows) -> Iterator[tuple[str, Image.Image]]:
    palette = davis_palette()
    for row in rows():
        for name in row_frames(row):  # one at a time: sizes are what the entry says
            labels, _ = row_labels(row, [name], row_size(row))
            image = Image.fromarray(labels[0], "P")
            image.putpalette(palette)
            yield f"{row['video']}/{name}", image


def _expression_pictures(rows: Rows) -> Iterator[tuple[str, Image.Image]]:
    for row in rows():
        for name, masks in row_objects(row).items():
            single: Json = {**row, "objects": {"1": masks}}
            for frame in row_frames(row):
                labels, _ = row_labels(single, [frame], row_size(row))
                yield f"{row['video']}/{name}/{frame}", Image.fromarray(_white(labels[0]))


def _white(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return (picture > 0).astype(np.uint8) * 255


def _write_pictures(pictures: Iterator[tuple[str, Image.Image]], path: Path, root: str) -> None:
    with replacing(path) as beside, zipfile.ZipFile(beside, "w") as archive:
        for name, picture in pictures:
            data = io.BytesIO()
            picture.save(data, format="PNG")
            archive.writestr(
                _entry(f"{root}/{name}.png" if root else f"{name}.png"), data.getvalue()
            )


def _entry(name: str) -> zipfile.ZipInfo:
    """Return an entry that is the same whenever it is written.

    Raises ValueError for a name that would leave the folder in which it is unpacked.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{name!r} cannot be put into a zip file: it leads out of it")
    info = zipfile.ZipInfo(name)  # of 1980, the earliest that zip files know
    info.compress_type = zipfile.ZIP_DEFLATED
    return info
