"""BURST's own JSON: masks of tracked objects in the frames of TAO (arXiv:2209.12118)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glee.data.readers.builder import IndexBuilder, IndexOptions
from glee.data.readers.coco import Json, add_category, name_categories
from glee.data.readers.columns import Numbering
from glee.data.readers.index import as_size
from glee.data.readers.json_stream import iterate_entries
from glee.data.readers.videos import VideoIndex, join_frames
from glee.data.readers.ytvis import box_around
from glee.data.report import Report


def read_burst(
    annotations: Path, frames: Path, *, federated: bool = True, fail_fast: bool = False
) -> VideoIndex:
    """Read the annotated clips of BURST; their frames are those that are annotated.

    annotations  such as `train/train.json`, or `all_classes.json` of a split for evaluation
    frames       the folder that holds a folder for each of TAO's data sets, of one split
    federated    what a clip is not annotated for counts as unknown, but for the names that were
                 verified absent; without it as absent
    fail_fast    raise ValueError at the first bad entry

    Files in the format of YouTube-VIS, such as GLEE's authors made of these, are for `read_ytvis`.
    Raises FileNotFoundError without the file, ValueError if it is not such JSON.
    """
    options = IndexOptions(coverage="present" if federated else "listed")
    builder, numbers = IndexBuilder(frames, options, Report(fail_fast)), Numbering()
    tracks = Numbering([None])  # numbers from 1
    lengths: list[int] = []
    categories: list[Json] = []

    def add_sequence(entry: Json) -> None:
        _add_sequence(builder, entry, numbers, tracks)
        lengths.append(len(entry["segmentations"]))

    for part, entry in iterate_entries(annotations):
        if part == "categories":
            add_category(builder, categories, entry)
        elif part == "sequences" and _is_whole(entry):
            builder.attempt(add_sequence, entry)
        elif part == "sequences":
            name = entry.get("seq_name") if isinstance(entry, Mapping) else repr(entry)[:80]
            builder.report.add("clip without frames or size", str(name))
    return join_frames(builder.finish(*name_categories(categories, numbers)), lengths)


def _is_whole(sequence: Any) -> bool:
    match sequence:
        case {
            "seq_name": str(),
            "dataset": str(),
            "height": int() as height,
            "width": int() as width,
            "annotated_image_paths": [_, *_] as paths,
            "segmentations": list() as segmentations,
            "track_category_ids": dict(),
        }:
            return (
                as_size(height, width) is not None
                and len(paths) == len(segmentations)
                and all(isinstance(path, str) for path in paths)
                and all(isinstance(objects, dict) for objects in segmentations)
            )
    return False


def _add_sequence(
    builder: IndexBuilder, sequence: Json, numbers: Numbering, tracks: Numbering
) -> None:
    """Add the frames of a clip and their objects."""
    size = sequence["height"], sequence["width"]
    folder = f"{sequence['dataset']}/{sequence['seq_name']}"
    categories = sequence["track_category_ids"]
    absent, partial = (
        numbers.add_all(sequence.get(f"{kind}_category_ids")) for kind in ("neg", "not_exhaustive")
    )
    pairs = zip(sequence["annotated_image_paths"], sequence["segmentations"], strict=True)
    for path, objects in pairs:
        image = f"{folder}/{path}"
        builder.add_image(image, image, size, absent=absent, partial=partial)
        for track, one in objects.items():
            own = one if isinstance(one, Mapping) else {}
            mask = {"size": list(size), "counts": own.get("rle")}
            category = own.get("category_id", categories.get(track))
            builder.add_object(
                image,
                numbers.add(category if isinstance(category, int | str) else None),
                box_around(mask),
                segmentation=mask,
                track=tracks.add((folder, track)),
            )
