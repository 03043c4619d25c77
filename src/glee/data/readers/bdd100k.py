"""BDD100K's own files: boxes and outlines in Scalabel's JSON, instances as pictures.

BDD100K (arXiv:1805.04687).
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from glee.data.readers.builder import Box, IndexBuilder, IndexOptions
from glee.data.readers.index import ImageIndex
from glee.data.readers.json_stream import iterate_entries
from glee.data.readers.lazy import LazyIndex, find_images
from glee.data.readers.outlines import trace_outline
from glee.data.report import Report
from glee.data.schema import BadSampleError, Frame, Sample, Supervision
from glee.data.segmentation import masks_to_boxes
from glee.ops.masks import Rle, encode_rle

INSTANCE_NAMES = (
    "pedestrian",
    "rider",
    "car",
    "truck",
    "bus",
    "train",
    "motorcycle",
    "bicycle",
)
"""In the order of the numbers 1 to 8 in pictures of instances."""

BOX_NAMES = (*INSTANCE_NAMES, "traffic light", "traffic sign")

EARLIER_NAMES = {"person": "pedestrian", "bike": "bicycle", "motor": "motorcycle"}
"""What the files before 2020 call some of these."""

SIZE = (720, 1280)
"""(height, width) of all images; the files do not say it."""

CROWD_OR_IGNORED = 0b11
"""Bits of a pixel's second channel: truncated, occluded, crowd, ignored."""


def read_bdd100k(annotations: Path, images: Path, *, fail_fast: bool = False) -> ImageIndex:
    """Read the boxes of BDD100K.

    annotations  such as `det_20/det_train.json`: a list of images with `labels`
    images       the folder that holds the images, such as `images/100k/train`
    fail_fast    raise ValueError at the first bad entry

    Objects called "other vehicle", "other person" and "trailer" are left out like crowds, as in
    the official conversion. Files of that conversion, in COCO's format, are for `read_coco`.
    Outlines, which these files have of lanes and areas only, are for `read_bdd100k_outlines`.
    Raises FileNotFoundError without the file, ValueError if it is not such JSON.
    """
    builder = IndexBuilder(images, IndexOptions(), Report(fail_fast))
    return _read_labels(annotations, builder, "box2d", BOX_NAMES)


def read_bdd100k_outlines(
    annotations: Path, images: Path, *, fail_fast: bool = False
) -> ImageIndex:
    """Read the instances of BDD100K from their outlines.

    annotations  such as `labels/ins_seg/polygons/ins_seg_train.json`: a list of images whose
                 `labels` have `poly2d`, one closed outline for each visible part of an object
    images       the folder that holds the images, such as `images/10k/train`
    fail_fast    raise ValueError at the first bad entry

    Boxes are drawn around the outlines. What is left out, and what is raised, is as in
    `read_bdd100k`; `read_bdd100k_instances` reads the same objects from pictures.
    """
    builder = IndexBuilder(images, IndexOptions(), Report(fail_fast))
    return _read_labels(annotations, builder, "poly2d", INSTANCE_NAMES)


def _read_labels(
    annotations: Path, builder: IndexBuilder, shape: str, names: tuple[str, ...]
) -> ImageIndex:
    """Read the objects of some names that have a shape, "box2d" or "poly2d"."""

    def add_image(entry: Mapping[str, Any]) -> None:
        image = entry["name"]
        builder.add_image(image, image, SIZE)
        for label in entry.get("labels") or ():
            if shape in label:
                builder.attempt(partial(_add_object, builder, image, names), label)

    for _, entry in iterate_entries(annotations):
        builder.attempt(add_image, entry)
    return builder.finish(names, range(len(names)))


def _add_object(
    builder: IndexBuilder, image: str, names: tuple[str, ...], label: Mapping[str, Any]
) -> None:
    name = label.get("category", "")
    name = EARLIER_NAMES.get(name, name)
    known = name in names
    attributes = label.get("attributes") or {}
    outlines = [trace_outline(part) for part in label.get("poly2d") or ()]
    builder.add_object(
        image,
        names.index(name) if known else None,
        _box(label["box2d"]) if "box2d" in label else _box_around(outlines),
        segmentation=outlines,
        crowd=not known or bool(attributes.get("crowd") or attributes.get("ignored")),
    )


def _box(box: Mapping[str, Any]) -> Box | None:
    """Return a box whose last row and column the file counts in."""
    try:
        x1, y1, x2, y2 = (float(box[key]) for key in ("x1", "y1", "x2", "y2"))
    except (KeyError, TypeError, ValueError):
        return None
    return x1, y1, x2 + 1, y2 + 1


def _box_around(outlines: Sequence[Sequence[float]]) -> Box | None:
    """Return the box around outlines [x, y, x, y, ...], None without any point."""
    x = [value for outline in outlines for value in outline[0::2]]
    y = [value for outline in outlines for value in outline[1::2]]
    return (min(x), min(y), max(x), max(y)) if x else None


def read_bdd100k_instances(bitmasks: Path, images: Path, *, fail_fast: bool = False) -> LazyIndex:
    """Read the instances of BDD100K from their pictures.

    bitmasks   the folder of PNG files, such as `labels/ins_seg/bitmasks/train`
    images     the folder of the images of the same names, such as `images/10k/train`
    fail_fast  raise ValueError at the first bad entry

    Of a pixel the first channel is the category, the second has flags, and the last two are the
    number of the object. Crowds and ignored objects are left out.
    Raises FileNotFoundError without the folder, or images in it.
    """
    return LazyIndex(
        folder=bitmasks,
        names=INSTANCE_NAMES,
        files=find_images(bitmasks),
        read=partial(_read_instances, images=images),
        report=Report(fail_fast),
    )


def _read_instances(picture: Path, report: Report, *, images: Path) -> Sample:
    """Read the sample of a picture of instances.

    Raises BadSampleError if it is missing, damaged, of another form, or shows nothing of use.
    """
    pixels = _read_pixels(picture)
    numbers = pixels[..., 2].astype(np.int64) << 8 | pixels[..., 3]
    names, masks, left_out = list[str](), list[Rle](), set[str]()
    for number in np.unique(numbers[numbers > 0]).tolist():
        own = numbers == number
        y, x = np.argwhere(own)[0]
        category, flags = int(pixels[y, x, 0]), int(pixels[y, x, 1])
        report.total += 1
        if not 1 <= category <= len(INSTANCE_NAMES):
            report.add("unknown category id", f"object {number} of {picture.name}")
            continue
        name = INSTANCE_NAMES[category - 1]
        if flags & CROWD_OR_IGNORED:
            left_out.add(name)
            continue
        names.append(name)
        masks += encode_rle(torch.from_numpy(own)[None])
    if not names:
        raise BadSampleError(f"mask file {str(picture)!r} shows no usable object")
    frame = Frame(
        image=images / f"{picture.stem}.jpg",
        size=(pixels.shape[0], pixels.shape[1]),
        boxes=masks_to_boxes(masks),
        names=tuple(names),
        masks=tuple(masks),
    )
    supervision = Supervision(
        masks=True, exhaustive=frozenset(INSTANCE_NAMES), partial=frozenset(left_out)
    )
    return Sample(key=str(frame.image), frames=(frame,), supervision=supervision)


def _read_pixels(path: Path) -> NDArray[np.uint8]:
    """Return the pixels [H, W, 4] of a picture of instances."""
    try:
        with Image.open(path) as image:
            pixels = np.array(image)
    except (OSError, SyntaxError) as error:
        raise BadSampleError(f"mask file {str(path)!r} cannot be read: {error}") from error
    if pixels.ndim != len("HWC") or pixels.shape[2] != len("RGBA"):
        raise BadSampleError(f"mask file {str(path)!r} must have four channels")
    return pixels
