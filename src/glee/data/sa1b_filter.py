"""SA-1B without the parts that lie inside kept wholes, as GLEE was trained on it."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from glee.data.readers.index import as_size
from glee.data.readers.lazy import find_images, read_json_beside
from glee.data.report import Report
from glee.data.schema import BadSampleError
from glee.data.segmentation import pack_segmentation, unpack_segmentation
from glee.files import replacing
from glee.ops.masks import decode_rle

REDUCTION = 8
"""Masks are compared at this fraction of their height and width."""

SMOOTHING = 1e-6

INDEX = "index.json"


@dataclass(frozen=True, slots=True)
class Filtered:
    """What became of one image.

    file   its name in the folder
    size   (height, width)
    given  masks that there were
    kept   masks that are left
    fault  why it was left out; "" if it was not
    """

    file: str
    size: tuple[int, int] = (0, 0)
    given: int = 0
    kept: int = 0
    fault: str = ""


def suppress_parts(
    small: Tensor, areas: Tensor, *, threshold: float = 0.5, strict: bool = False
) -> Tensor:
    """Return the rows of masks to keep, largest first.

    small      [N, h, w] bool, the masks at a fraction of their size
    areas      [N], pixels of the masks themselves
    threshold  overlap from which the smaller of two masks goes: the largest of their IoU and of
               the share of each that the other covers
    strict     whether only masks that are kept remove others. The version that GLEE's data were
               made with lets removed ones remove too
    """
    order = areas.argsort(descending=True, stable=True)
    flat = small[order].flatten(1).float()
    both, area = flat @ flat.T, flat.sum(1)
    union = area[:, None] + area - both
    smaller = torch.minimum(area[:, None], area)
    overlap = torch.maximum(both / (union + SMOOTHING), both / (smaller + SMOOTHING))
    close = (overlap >= threshold).triu(diagonal=1)
    if not strict:
        return order[~close.any(0)]
    kept = torch.ones(len(order), dtype=torch.bool)
    for row, near in enumerate(close):
        if kept[row]:
            kept &= ~near
    return order[kept]


def filter_sa1b(
    source: Path,
    target: Path,
    *,
    threshold: float = 0.5,
    strict: bool = False,
    workers: int = 1,
    fail_fast: bool = False,
) -> tuple[list[Filtered], Report]:
    """Write SA-1B's annotations without parts of wholes to another folder; see `suppress_parts`.

    source   the folder that holds `sa_000000` and so on, each with images and JSON files; it is
             only read
    target   gets JSON files of the same names, links to the images beside them, and `index.json`,
             which lists the images for `read_sa1b`
    workers  processes that share the work

    What an earlier call has written is not done again. Returns what became of each image, and
    what was left out. Raises FileNotFoundError without the folder or images in it, ValueError if
    the two folders are one or a threshold lies outside 0..1.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must lie in 0..1, got {threshold}")
    if source.resolve() == target.resolve():
        raise ValueError(f"target {str(target)!r} is the folder that is read; give another one")
    images, report = find_images(source), Report(fail_fast)
    files = (images[n] for n in range(len(images)))
    work = partial(_filter_image, source, target, threshold=threshold, strict=strict)
    done = []
    for one in _map(work, files, workers):
        report.total += 1
        if one.fault:
            report.add("image whose masks cannot be read", f"{one.file}: {one.fault}")
        else:
            done.append(one)
    entries = [
        {"id": n, "file_name": one.file, "height": one.size[0], "width": one.size[1]}
        for n, one in enumerate(done, start=1)
    ]
    with replacing(target / INDEX) as beside:
        names = [{"id": 1, "name": "object"}]
        beside.write_text(json.dumps({"images": entries, "annotations": [], "categories": names}))
    return done, report


def _map(work: Any, files: Iterator[str], workers: int) -> Iterator[Filtered]:
    if workers <= 1:
        yield from map(work, files)
        return
    with Pool(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield from pool.imap(work, files, chunksize=16)


def _filter_image(
    source: Path, target: Path, file: str, *, threshold: float, strict: bool
) -> Filtered:
    place = (target / file).with_suffix(".json")
    try:
        data = read_json_beside(source / file)
        size, entries = (
            as_size(data["image"]["height"], data["image"]["width"]),
            data["annotations"],
        )
        if size is None or not isinstance(entries, list):
            raise ValueError("the annotation has no size or no list of masks")
        if place.is_file():
            kept = len(read_json_beside(target / file)["annotations"])
            return Filtered(file, size, len(entries), kept)
        small, areas = _decode(entries, size)
    except (BadSampleError, ValueError, KeyError, TypeError) as error:
        return Filtered(file, fault=str(error))
    rows = suppress_parts(small, areas, threshold=threshold, strict=strict).tolist()
    with replacing(place) as beside:
        beside.write_text(json.dumps(data | {"annotations": [entries[row] for row in rows]}))
    if not (target / file).exists():
        (target / file).symlink_to(os.path.relpath(source / file, (target / file).parent))
    return Filtered(file, size, len(entries), len(rows))


def _decode(entries: list[Any], size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the masks at a fraction of their size, and their areas; ValueError if one is bad."""
    height, width = (side // REDUCTION for side in size)
    small = torch.zeros(len(entries), height, width, dtype=torch.bool)
    areas = torch.zeros(len(entries), dtype=torch.int64)
    for row, entry in enumerate(entries):
        packed = pack_segmentation(entry["segmentation"])
        mask = decode_rle([unpack_segmentation(packed, size)], size)[0]  # all would be gigabytes
        areas[row] = mask.sum()
        # The pixels that F.interpolate takes for the nearest.
        small[row] = mask[: height * REDUCTION : REDUCTION, : width * REDUCTION : REDUCTION]
    return small, areas
