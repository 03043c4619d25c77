"""Objects365 v2: COCO's format, with images in patches (ICCV 2019, "Objects365")."""

from pathlib import Path

from glee.data.readers.coco import last_two_parts, read_coco
from glee.data.readers.index import ImageIndex


def read_objects365(annotations: Path, images: Path, *, fail_fast: bool = False) -> ImageIndex:
    """Read the annotated images of Objects365 v2.

    annotations  `zhiyuan_objv2_train.json`, `zhiyuan_objv2_val.json`, or one made of these
    images       the folder that holds `patch0`, `patch1` and so on, for both versions of images
    fail_fast    raise ValueError at the first bad entry

    File names of the official files begin with folders that the archives do not have.
    Raises FileNotFoundError without the file, ValueError if it is not such JSON.
    """
    return read_coco(annotations, images, file_of=last_two_parts, fail_fast=fail_fast)
