"""Visual Genome's own files: objects and region descriptions (arXiv:1602.07332)."""

from functools import partial
from pathlib import Path

from glee.data.readers.builder import IndexBuilder, IndexOptions
from glee.data.readers.coco import Json, box_of
from glee.data.readers.index import ImageIndex, as_size
from glee.data.readers.json_stream import iterate_entries
from glee.data.readers.phrases import Phrases
from glee.data.report import Report


def read_visual_genome(
    annotations: Path, image_data: Path, images: Path, *, fail_fast: bool = False
) -> ImageIndex:
    """Read the objects, or the regions, of Visual Genome.

    annotations  `objects.json` or `region_descriptions.json`
    image_data   `image_data.json`, with the sizes of the images
    images       the folder that holds `VG_100K` and `VG_100K_2`
    fail_fast    raise ValueError at the first bad entry

    Of several names of one object the first counts. Which of the phrases of other images fit this
    one too is not known; they are taken not to. The files of one phrase for each annotation that
    GLEE's authors made of these are for `read_phrases`.
    Raises FileNotFoundError without a file, ValueError if it is not such JSON.
    """
    options = IndexOptions(coverage="anything")
    builder, phrases = IndexBuilder(images, options, Report(fail_fast)), Phrases()

    def add_image(entry: Json) -> None:
        size = as_size(entry["height"], entry["width"])
        if size is None:
            raise TypeError("an image must have a size")
        file = "/".join(entry["url"].split("/")[-2:])
        builder.add_image(entry["image_id"], file, size)

    def add_objects(entry: Json) -> None:
        # Objects have `image_id` and w, h; regions `id` and width, height.
        image_id = entry.get("image_id", entry.get("id"))
        for one in (*entry.get("objects", ()), *entry.get("regions", ())):
            builder.attempt(partial(add_object, image_id), one)

    def add_object(image_id: object, one: Json) -> None:
        box = [one.get("x"), one.get("y"), *_sides(one)]
        phrase = one.get("phrase", next(iter(one.get("names", ())), None))
        builder.add_object(image_id, phrases.add(phrase), box_of({"bbox": box}))

    for _, entry in iterate_entries(image_data):
        builder.attempt(add_image, entry)
    for _, entry in iterate_entries(annotations):
        builder.attempt(add_objects, entry)
    return phrases.finish(builder)


def _sides(entry: Json) -> tuple[object, object]:
    return entry.get("w", entry.get("width")), entry.get("h", entry.get("height"))
