"""Open Images: boxes, and which names people have looked for (arXiv:1811.00982)."""

import csv
from array import array
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path

import numpy as np

from glee.data.readers.builder import Box, IndexBuilder, IndexOptions
from glee.data.readers.columns import Numbering
from glee.data.readers.index import Groups, ImageIndex
from glee.data.readers.lvis import read_lvis
from glee.data.report import Report

LABEL_COLUMNS = ("ImageID", "LabelName", "Confidence")
BOX_COLUMNS = ("ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax")


def read_open_images(
    boxes: Path,
    classes: Path,
    images: Path,
    *,
    image_labels: Path | None = None,
    file_of: Callable[[str], str] | None = None,
    fail_fast: bool = False,
) -> ImageIndex:
    """Read the boxes of Open Images.

    boxes         such as `oidv6-train-annotations-bbox.csv`
    classes       such as `class-descriptions-boxable.csv`
    images        the folder that holds the images
    image_labels  such as `train-annotations-human-imagelabels-boxable.csv`: names verified by
                  people. With it, only those count as absent that were found to be; without it,
                  all that have no box, as GLEE was trained
    file_of       the file of an image's id in the folder; `<id>.jpg` if not given
    fail_fast     raise ValueError at the first bad entry

    Boxes around groups are left out like crowds. The CSV files do not say how large images are:
    that is read from each when it is asked for. Raises FileNotFoundError without a file, and
    ValueError for one of another layout.
    """
    options = IndexOptions(coverage="listed" if image_labels is None else "present")
    builder = IndexBuilder(images, options, Report(fail_fast))
    file_of = file_of or _file
    rows = [row for row in _rows(classes) if row and row[0] != "LabelName"]
    names = tuple(dict.fromkeys(row[1] for row in rows))
    numbers = Numbering(row[0] for row in rows)
    found_absent = _Absent(image_labels, numbers)
    seen = Numbering()
    for row in _table(boxes, BOX_COLUMNS):
        image_id = row["ImageID"]
        if seen.add(image_id) == builder.num_images:
            builder.add_image(image_id, file_of(image_id), absent=found_absent[image_id])
        crowd = row.get("IsGroupOf") == "1"
        builder.add_object(image_id, numbers.add(row["LabelName"]), _box(row), crowd=crowd)
    row_of = {row[0]: names.index(row[1]) for row in rows}
    return builder.finish(names, [row_of.get(str(key), -1) for key in numbers])


def read_open_images_json(
    annotations: Path, images: Path, *, federated: bool = True, fail_fast: bool = False
) -> ImageIndex:
    """Read the boxes of Open Images from a file in COCO's format, such as openimages2coco makes.

    annotations  the JSON file; its images may have `neg_category_ids`, the names found absent
    images       the folder that `file_name` is relative to, such as one of folders by first digit
    federated    only those count as absent that were found to be; without it, all that have no
                 box, as GLEE was trained. Without such lists in the file no name would be absent
    fail_fast    raise ValueError at the first bad entry

    Raises FileNotFoundError without the file, ValueError if it is not such JSON.
    """
    return read_lvis(
        annotations,
        images,
        federated=federated,
        file_of=lambda entry: str(entry["file_name"]),
        fail_fast=fail_fast,
    )


class _Absent:
    """The numbers of the names that were found absent, for each image."""

    def __init__(self, image_labels: Path | None, numbers: Numbering) -> None:
        self._ids = Numbering()
        images, labels = array("q"), array("q")
        for row in _table(image_labels, LABEL_COLUMNS) if image_labels else ():
            if row["Confidence"] in ("0", "0.0"):
                images.append(self._ids.add(row["ImageID"]))
                labels.append(numbers.add(row["LabelName"]))
        self._labels = Groups(
            np.array(images, dtype=np.int64), np.array(labels, dtype=np.int64), len(self._ids)
        )

    def __getitem__(self, image_id: str) -> list[int]:
        row = self._ids.find(image_id)
        return [] if row is None else self._labels[row].tolist()


def _file(image_id: str) -> str:
    return f"{image_id}.jpg"


def _box(row: dict[str, str]) -> Box | None:
    try:
        return float(row["XMin"]), float(row["YMin"]), float(row["XMax"]), float(row["YMax"])
    except ValueError:
        return None


def _table(path: Path, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file with a header; what a short row lacks is empty.

    Raises ValueError for a file without one of the columns.
    """
    rows = _rows(path)
    header = next(rows, [])
    if missing := [column for column in columns if column not in header]:
        raise ValueError(f"{str(path)!r} has no column {', '.join(missing)}, only {header}")
    for row in rows:
        yield dict(zip_longest(header, row[: len(header)], fillvalue=""))


def _rows(path: Path) -> Iterator[list[str]]:
    if not path.is_file():
        raise FileNotFoundError(f"annotation file {str(path)!r} not found")
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.reader(file)
