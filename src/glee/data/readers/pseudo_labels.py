"""Boxes that a detector has made, with scores, and the names that it is sure are not there."""

from pathlib import Path

from glee.data.readers.builder import IndexBuilder, IndexOptions
from glee.data.readers.coco import Json, add_image, fill, name_categories
from glee.data.readers.columns import Numbering
from glee.data.readers.index import ImageIndex
from glee.data.report import Report


def read_pseudo_labels(
    annotations: Path, images: Path, *, least_score: float, fail_fast: bool = False
) -> ImageIndex:
    """Read photos that were annotated by a detector, such as by `tools/make_pseudo_labels.py`.

    annotations  COCO's format: boxes have a `score`, images list in `neg_category_ids` the names
                 that the detector sees no trace of
    images       the folder that `file_name` is relative to
    least_score  0..1, of the boxes that become objects. Where others are less sure, their name is
                 one of which only some objects are annotated
    fail_fast    raise ValueError at the first bad entry

    All samples are marked as made by a machine. No name is taught to be absent but those listed,
    not even around sure boxes, since a detector finds only some of the objects.
    Raises FileNotFoundError without the file, ValueError if it is not such JSON.
    """
    options = IndexOptions(coverage=frozenset(), machine_made=True, keep_empty=True)
    builder, numbers = IndexBuilder(images, options, Report(fail_fast)), Numbering()

    def add(entry: Json) -> bool:
        absent = numbers.add_all(entry.get("neg_category_ids"))
        return add_image(builder, entry, absent=absent)

    categories = fill(
        builder,
        annotations,
        add_image=add,
        label_of=lambda entry: numbers.add(entry.get("category_id")),
        left_out=lambda entry: entry.get("score", 0) < least_score,
    )
    return builder.finish(*name_categories(categories, numbers))
