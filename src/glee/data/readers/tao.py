"""TAO's own JSON: boxes of tracked objects in frames one second apart (arXiv:2005.10356)."""

from collections import defaultdict
from pathlib import Path
from typing import Any

from glee.data.readers.builder import IndexBuilder, IndexOptions
from glee.data.readers.coco import Json, box_of, name_categories
from glee.data.readers.columns import Numbering
from glee.data.readers.json_stream import iterate_entries
from glee.data.readers.videos import VideoIndex, join_frames
from glee.data.report import Report


def read_tao(
    annotations: Path, frames: Path, *, federated: bool = True, fail_fast: bool = False
) -> VideoIndex:
    """Read the annotated clips of TAO; their frames are those that are annotated.

    annotations  such as `annotations/train.json`
    frames       the folder that holds `train`, `val` and `test`
    federated    what a clip is not annotated for counts as unknown, but for the names that were
                 verified absent; without it as absent
    fail_fast    raise ValueError at the first bad entry

    The polygons of the file are those of the boxes, and are not read.
    Raises FileNotFoundError without the file, ValueError if it is not such JSON.
    """
    parts: dict[str, list[Json]] = defaultdict(list)
    for part, entry in iterate_entries(annotations):
        if part in ("videos", "images", "annotations", "categories"):
            parts[part].append(entry)
    options = IndexOptions(coverage="present" if federated else "listed", use_masks=False)
    builder, numbers = IndexBuilder(frames, options, Report(fail_fast)), Numbering()
    lengths = _add_frames(builder, parts["videos"], parts["images"], numbers)
    tracks = Numbering([None])  # numbers from 1
    for entry in parts["annotations"]:
        builder.add_object(
            entry.get("image_id"),
            numbers.add(entry.get("category_id")),
            box_of(entry),
            crowd=bool(entry.get("iscrowd")),
            track=tracks.add(entry.get("track_id")),
        )
    return join_frames(builder.finish(*name_categories(parts["categories"], numbers)), lengths)


def _add_frames(
    builder: IndexBuilder, videos: list[Json], images: list[Json], numbers: Numbering
) -> list[int]:
    """Add the frames of all clips, clip after clip and in time; return how many each has."""
    of_video: dict[Any, list[Json]] = defaultdict(list)
    for image in images:
        of_video[image.get("video_id")].append(image)
    lengths = []
    for video in videos:
        own = sorted(of_video.pop(video["id"], ()), key=lambda image: image["frame_index"])
        if not own:
            builder.report.add("clip without frames or size", f"video {video['id']}")
            continue
        lengths.append(len(own))
        absent, partial = (
            [numbers.add(one) for one in video.get(f"{kind}_category_ids", ())]
            for kind in ("neg", "not_exhaustive")
        )
        for image in own:
            size = int(image["height"]), int(image["width"])
            builder.add_image(
                image["id"], str(image["file_name"]), size, absent=absent, partial=partial
            )
    for lost in of_video.values():
        builder.report.add("frame of a missing clip", str(lost[0].get("file_name")))
    return lengths
