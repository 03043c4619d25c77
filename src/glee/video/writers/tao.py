"""TAO's results: a list of boxes, each with image, category, track, video and score."""

import json
from typing import IO

from glee.video.source import SourceInfo
from glee.video.writers.journal import Journal
from glee.video.writers.ytvis import VIDEO_ID


def write_tao(file: IO[str], journal: Journal, info: SourceInfo) -> None:
    """Write all boxes; images are numbered as the frames, from 1, and a track has one category."""
    del info
    file.write("[")
    between = ""
    for line in journal.lines():
        for one in line["objects"]:
            x1, y1, x2, y2 = one["box"]
            entry = {
                "image_id": line["frame"] + 1,
                "category_id": journal.category(one["track_id"]),
                "track_id": one["track_id"],
                "video_id": VIDEO_ID,
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "score": one["score"],
            }
            file.write(between + json.dumps(entry, separators=(",", ":")))
            between = ","
    file.write("]")
