"""SA-1B: masks of everything, without names, a JSON file beside each image (arXiv:2304.02643)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from glee.data.readers.coco import box_of
from glee.data.readers.columns import Texts
from glee.data.readers.index import as_size
from glee.data.readers.json_stream import iterate_entries
from glee.data.readers.lazy import LazyIndex, find_images, read_json_beside
from glee.data.report import Report
from glee.data.schema import BadSampleError, Frame, Sample, Supervision
from glee.data.segmentation import pack_segmentation, packed_size, unpack_segmentation

OBJECT = "object"


def read_sa1b(images: Path, *, index: Path | None = None, fail_fast: bool = False) -> LazyIndex:
    """Read SA-1B, or a part of it.

    images     the folder that holds `sa_000000` and so on, each with images and JSON files
    index      a file in COCO's format whose `images` are to be used; only their names are read,
               since boxes and masks stand beside the images. All images of the folder if not given
    fail_fast  raise ValueError at the first bad entry

    Boxes and masks are read when a sample is asked for.
    Raises FileNotFoundError without the folder, images in it, or the index.
    """
    if index is None:
        files = find_images(images)
    else:
        files = Texts(
            str(entry["file_name"]) for part, entry in iterate_entries(index) if part == "images"
        )
    return LazyIndex(
        folder=images, names=(OBJECT,), files=files, read=read_sample, report=Report(fail_fast)
    )


def read_sample(image: Path, report: Report) -> Sample:
    """Read the sample of an image file, without its pixels.

    Raises BadSampleError if its JSON file is missing, damaged, or has no usable mask.
    """
    data = read_json_beside(image)
    try:
        size = as_size(data["image"]["height"], data["image"]["width"])
        entries = list(data["annotations"])
    except (KeyError, TypeError) as error:
        raise BadSampleError(f"annotation of {str(image)!r} lacks a part: {error}") from error
    if size is None:
        raise BadSampleError(f"annotation of {str(image)!r} has no size that an image can have")
    boxes, masks = [], []
    for number, entry in enumerate(entries):
        report.total += 1
        try:
            packed, box = _check(entry, size)
        except ValueError as error:
            report.add(str(error), f"annotation {number} of {image.name}")
            continue
        boxes.append(box)
        masks.append(unpack_segmentation(packed, size))
    if not boxes:
        raise BadSampleError(f"annotation of {str(image)!r} has no usable mask")
    whole = len(boxes) == len(entries)
    return Sample(
        key=str(image),
        frames=(
            Frame(
                image=image,
                size=size,
                boxes=np.array(boxes, dtype=np.float32),
                names=(OBJECT,) * len(boxes),
                masks=tuple(masks),
            ),
        ),
        supervision=Supervision(
            masks=True,
            exhaustive=frozenset({OBJECT}),
            partial=frozenset() if whole else frozenset({OBJECT}),
            machine_made=True,
        ),
    )


def _check(entry: Any, size: tuple[int, int]) -> tuple[bytes, tuple[float, ...]]:
    """Return the packed mask and the box of an annotation; raises ValueError if it is bad."""
    if not isinstance(entry, Mapping):
        raise ValueError("entry of another layout")
    packed = pack_segmentation(entry.get("segmentation"))
    if packed_size(packed) not in (None, size):
        raise ValueError("mask of another size than its image")
    box = box_of(entry)
    if box is None:
        raise ValueError("box that is not four numbers")
    limits = (size[1], size[0]) * 2
    x1, y1, x2, y2 = (min(max(v, 0), limit) for v, limit in zip(box, limits, strict=True))
    if x2 <= x1 or y2 <= y1:
        raise ValueError("box of zero area")
    return packed, (x1, y1, x2, y2)
