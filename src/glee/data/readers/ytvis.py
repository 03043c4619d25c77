"""YouTube-VIS' JSON: YouTube-VIS, OVIS, LV-VIS, UVO, BURST, and what was converted to it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeGuard

from glee.data.readers.builder import IndexBuilder, IndexOptions
from glee.data.readers.coco import Json, add_category, box_of, name_categories
from glee.data.readers.columns import Numbering
from glee.data.readers.index import as_size
from glee.data.readers.json_stream import iterate_entries
from glee.data.readers.videos import VideoIndex, join_frames
from glee.data.report import Report
from glee.data.segmentation import masks_to_boxes, pack_segmentation, unpack_segmentation
from glee.ops.masks import check_rle


def read_ytvis(
    annotations: Path,
    images: Path,
    *,
    options: IndexOptions | None = None,
    one_name: str | None = None,
    fail_fast: bool = False,
) -> VideoIndex:
    """Read the annotated clips of a file in the format of YouTube-VIS.

    annotations  the JSON file: an annotation is an object, with a box and a mask for each frame
    images       the folder that `file_names` are relative to
    options      what holds for all samples
    one_name     what all objects are called, for annotations without classes; the file's own
                 names if not given
    fail_fast    raise ValueError at the first bad entry

    Of an object without box the box around its mask is taken. `expressions` of a clip describe
    its objects, `neg_category_ids` and `not_exhaustive_category_ids` mean what they do in LVIS.
    The `frames` of what comes back are the frames as images.
    Raises FileNotFoundError without the file, ValueError if it is not such JSON.
    """
    reader = _Reader(IndexBuilder(images, options or IndexOptions(), Report(fail_fast)))
    waiting: list[Any] = []
    categories: list[Json] = []
    for part, entry in iterate_entries(annotations):
        match part:
            case "videos":
                reader.builder.attempt(reader.add_video, entry)
            case "annotations" if reader.knows_video(entry):
                reader.builder.attempt(reader.add_track, entry)
            case "annotations":  # its clip may come later in the file
                waiting.append(entry)
            case "categories":
                add_category(reader.builder, categories, entry)
    for entry in waiting:
        reader.builder.attempt(reader.add_track, entry)
    names, rows = name_categories(categories, reader.numbers)
    if one_name is not None:
        names, rows = (one_name,), [min(row, 0) for row in rows]
    return join_frames(reader.builder.finish(names, rows), list(reader.lengths.values()))


class _Reader:
    """Passes clips to the builder of an index, frame by frame."""

    def __init__(self, builder: IndexBuilder) -> None:
        self.builder, self.numbers = builder, Numbering()
        self.lengths: dict[Any, int] = {}
        self.num_tracks = 0

    def add_video(self, entry: Json) -> None:
        builder, video, files = self.builder, entry.get("id"), entry.get("file_names")
        size = as_size(entry.get("height"), entry.get("width"))
        if size is None or not _are_names(files):
            builder.report.add("clip without frames or size", f"video {video}")
            return
        if video in self.lengths:
            builder.report.add("clip whose id occurs twice", f"video {video}")
            return
        absent, partial = (
            self.numbers.add_all(entry.get(f"{kind}_category_ids"))
            for kind in ("neg", "not_exhaustive")
        )
        self.lengths[video] = len(files)
        for number, file in enumerate(files):
            builder.add_image((video, number), file, size, absent=absent, partial=partial)
            builder.add_expressions(entry.get("expressions") or ())

    def knows_video(self, entry: Any) -> bool:
        """Return whether the clip of an annotation was added already."""
        match entry:
            case {"video_id": int() | str() as video}:
                return video in self.lengths
        return False

    def add_track(self, entry: Json) -> None:
        """Add an object: in each frame what is seen of it."""
        video, self.num_tracks = entry.get("video_id"), self.num_tracks + 1
        masks, boxes = entry.get("segmentations"), entry.get("bboxes")
        length, label = self.lengths.get(video), self.numbers.add(entry.get("category_id"))
        for values in (masks, boxes):
            if length is not None and values is not None and len(values) != length:
                where = f"annotation {entry.get('id')}"
                self.builder.report.add("track of another length than its clip", where)
                self.builder.add_object((video, 0), label, None, crowd=True)  # left out
                return
        frames = length or 1
        for number in range(frames):
            mask, box = _at(masks, number), _at(boxes, number)
            if not mask and not box and length is not None:
                continue
            self.builder.add_object(
                (video, number),
                label,
                box_of({"bbox": box}) if box else box_around(mask),
                segmentation=mask,
                crowd=bool(entry.get("iscrowd")),
                track=self.num_tracks,
            )


def _are_names(files: Any) -> TypeGuard[list[str]]:
    return isinstance(files, list) and bool(files) and all(isinstance(one, str) for one in files)


def _at(values: Sequence[Any] | None, number: int) -> Any:
    return values[number] if values and number < len(values) else None


def box_around(mask: Any) -> tuple[float, float, float, float] | None:
    """Return the box of a mask; None if it cannot be had."""
    match mask:
        case {"size": [int(height), int(width)]}:
            try:
                rle = unpack_segmentation(pack_segmentation(mask), (height, width))
                check_rle(rle)
            except ValueError:
                return 0, 0, width, height  # the mask is reported, not its box
            x1, y1, x2, y2 = masks_to_boxes([rle])[0].tolist()
            return x1, y1, x2, y2
    return None
