"""YOLO's text files: a line for each object, with a box or a polygon in shares of the image."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glee.data.readers.builder import Box, IndexBuilder, IndexOptions
from glee.data.readers.index import ImageIndex, read_size
from glee.data.readers.lazy import find_images
from glee.data.report import Report
from glee.data.schema import BadSampleError

NAME_FILES = ("*.yaml", "*.yml", "classes.txt", "obj.names")

PLAIN = (".txt", ".names")

MOST_NAMES = 100_000

SPLIT_KEYS = ("train", "val", "test")

BOX_NUMBERS = 4


def yolo_file(folder: Path) -> Path | None:
    """Return the file in a folder that lists the names, None if there is none."""
    for pattern in NAME_FILES:
        for path in sorted(folder.glob(pattern)):
            if path.suffix in PLAIN or "names" in _read_yaml(path):
                return path
    return None


def yolo_splits(folder: Path) -> dict[str, Path]:
    """Return the folder, or the list, of the images of each split; empty if there are no splits.

    Raises FileNotFoundError if a folder or list that `data.yaml` names is not there.
    """
    path = yolo_file(folder)
    if path is None or path.suffix in PLAIN:
        found = {key: folder / "images" / key for key in SPLIT_KEYS}
        return {key: images for key, images in found.items() if images.is_dir()}
    data = _read_yaml(path)
    return {key: _find(str(data[key]), data, folder) for key in SPLIT_KEYS if data.get(key)}


def read_yolo(images: Path, names_file: Path, *, fail_fast: bool = False) -> ImageIndex:
    """Read images with YOLO's labels, boxes or polygons.

    images      the folder of the images, or a text file that lists them; their labels stand in
                a folder `labels` in the place of `images`, or beside them
    names_file  `data.yaml` with `names`, or a text file with a name in each line
    fail_fast   raise ValueError at the first bad entry

    Raises FileNotFoundError if there are no images.
    """
    names = _read_names(names_file)
    builder = IndexBuilder(Path("/"), IndexOptions(keep_empty=True), Report(fail_fast))
    for path in _list_images(images):
        try:
            height, width = read_size(path)
        except BadSampleError:
            builder.report.add("image that cannot be opened", str(path))
            continue
        builder.add_image(str(path), str(path), (height, width))
        for line in _read_lines(_labels_of(path), builder.report):
            _add_line(builder, str(path), line, (height, width))
    return builder.finish(names, range(len(names)))


def _read_lines(labels: Path, report: Report) -> list[str]:
    """Return the lines of a label file that say something; none if there is no file."""
    try:
        return [line for line in labels.read_text(encoding="utf-8").splitlines() if line.strip()]
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError):
        report.add("label file that is no text", str(labels))
        return []


def _add_line(builder: IndexBuilder, image: str, line: str, size: tuple[int, int]) -> None:
    """Add the object of a line: class cx cy w h, or class x1 y1 x2 y2 x3 y3..."""
    height, width = size
    try:
        first, *rest = line.split()
        label, shares = int(first), [float(word) for word in rest]
    except ValueError:
        builder.add_object(image, None, (0, 0, width, height))
        return
    numbers = [share * (height if n % 2 else width) for n, share in enumerate(shares)]
    polygon = numbers if len(numbers) > BOX_NUMBERS else None
    box: Box | None = None
    if len(numbers) == BOX_NUMBERS:
        x, y, w, h = numbers
        box = x - w / 2, y - h / 2, x + w / 2, y + h / 2
    elif polygon:
        xs, ys = polygon[::2], polygon[1::2]
        box = min(xs), min(ys), max(xs), max(ys)
    builder.add_object(image, label, box, segmentation=polygon and [polygon])


def _list_images(images: Path) -> list[Path]:
    if images.is_file():
        base = images.parent
        return [base / line for line in images.read_text().splitlines() if line.strip()]
    found = find_images(images)
    return [images.absolute() / found[n] for n in range(len(found))]


def _labels_of(image: Path) -> Path:
    """Return the file of the labels of an image: `images` becomes `labels`, the last such."""
    parts = list(image.parts)
    if "images" in parts:
        parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
    return Path(*parts).with_suffix(".txt")


def _read_names(path: Path) -> tuple[str, ...]:
    if path.suffix in PLAIN:
        return tuple(line.strip() for line in path.read_text().splitlines() if line.strip())
    names = _read_yaml(path)["names"]
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, Mapping) or not all(
        isinstance(key, int) and 0 <= key < MOST_NAMES and isinstance(name, str | int | float)
        for key, name in names.items()
    ):
        raise ValueError(
            f"names in {str(path)!r} must be a list of names, or names by numbers from 0 below "
            f"{MOST_NAMES}"
        )
    return tuple(str(names.get(n, f"class {n}")) for n in range(max(names, default=-1) + 1))


def _find(place: str, data: Mapping[str, Any], folder: Path) -> Path:
    """Find what `data.yaml` calls train, val or test."""
    # Exports write "../train/images" and mean "train/images".
    ends = place.removeprefix("../")
    tries = [folder / str(data.get("path", "")) / place, folder / place, folder / ends]
    for path in tries:
        if path.exists():
            return path
    raise FileNotFoundError(f"{place!r} of {str(folder)!r} not found; looked at {str(tries[-1])!r}")


def _read_yaml(path: Path) -> Mapping[str, Any]:
    import yaml  # noqa: PLC0415  # only for data sets in this format

    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{str(path)!r} is not YAML: {error}") from error
    return data if isinstance(data, Mapping) else {}
