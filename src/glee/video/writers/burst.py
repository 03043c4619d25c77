"""BURST's JSON: one sequence, with the masks of each frame by track."""

import json
from typing import IO

from glee.video.source import SourceInfo, stem_of
from glee.video.writers.journal import Journal

DATA_SET = "glee"


def write_burst(file: IO[str], journal: Journal, info: SourceInfo) -> None:
    """Write the sequence; categories are the places of the names in the prompt, from 1.

    Raises ValueError if there are no masks.
    """
    height, width = journal.image_size
    pictures = [f"{stem_of(info, index)}.jpg" for index in journal.frames]
    facts = {
        "id": 1,
        "dataset": DATA_SET,
        "seq_name": info.title,
        "height": height,
        "width": width,
        "fps": float(info.frame_rate),
        "annotated_image_paths": pictures,
        "all_image_paths": pictures,
        "neg_category_ids": [],
        "not_exhaustive_category_ids": [],
        "track_category_ids": {str(n): journal.category(n) for n in journal.tracks},
    }
    file.write('{"split":"glee","sequences":[')
    file.write(json.dumps(facts)[:-1] + ',"segmentations":[')
    for place, line in enumerate(journal.lines()):
        objects = {
            str(one["track_id"]): {
                "rle": _counts(one),
                "is_gt": False,
                "score": one["score"],
                "bbox": [round(value) for value in one["box"]],
            }
            for one in line["objects"]
        }
        file.write(("," if place else "") + json.dumps(objects, separators=(",", ":")))
    file.write("]}]}")


def _counts(one: dict[str, object]) -> str:
    match one:
        case {"mask": {"counts": str(counts)}}:
            return counts
    raise ValueError("BURST's format holds masks, but there are none; leave out burst")
