"""Pascal VOC's XML files: one for each image (Everingham et al., IJCV 2010)."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from glee.data.readers.builder import Box, IndexBuilder, IndexOptions
from glee.data.readers.columns import Numbering
from glee.data.readers.index import ImageIndex, read_size
from glee.data.report import Report
from glee.data.schema import BadSampleError

SPLITS = ("train", "valid", "val", "test")

IMAGE_FOLDERS = ("", "../JPEGImages", "../images")
"""Where the image of an XML file may be."""


def voc_splits(folder: Path) -> dict[str, list[Path]]:
    """Return the XML files of each split; empty if there are no splits.

    Splits are the lists in `ImageSets/Main`, or folders of their names.
    """
    lists = folder / "ImageSets" / "Main"
    found = {}
    for split in SPLITS:
        if (path := lists / f"{split}.txt").is_file():
            stems = [line.split()[0] for line in path.read_text().splitlines() if line.strip()]
            found[split] = [folder / "Annotations" / f"{stem}.xml" for stem in stems]
        elif not lists.is_dir() and (folder / split).is_dir():
            found[split] = sorted((folder / split).rglob("*.xml"))
    return {split: files for split, files in found.items() if files}


def read_voc(files: list[Path], folder: Path, *, fail_fast: bool = False) -> ImageIndex:
    """Read images with annotations in XML files.

    files      the XML files
    folder     where they are; the names of all of them are the names of these samples
    fail_fast  raise ValueError at the first bad entry

    Objects marked as difficult are left out like crowds. Corners count pixels from 1 and include
    the last, as in VOC's own files.
    """
    builder = IndexBuilder(folder, IndexOptions(keep_empty=True), Report(fail_fast))
    names = Numbering(sorted({n for path in folder.rglob("*.xml") for n in _names(path)}))
    for path in files:
        root = _parse(path)
        image = None if root is None else _image_of(path, root)
        if root is None or image is None:
            fault = "XML file that cannot be read" if root is None else "XML file without image"
            builder.report.add(fault, str(path))
            continue
        try:
            size = read_size(image)  # those in XML files are often wrong or 0
        except BadSampleError:
            builder.report.add("image that cannot be opened", str(image))
            continue
        builder.add_image(str(path), str(image.relative_to(folder)), size)
        for one in root.iter("object"):
            label = names.find((one.findtext("name") or "").strip())
            crowd = (one.findtext("difficult") or "0").strip() == "1"
            builder.add_object(str(path), label, _box(one), crowd=crowd)
    found = tuple(str(name) for name in names)
    return builder.finish(found, range(len(found)))


def _names(path: Path) -> Iterator[str]:
    root = _parse(path)
    for one in () if root is None else root.iter("object"):
        if name := (one.findtext("name") or "").strip():
            yield name


def _parse(path: Path) -> ElementTree.Element | None:
    try:
        return ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError):
        return None


def _image_of(path: Path, root: ElementTree.Element) -> Path | None:
    """Find the image that an XML file is about."""
    name = Path((root.findtext("filename") or "").strip()).name or f"{path.stem}.jpg"
    for place in IMAGE_FOLDERS:
        folder = path.parent if not place else path.parent.parent / Path(place).name
        for file in (name, f"{path.stem}.jpg", f"{path.stem}.png"):
            if (folder / file).is_file():
                return folder / file
    return None


def _box(one: ElementTree.Element) -> Box | None:
    try:
        x1, y1, x2, y2 = (
            float(one.findtext(f"bndbox/{key}") or "nan")
            for key in ("xmin", "ymin", "xmax", "ymax")
        )
    except ValueError:
        return None
    return x1 - 1, y1 - 1, x2, y2
