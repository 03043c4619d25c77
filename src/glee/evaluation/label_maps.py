"""Label maps: which object covers each pixel of each frame, as rows of predictions hold them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from glee.data.readers.mask_folders import read_index_picture
from glee.evaluation.coco_json import MOST_PIXELS
from glee.evaluation.mask_json import read_mask, require_filled
from glee.evaluation.records import RecordError, listed, mapped, shown, whole
from glee.ops.masks import Rle, decode_rle, encode_rle

LabelMaps = NDArray[np.uint8]

DIGITS = 3
MOST_OBJECTS = 254
"""Numbers that a picture of one byte a pixel has for objects; 0 is background, 255 void."""


def label_row(video: str, frames: Sequence[str], labels: LabelMaps) -> dict[str, Any]:
    """Return label maps as one entry of predictions.

    frames  T names
    labels  [T, H, W], 0 background
    """
    numbers = [int(one) for one in np.unique(labels) if one]
    objects = {str(number): encode_rle(torch.from_numpy(labels == number)) for number in numbers}
    return {
        "video": video,
        "frames": list(frames),
        "size": list(labels.shape[1:]),
        "objects": objects,
    }


def row_labels(
    row: Mapping[str, Any], frames: Sequence[str], size: tuple[int, int]
) -> tuple[LabelMaps, int]:
    """Return the label maps of an entry in some frames, and how many of these it does not have.

    frames  T names
    size    (height, width) of the video
    Returns [T, H, W]; frames that the entry lacks show nothing.

    Raises RecordError for masks of another size, for numbers that are no objects and for parts that
    are missing or wrong.
    """
    where = row_place(row)
    labels = np.zeros((len(frames), *size), np.uint8)
    places = {name: place for place, name in enumerate(row_frames(row))}
    for number, masks in row_objects(row).items():
        if not (number.isdecimal() and len(number) <= DIGITS and 1 <= int(number) <= MOST_OBJECTS):
            raise RecordError(
                where, f"has object {shown(repr(number))}; numbers are 1..{MOST_OBJECTS}"
            )
        for frame, name in enumerate(frames):
            if name in places and (mask := masks[places[name]]) is not None:
                place = f"{where}, object {number}, frame {name!r}"
                labels[frame][_decode(mask, size, place)] = int(number)
    return labels, sum(name not in places for name in frames)


def row_place(row: Mapping[str, Any]) -> str:
    """Return what messages call an entry."""
    return f"predictions of video {shown(repr(row.get('video')))}"


def row_frames(row: Mapping[str, Any]) -> list[str]:
    """Return the names of the frames of an entry; raise RecordError unless they are texts."""
    frames = listed(row, "frames", row_place(row))
    if not all(isinstance(one, str) for one in frames) or len(set(frames)) < len(frames):
        raise RecordError(row_place(row), "must have frames of different names")
    return frames


def row_size(row: Mapping[str, Any]) -> tuple[int, int]:
    """Return the (height, width) of an entry; raise RecordError if it is none."""
    where, size = row_place(row), listed(row, "size", row_place(row))
    if len(size) != len("HW"):
        raise RecordError(where, f"has size {shown(repr(size))}; give [height, width]")
    height, width = (whole({"size": one}, "size", where, least=1) for one in size)
    if height * width > MOST_PIXELS:
        raise RecordError(where, f"has size {size}, more than {MOST_PIXELS} pixels")
    return height, width


def row_objects(row: Mapping[str, Any]) -> Mapping[str, list[Any]]:
    """Return the masks of each object of an entry, None where it is absent.

    Raises RecordError for an object that has not one entry for each frame.
    """
    where, objects = row_place(row), mapped(row, "objects", row_place(row))
    length = len(row_frames(row))
    for name in objects:
        if len(listed(objects, name, f"{where}, object")) != length:
            raise RecordError(
                where,
                f"has {len(objects[name])} masks of object {shown(name)} for {length} frames; give "
                "null where it is absent",
            )
    return objects


def _decode(mask: object, size: tuple[int, int], where: str) -> NDArray[np.bool_]:
    """Return the pixels [H, W] of a mask; raise RecordError for one of another size or form."""
    counts = read_mask(mask, np.array(size, dtype=np.int64), where)
    require_filled([counts], np.array([size], dtype=np.int64), lambda _: where)
    packed = Rle(size=list(size), counts=counts.decode("ascii"))
    pixels: NDArray[np.bool_] = decode_rle([packed], size)[0].numpy()
    return pixels


def read_label_folder(folder: Path) -> tuple[list[str], LabelMaps]:
    """Read the index pictures of one video, in the order of their names.

    Returns the names of the frames, and [T, H, W].
    Raises ValueError for pictures that are damaged or of different sizes.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix == ".png")
    pictures = [read_index_picture(path) for path in files]
    if len({picture.shape for picture in pictures}) > 1:
        raise ValueError(f"the pictures in {folder} are of different sizes")
    labels = np.stack(pictures) if pictures else np.zeros((0, 0, 0), np.uint8)
    return [path.stem for path in files], labels


def read_label_folders(path: Path) -> Iterator[dict[str, Any]]:
    """Yield stored predictions: a folder of index pictures for each video.

    path  holds these folders, itself or in a folder Annotations

    Raises NotADirectoryError if it is no folder.
    """
    if not path.is_dir():
        raise NotADirectoryError(f"{path} is no folder; give the one that holds a folder per video")
    root = path / "Annotations" if (path / "Annotations").is_dir() else path
    for folder in sorted(one for one in root.iterdir() if one.is_dir()):
        yield label_row(folder.name, *read_label_folder(folder))
