"""YouTube-VIS' JSON of a video: its results, and the annotation file of a COCO video data set."""

import json
from collections.abc import Iterator
from typing import IO, Any

from glee.video.source import SourceInfo, stem_of
from glee.video.writers.journal import Journal

HELD = 64_000_000  # characters of masks held at once; more tracks take further passes

VIDEO_ID = 1


def write_results(file: IO[str], journal: Journal, info: SourceInfo) -> None:
    """Write a list of tracks: video_id, category_id, score, and segmentations of each frame."""
    del info
    _write_list(file, ({"video_id": VIDEO_ID} | track for track in _tracks(journal)))


def write_data_set(file: IO[str], journal: Journal, info: SourceInfo) -> None:
    """Write videos, categories and annotations, as data sets and annotation tools have them."""
    height, width = journal.image_size
    video = {
        "id": VIDEO_ID,
        "name": info.title,
        "height": height,
        "width": width,
        "length": len(journal.frames),
        "file_names": [f"{stem_of(info, index)}.jpg" for index in journal.frames],
    }
    categories = [{"id": n, "name": name} for n, name in enumerate(journal.names, start=1)]
    file.write('{"info":{"description":"glee track"},')
    file.write(f'"videos":{json.dumps([video])},"categories":{json.dumps(categories)},')
    file.write('"annotations":')
    facts = {"video_id": VIDEO_ID, "height": height, "width": width, "iscrowd": 0}
    tracks = enumerate(_tracks(journal), start=1)
    _write_list(file, ({"id": n} | facts | track | _areas(track) for n, track in tracks))
    file.write("}")


def _tracks(journal: Journal) -> Iterator[dict[str, Any]]:
    """Yield each track with one entry for each frame, None where it is not."""
    length = len(journal.frames)
    for numbers in _batches(journal):
        boxes: dict[int, list[Any]] = {number: [None] * length for number in numbers}
        masks: dict[int, list[Any]] = {number: [None] * length for number in numbers}
        for place, line in enumerate(journal.lines()):
            for one in line["objects"]:
                if (number := one["track_id"]) in boxes:
                    x1, y1, x2, y2 = one["box"]
                    boxes[number][place] = [x1, y1, x2 - x1, y2 - y1]
                    masks[number][place] = one.get("mask")
        for number in numbers:
            yield {
                "category_id": journal.category(number),
                "track_id": number,
                "score": journal.tracks[number].mean_score,
                "segmentations": masks[number],
                "bboxes": boxes[number],
            }


def _areas(track: dict[str, Any]) -> dict[str, list[float | None]]:
    """Return the pixels of a track in each frame, of its boxes if there are no masks."""
    from pycocotools.mask import area  # noqa: PLC0415 - only for this format

    areas: list[float | None] = []
    for mask, box in zip(track["segmentations"], track["bboxes"], strict=True):
        whole = None if box is None else box[2] * box[3]
        areas.append(whole if mask is None else int(area(mask)))
    return {"areas": areas}


def _batches(journal: Journal) -> Iterator[list[int]]:
    """Yield numbers of tracks, as many at a time as may be held."""
    batch: list[int] = []
    held = 0
    for number, track in journal.tracks.items():
        if batch and held + track.size > HELD:
            yield batch
            batch, held = [], 0
        batch.append(number)
        held += track.size
    if batch:
        yield batch


def _write_list(file: IO[str], entries: Iterator[dict[str, Any]]) -> None:
    """Write a JSON list without holding it."""
    file.write("[")
    for number, entry in enumerate(entries):
        file.write(("," if number else "") + json.dumps(entry, separators=(",", ":")))
    file.write("]")
