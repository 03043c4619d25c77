"""Label maps: which object covers each pixel of each frame, as rows of predictions hold them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from glee.data.readers.mask_folders import read_index_picture
from glee.ops.masks import decode_rle, encode_rle

LabelMaps = NDArray[np.uint8]

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

    Raises ValueError for masks of another size and for numbers that are no objects.
    """
    labels = np.zeros((len(frames), *size), np.uint8)
    places = {name: place for place, name in enumerate(row["frames"])}
    for number, masks in row["objects"].items():
        if not 1 <= int(number) <= MOST_OBJECTS:
            raise ValueError(
                f"video {row['video']!r} has object {number}; numbers are 1..{MOST_OBJECTS}"
            )
        for frame, name in enumerate(frames):
            if name in places and (mask := masks[places[name]]) is not None:
                labels[frame][_decode(mask, size, row["video"], name)] = int(number)
    return labels, sum(name not in places for name in frames)


def _decode(
    mask: Mapping[str, Any], size: tuple[int, int], video: str, frame: str
) -> NDArray[np.bool_]:
    if tuple(mask["size"]) != size:
        raise ValueError(
            f"video {video!r}, frame {frame!r} has a mask of size {list(mask['size'])}, but its "
            f"frames are {list(size)} (height, width); give masks in original pixels"
        )
    pixels: NDArray[np.bool_] = decode_rle([{"size": list(size), "counts": mask["counts"]}], size)[
        0
    ].numpy()
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
