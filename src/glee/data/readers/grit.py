"""GRIT: captions of web images whose phrases a model has grounded (arXiv:2306.14824)."""

from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from glee.data.readers.index import as_size
from glee.data.readers.lazy import LazyIndex, find_images, read_json_beside
from glee.data.report import Report
from glee.data.schema import BadSampleError, Frame, RandomAccess, Sample, Supervision

Part = Literal["noun_chunks", "ref_exps"]


def read_grit(
    images: Path,
    names: RandomAccess[str],
    *,
    part: Part = "noun_chunks",
    fail_fast: bool = False,
) -> LazyIndex:
    """Read GRIT as `img2dataset` stores it: a JSON file beside each image.

    images     the folder that holds the downloaded images
    names      phrases to draw negatives from, such as the `names` of Visual Genome
    part       which phrases of the captions: noun chunks, or whole expressions about one
    fail_fast  raise ValueError at the first bad entry

    Boxes are those of a detector: good enough to tell what a phrase means, not to learn places
    from. Files of one phrase for each annotation, such as GLEE's authors used, are for
    `read_phrases`. Raises FileNotFoundError without the folder or images in it.
    """
    return LazyIndex(
        folder=images,
        names=names,
        files=find_images(images),
        read=partial(_read_sample, part=part),
        report=Report(fail_fast),
    )


def _read_sample(image: Path, report: Report, *, part: Part) -> Sample:
    """Read the sample of an image file, without its pixels.

    Raises BadSampleError if its JSON file is missing, damaged, or has no usable phrase.
    """
    data = read_json_beside(image)
    try:
        size, caption = as_size(data["height"], data["width"]), str(data["caption"])
        spans = list(data[part])
    except (KeyError, TypeError) as error:
        raise BadSampleError(f"annotation of {str(image)!r} lacks a part: {error}") from error
    if size is None:
        raise BadSampleError(f"annotation of {str(image)!r} has no size that an image can have")
    boxes, phrases = [], []
    for number, span in enumerate(spans):
        report.total += 1
        try:
            phrase, box = _check(span, caption, size)
        except (OverflowError, TypeError, ValueError) as error:
            report.add(str(error), f"{part}[{number}] of {image.name}")
            continue
        phrases.append(phrase)
        boxes.append(box)
    if not boxes:
        raise BadSampleError(f"annotation of {str(image)!r} has no usable phrase")
    array = np.array(boxes, dtype=np.float32)
    frame = Frame(image=image, size=size, boxes=array, names=tuple(phrases))
    supervision = Supervision(boxes=False, machine_made=True)
    return Sample(key=str(image), frames=(frame,), supervision=supervision)


def _check(span: Any, caption: str, size: tuple[int, int]) -> tuple[str, list[float]]:
    """Return the phrase and the box of a span (start, end, x1, y1, x2, y2 in 0..1, score)."""
    start, end, *corners = span
    phrase = caption[int(start) : int(end)].strip()
    if not phrase:
        raise ValueError("empty expression")
    height, width = size
    limits = (width, height, width, height)
    box = [min(max(v, 0), 1) * n for v, n in zip(corners[:4], limits, strict=True)]
    if box[2] <= box[0] or box[3] <= box[1]:
        raise ValueError("box of zero area")
    return phrase, box
