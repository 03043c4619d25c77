"""Referring expressions in COCO's format: RefCOCO, RefCOCO+, RefCOCOg, Ref-YouTube-VOS' frames."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from glee.data.readers.builder import IndexBuilder, IndexOptions
from glee.data.readers.coco import Json, add_image, fill
from glee.data.readers.index import ImageIndex
from glee.data.report import Report
from glee.data.schema import Subset

OBJECT = "object"


def read_refcoco(annotations: Path, images: Path, *, fail_fast: bool = False) -> ImageIndex:
    """Read images with expressions.

    annotations  the JSON file; every entry of `images` has `expressions` for what its
                 annotations mark: one object, several, or none
    images       the folder that `file_name` is relative to
    fail_fast    raise ValueError at the first bad entry

    The same image may be in several entries, each a sample of its own. Entries without a usable
    expression are left out. Raises FileNotFoundError without the file, ValueError if it is not
    such JSON.
    """
    options = IndexOptions(coverage="anything", keep_empty=True, described=True)
    builder = IndexBuilder(images, options, Report(fail_fast))

    def add(entry: Json) -> None:
        if add_image(builder, entry):
            builder.add_expressions(entry.get("expressions") or ())

    fill(builder, annotations, add_image=add, label_of=lambda _: 0)
    return builder.finish((OBJECT,), [0])


def leave_out_images(samples: ImageIndex, others: Iterable[ImageIndex]) -> Subset:
    """Return the samples whose image is in none of the others.

    The images that one of RefCOCO, RefCOCO+ and RefCOCOg is evaluated on are trained on in the
    next; who evaluates on all leaves all of them out.
    """
    theirs = {file for other in others for file in image_files(other)}
    own = enumerate(image_files(samples))
    rows = [row for row, file in own if file not in theirs]
    return Subset(samples, np.array(rows, dtype=np.int64))


def image_files(samples: ImageIndex) -> Iterable[str]:
    """Yield the image file of each sample, relative to its folder."""
    return (samples.columns.files[row] for row in samples.images.tolist())
