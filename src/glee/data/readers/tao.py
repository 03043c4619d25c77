"""TAO's own JSON: boxes of tracked objects in frames one second apart (arXiv:2005.10356)."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glee.data.readers.builder import IndexBuilder, IndexOptions
from glee.data.readers.coco import Json, add_category, box_of, name_categories
from glee.data.readers.columns import Numbering
from glee.data.readers.index import as_size
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
        if part != "tracks" and isinstance(entry, Mapping):
            parts[part].append(entry)
    options = IndexOptions(coverage="present" if federated else "listed", use_masks=False)
    builder, numbers = IndexBuilder(frames, options, Report(fail_fast)), Numbering()
    lengths = _add_frames(builder, parts["videos"], parts["images"], numbers)
    tracks = Numbering([None])  # numbers from 1

    def add_object(entry: Json) -> None:
        builder.add_object(
            entry.get("image_id"),
            numbers.add(entry.get("category_id")),
            box_of(entry),
            crowd=bool(entry.get("iscrowd")),
            track=tracks.add(entry.get("track_id")),
        )

    for entry in parts["annotations"]:
        builder.attempt(add_object, entry)
    categories: list[Json] = []
    for entry in parts["categories"]:
        add_category(builder, categories, entry)
    return join_frames(builder.finish(*name_categories(categories, numbers)), lengths)


def _add_frames(
    builder: IndexBuilder, videos: list[Json], images: list[Json], numbers: Numbering
) -> list[int]:
    """Add the frames of all clips, clip after clip and in time; return how many each has."""
    of_video: dict[Any, list[Json]] = defaultdict(list)
    for image in images:
        if _is_whole(image):
            of_video[image["video_id"]].append(image)
        else:
            builder.report.add("frame without a place or a size", repr(image)[:80])
    lengths: list[int] = []

    def add_video(video: Json) -> None:
        own = sorted(of_video.pop(video["id"], ()), key=lambda image: image["frame_index"])
        absent, partial = (
            numbers.add_all(video.get(f"{kind}_category_ids")) for kind in ("neg", "not_exhaustive")
        )
        if not own:
            builder.report.add("clip without frames or size", f"video {video['id']}")
            return
        for image in own:
            size = image["height"], image["width"]
            builder.add_image(image["id"], image["file_name"], size, absent=absent, partial=partial)
        lengths.append(len(own))

    for video in videos:
        builder.attempt(add_video, video)
    for lost in of_video.values():
        builder.report.add("frame of a missing clip", str(lost[0].get("file_name")))
    return lengths


def _is_whole(image: Json) -> bool:
    match image:
        case {
            "id": int() | str(),
            "video_id": int() | str(),
            "file_name": str(),
            "frame_index": int() | float(),
            "height": int() as height,
            "width": int() as width,
        }:
            return as_size(height, width) is not None
    return False
