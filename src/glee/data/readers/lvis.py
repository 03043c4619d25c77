"""LVIS: COCO's format where each image is annotated for some names only (arXiv:1908.03195)."""

from collections.abc import Callable
from pathlib import Path

from glee.data.readers.builder import IndexBuilder, IndexOptions
from glee.data.readers.coco import Json, add_image, fill, name_categories
from glee.data.readers.columns import Numbering
from glee.data.readers.index import ImageIndex
from glee.data.report import Report


def read_lvis(
    annotations: Path,
    images: Path,
    *,
    federated: bool = True,
    file_of: Callable[[Json], str] | None = None,
    fail_fast: bool = False,
) -> ImageIndex:
    """Read the annotated images of LVIS.

    annotations  `lvis_v1_train.json` or one like it
    images       the folder that holds `train2017` and `val2017`
    federated    what an image is not annotated for counts as unknown, but for the names that were
                 verified absent; without it as absent, as GLEE was trained (all but the names
                 said to be annotated in part)
    file_of      how the file of an image entry is called; the end of its `coco_url` if not given
    fail_fast    raise ValueError at the first bad entry

    Raises FileNotFoundError without the file, ValueError if it is not such JSON.
    """
    options = IndexOptions(coverage="present" if federated else "listed")
    builder = IndexBuilder(images, options, Report(fail_fast))
    numbers = Numbering()
    categories = fill(
        builder,
        annotations,
        add_image=lambda entry: add_image(
            builder,
            entry,
            file_of or file_in_coco,
            absent=numbers.add_all(entry.get("neg_category_ids")),
            partial=numbers.add_all(entry.get("not_exhaustive_category_ids")),
        ),
        label_of=lambda entry: numbers.add(entry.get("category_id")),
    )
    return builder.finish(*name_categories(categories, numbers))


def file_in_coco(entry: Json) -> str:
    """Return folder and file of an image, which LVIS gives in its address only."""
    return "/".join(entry["coco_url"].split("/")[-2:])
