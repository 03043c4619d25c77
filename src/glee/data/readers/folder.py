"""A user's own folder: COCO, YOLO or Pascal VOC, told apart by the files in it."""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Literal

from glee.data.readers.builder import IndexOptions
from glee.data.readers.coco import read_coco
from glee.data.readers.index import ImageIndex
from glee.data.readers.json_stream import iterate_entries
from glee.data.readers.voc import read_voc, voc_splits
from glee.data.readers.yolo import read_yolo, yolo_file, yolo_splits

Format = Literal["coco", "yolo", "voc"]

SPLITS = {"train": "train", "valid": "val", "val": "val", "test": "test"}
"""Words in the names of files and folders, and the split that each means."""

WHOLE = "all"
"""The split of a folder that is not split."""

DEPTH = 3
"""How many folders deep files are looked for."""

TRIED = 20
"""Images by which the folder of images is found; some may be missing."""

LAYOUTS = (
    "expected COCO (a JSON file with images, annotations and categories), YOLO (data.yaml or "
    "classes.txt, with images and labels) or Pascal VOC (XML files)"
)


def read_folder(folder: Path, *, fail_fast: bool = False) -> dict[str, ImageIndex]:
    """Read a folder of annotated images.

    folder     in one of the formats of `detect_format`
    fail_fast  raise ValueError at the first bad entry

    Returns the samples of each split: train, val and test as far as there are such, or "all".
    Images without objects are samples, which show none of the names.
    Raises FileNotFoundError without the folder, ValueError if its format is not known.
    """
    kind = detect_format(folder)
    if kind == "coco":
        return _read_all_coco(folder, fail_fast)
    if kind == "yolo":
        splits = yolo_splits(folder) or {WHOLE: folder / "images"}
        file = yolo_file(folder)
        assert file is not None  # that is what tells the format
        return {
            SPLITS.get(name, name): read_yolo(images, file, fail_fast=fail_fast)
            for name, images in splits.items()
        }
    lists = voc_splits(folder) or {WHOLE: sorted(folder.rglob("*.xml"))}
    return {
        SPLITS.get(name, name): read_voc(files, folder, fail_fast=fail_fast)
        for name, files in lists.items()
    }


def detect_format(folder: Path) -> Format:
    """Tell the format of a folder of annotated images.

    Raises FileNotFoundError without the folder, ValueError if it is in none that is known.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"folder {str(folder)!r} not found")
    if any(True for _ in _coco_files(folder)):
        return "coco"
    if yolo_file(folder) is not None:
        return "yolo"
    if next(folder.rglob("*.xml"), None) is not None:
        return "voc"
    raise ValueError(f"the annotation in {str(folder)!r} is in no known format; {LAYOUTS}")


def _read_all_coco(folder: Path, fail_fast: bool) -> dict[str, ImageIndex]:
    found: dict[str, ImageIndex] = {}
    for path in _coco_files(folder):
        split = _split_of(path.relative_to(folder))
        if split in found:
            raise ValueError(
                f"{str(path)!r} is not the only COCO file for {split!r} in {str(folder)!r}; keep "
                "one for each of train, val and test"
            )
        found[split] = read_coco(
            path,
            _image_folder(path, folder),
            options=IndexOptions(keep_empty=True),
            fail_fast=fail_fast,
        )
    return found


def _coco_files(folder: Path) -> Iterator[Path]:
    """Find the JSON files that have the parts of COCO's."""
    for path in sorted(folder.rglob("*.json")):
        if len(path.relative_to(folder).parts) > DEPTH:
            continue
        with path.open(encoding="utf-8", errors="replace") as file:
            start = file.read(2**16)
        if '"images"' in start or '"annotations"' in start:
            yield path


def _split_of(path: Path) -> str:
    """Tell the split by the words in the name of a file, else in those of its folders."""
    for part in reversed(path.parts):
        for word, split in SPLITS.items():
            if word in part.lower():
                return split
    return WHOLE


def _image_folder(annotations: Path, folder: Path) -> Path:
    """Find the folder that file names are relative to, by the first image that is there.

    Images of different splits may have the same names: folders of the same split, and near to the
    annotation, are looked at first.
    """
    entries = (entry for part, entry in iterate_entries(annotations) if part == "images")
    named = (entry.get("file_name") for entry in entries if isinstance(entry, Mapping))
    names = list(islice((name for name in named if isinstance(name, str) and name), TRIED))
    if not names:
        return annotations.parent
    split = _split_of(annotations.relative_to(folder))

    def distance(place: Path) -> tuple[int, bool, Path]:
        own = _split_of(place.relative_to(folder))
        other = 0 if own == split else 1 if own == WHOLE else 2
        return other, not place.is_relative_to(annotations.parent), place

    inside = (path for path in folder.rglob("*") if path.is_dir())
    near = [path for path in inside if len(path.relative_to(folder).parts) <= DEPTH]
    places = sorted((folder, *near), key=distance)
    for name in names:
        for place in places:
            if (place / name).is_file():
                return place
    raise FileNotFoundError(
        f"image {names[0]!r} of {str(annotations)!r} was not found in {str(folder)!r} or a folder "
        f"in it, nor were the next {len(names) - 1}"
    )
