"""The folder that glee predict fills: pictures, and predictions.json in COCO format."""

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from glee.cli.inputs import exists
from glee.files import replacing

if TYPE_CHECKING:
    from PIL import Image

    from glee.coco_file import CocoFile

REPORT = "predictions.json"

# What our files say about themselves, and how the report begins therefore.
DESCRIPTION = "glee predict"
BEGINNING = json.dumps({"info": {"description": DESCRIPTION}}).rstrip("}")


def choose_targets(images: Sequence[Path], out: Path) -> list[Path]:
    """Return the picture to write for each image; images of one name do not share it."""
    taken: set[str] = set()
    targets = []
    for path in images:
        name, number = path.stem, 1
        while name.casefold() in taken:  # some systems take cat.png and Cat.png for one file
            number += 1
            name = f"{path.stem}_{number}"
        taken.add(name.casefold())
        targets.append(out / f"{name}.png")
    return targets


def check_targets(
    out: Path, pictures: Sequence[Path], inputs: Sequence[Path], *, force: bool
) -> None:
    """Refuse to write over what is read, or over files that no earlier run has written.

    Raises ValueError for these, and for a file in the place of the folder.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out {out} is a file; give a folder")
    read = {_identity(path.expanduser()) for path in inputs if exists(path)}
    existing = [path for path in (out / REPORT, *pictures) if exists(path)]
    for path in existing:
        if _identity(path) in read:
            raise ValueError(f"{path} is read and would be replaced; give another folder by --out")
    foreign = [path for path in existing if not _is_ours(path)]
    if foreign and not force:
        raise ValueError(
            f"{foreign[0]} exists and is not of an earlier run; give another folder by --out, or "
            "--force to replace it"
        )


@contextmanager
def writable_folder(out: Path) -> Iterator[None]:
    """Make a folder if there is none, and try to write to it; a new one that stays empty goes.

    Raises OSError if nothing can be written.
    """
    is_new = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise OSError(f"cannot write to --out {out}: {error.strerror or error}") from error
    try:
        yield
    finally:
        if is_new:
            with suppress(OSError):  # it is not empty, as it should be
                out.rmdir()


def write_picture(picture: "Image.Image", path: Path) -> None:
    """Write a picture that says of itself that this command wrote it."""
    from PIL.PngImagePlugin import PngInfo  # noqa: PLC0415  # not to be waited for by --help

    about = PngInfo()
    about.add_text("Software", DESCRIPTION)
    with replacing(path) as beside:
        picture.save(beside, format="PNG", pnginfo=about)


def write_report(report: "CocoFile", out: Path) -> None:
    """Write what was found, and say where it is."""
    with replacing(out / REPORT) as beside:
        beside.write_text(json.dumps(report.to_json()))
    print(f"pictures and {REPORT} are in {out}", file=sys.stderr)


def _identity(path: Path) -> tuple[int, int]:
    """Return what tells files apart whatever their paths, links and letter case."""
    facts = path.stat()
    return facts.st_dev, facts.st_ino


def _is_ours(path: Path) -> bool:
    """Return whether a file says of itself that this command wrote it."""
    if path.name == REPORT:
        with path.open("rb") as file:
            return file.read(len(BEGINNING)) == BEGINNING.encode()
    from PIL import Image  # noqa: PLC0415  # only where there are files to be looked at

    try:
        with Image.open(path) as picture:
            return picture.info.get("Software") == DESCRIPTION
    except (OSError, ValueError, Image.DecompressionBombError):
        return False
