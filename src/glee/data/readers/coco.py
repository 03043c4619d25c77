"""COCO's JSON: COCO, Objects365, BDD100K, UVO's frames, ODinW, and what people make themselves."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from glee.data.readers.builder import Box, IndexBuilder, IndexOptions
from glee.data.readers.columns import Numbering
from glee.data.readers.index import ImageIndex, as_box, as_size, read_size
from glee.data.readers.json_stream import iterate_entries
from glee.data.report import Report
from glee.data.schema import BadSampleError

Json = Mapping[str, Any]

CROWD_WORDS = ("iscrowd", "ignore", "IsGroupOf")
"""What says that an annotation is of no single object: COCO's, BDD100K's and Open Images'."""


def read_coco(
    annotations: Path,
    images: Path,
    *,
    options: IndexOptions | None = None,
    one_name: str | None = None,
    file_of: Callable[[Json], str] | None = None,
    fail_fast: bool = False,
) -> ImageIndex:
    """Read the annotated images of a file in COCO's format.

    annotations  the JSON file, with boxes xywh in pixels and, or not, polygons or run lengths
    images       the folder that `file_name` is relative to
    options      what holds for all samples
    one_name     what all objects are called, for annotations without classes such as UVO's; the
                 file's own names if not given
    file_of      how the file of an image entry is called; its `file_name` if not given
    fail_fast    raise ValueError at the first bad entry

    Names come in the order of their ids. Crowds, and what BDD100K marks as `ignore`, are left
    out; what is left out makes its name one of which not all objects of that image are annotated.
    Raises FileNotFoundError without the file, ValueError if it is not such JSON.
    """
    builder = IndexBuilder(images, options or IndexOptions(), Report(fail_fast))
    numbers = Numbering()
    categories = fill(
        builder,
        annotations,
        add_image=lambda entry: add_image(builder, entry, file_of),
        label_of=lambda entry: numbers.add(entry.get("category_id")),
    )
    names, rows = name_categories(categories, numbers)
    if one_name is not None:
        names, rows = (one_name,), [min(row, 0) for row in rows]
    return builder.finish(names, rows)


def last_two_parts(entry: Json) -> str:
    """Return folder and file of an image, for Objects365, whose file names have more folders."""
    return "/".join(Path(entry["file_name"]).parts[-2:])


def is_crowd(entry: Json) -> bool:
    """Return whether an annotation is of no single object."""
    return any(entry.get(word) for word in CROWD_WORDS)


def fill(
    builder: IndexBuilder,
    annotations: Path,
    *,
    add_image: Callable[[Json], object],
    label_of: Callable[[Json], int | None],
    left_out: Callable[[Json], bool] = is_crowd,
) -> list[Json]:
    """Pass all entries of a file in COCO's format to a builder; return its categories.

    add_image  adds an entry of `images`
    label_of   returns the number of the category, or of the phrase, of an entry of `annotations`,
              None if it has none
    left_out   says whether an entry of `annotations` is no object to learn from
    """
    categories: list[Json] = []

    def add_object(entry: Json) -> None:
        builder.add_object(
            entry.get("image_id"),
            label_of(entry),
            box_of(entry),
            segmentation=entry.get("segmentation"),
            crowd=left_out(entry),
        )

    for part, entry in iterate_entries(annotations):
        match part:
            case "categories":
                add_category(builder, categories, entry)
            case "images" if not isinstance(entry, Mapping) or "id" not in entry:
                builder.report.add("entry of images without an id", repr(entry)[:80])
            case "images":
                builder.attempt(add_image, entry)
            case "annotations":
                builder.attempt(add_object, entry)
    return categories


def add_category(builder: IndexBuilder, categories: list[Json], entry: Any) -> None:
    """Add an entry of `categories` to a list, if it has an id by which objects may name it."""
    if isinstance(entry, Mapping) and isinstance(entry.get("id"), int | str):
        categories.append(entry)
    else:
        builder.report.add("entry of categories without an id", repr(entry)[:80])


def add_image(
    builder: IndexBuilder,
    entry: Json,
    file_of: Callable[[Json], str] | None = None,
    *,
    absent: Iterable[int] = (),
    partial: Iterable[int] = (),
) -> bool:
    """Add an entry of `images` and return whether it could be.

    The file of one that does not say its size is opened for it.
    """
    file = file_of(entry) if file_of else str(entry.get("file_name", ""))
    size = as_size(entry.get("height"), entry.get("width"))
    if size is None:
        try:
            size = read_size(builder.folder / file)
        except BadSampleError:
            builder.report.add("image without a size", file)
            return False
    builder.add_image(entry["id"], file, size, absent=absent, partial=partial)
    return True


def box_of(entry: Json) -> Box | None:
    """Return the box of an annotation, xyxy in pixels; None if it is not four numbers."""
    if (box := as_box(entry.get("bbox"))) is None:
        return None
    left, top, width, height = box
    return left, top, left + width, top + height


def name_categories(
    categories: list[Json], numbers: Numbering
) -> tuple[tuple[str, ...], list[int]]:
    """Return the names in the order of their ids, and the row of the name of each number.

    numbers  of the ids that objects name; -1 stands for one that is no category
    """
    ordered = sorted(categories, key=lambda one: (isinstance(one["id"], str), one["id"]))
    names = tuple(dict.fromkeys(str(category.get("name", category["id"])) for category in ordered))
    row_of = {
        category["id"]: names.index(str(category.get("name", category["id"])))
        for category in ordered
    }
    return names, [row_of.get(key, -1) for key in numbers]
