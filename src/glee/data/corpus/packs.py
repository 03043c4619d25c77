"""The packs that the corpus is made of: their files, their rows, and what to do when they lack."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glee.data.corpus.words import HELD_OUT_WORDS


@dataclass(frozen=True, slots=True)
class Pack:
    """A folder of the corpus.

    files    what must be in it
    origin   where it comes from
    licence  under which terms
    """

    files: tuple[str, ...]
    origin: str
    licence: str


CUTOUT_SOURCES = {
    "caltech101": Pack(
        ("caltech101-00.tar", "caltech101-01.tar"),
        "Caltech-101 photos with machine-made mattes",
        "CC BY 4.0 by a re-hosted copy; rights of the photographers not cleared, do not pass on",
    ),
    "coco": Pack(
        ("coco-00.tar",),
        "objects of COCO 2017 photos, cut out along their masks",
        "CC BY 2.0, CC BY-SA 2.0 and no known restriction, as recorded for each photo",
    ),
    "tuxpaint": Pack(
        ("tuxpaint-00.tar",), "Debian package tuxpaint-stamps-default", "GPL-2 as a collection"
    ),
    "grocery": Pack(("grocery-00.tar",), "Grocery Store data set", "MIT"),
    "sweethome3d": Pack(
        ("sweethome3d-00.tar",),
        "renders of the 3D models in Debian package sweethome3d-furniture",
        "CC BY 3.0 and CC0",
    ),
    "fluent3d": Pack(
        ("fluent3d-00.tar",), "npm package @lobehub/fluent-emoji-3d 1.1.0", "MIT (Microsoft)"
    ),
}

PACKS = {
    "cutouts": Pack(
        (
            "index.jsonl",
            *(file for source in CUTOUT_SOURCES.values() for file in source.files),
        ),
        "objects with alpha from six sources; `docs/corpus.md` lists them",
        "that of each row's `licence`",
    ),
    "backgrounds": Pack(
        ("index.jsonl",),
        "COCO 2017 photos, Debian packages gnome-backgrounds, mate-backgrounds and "
        "plasma-workspace-wallpapers, Caltech-101",
        "CC BY 2.0, CC BY-SA 2.0, CC BY-SA 3.0, GPL-2+; that of each row's `licence`",
    ),
    "coco_photos": Pack(
        ("images", "instances_train.json", "persons.json", "machine_boxes.json"),
        "COCO 2017 photos with official masks and boxes, cocodataset.org",
        "annotations CC BY 4.0; photos CC BY 2.0, CC BY-SA 2.0 or no known restriction",
    ),
}

SHARES = {
    "caltech101": 0.30,
    "coco": 0.26,
    "sweethome3d": 0.26,
    "tuxpaint": 0.08,
    "grocery": 0.04,
    "fluent3d": 0.06,
}
"""Shares of the objects of a scene: photos more, and renders less, than there are of them."""

MAX_PICTURE_BYTES = 2**22
"""What one picture in a tar file may take."""


class MissingPackError(FileNotFoundError):
    """A pack of the corpus is not there, or not all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutout:
    """One object with alpha.

    shard, offset, size  where its picture lies: tar file, place in it and bytes
    name                 what it is called
    synonyms             other true names of it, some of them wider
    parent               a wider word, None if none is known
    source, kind         pack and sort: photo, render, emoji or drawing
    width, height        of its picture, in pixels
    model, yaw, pitch    of renders: the object, and from where it is seen, in degrees
    held_out             whether it is kept out of training
    truncated            whether the border of its photo cuts it
    """

    shard: str
    offset: int
    size: int
    name: str
    synonyms: tuple[str, ...]
    parent: str | None
    source: str
    kind: str
    width: int
    height: int
    model: str | None
    yaw: float
    pitch: float
    held_out: bool
    truncated: bool


@dataclass(frozen=True, slots=True)
class Background:
    """A picture to paste objects on.

    file    in the folder of backgrounds
    source  where it comes from
    """

    file: str
    source: str


def check_packs(root: Path, names: tuple[str, ...], *, allow_missing: bool = False) -> list[str]:
    """Return what is missing of some packs, a line each.

    Raises MissingPackError, with these lines, unless they may be missing; and in any case where
    nothing of a pack is there.
    """
    lines, empty = [], []
    for name in names:
        pack, folder = PACKS[name], root / name
        lacking = [file for file in pack.files if not (folder / file).exists()]
        if lacking:
            text = ", ".join(lacking)
            lines.append(f"{folder}: lacks {text}; from {pack.origin}; licence: {pack.licence}")
        for source in CUTOUT_SOURCES.values() if name == "cutouts" else ():
            if set(source.files) & set(lacking):
                files = ", ".join(source.files)
                lines.append(f"  {files}: {source.origin}; licence: {source.licence}")
        if pack.files[0] in lacking:
            empty.append(name)
    if empty or (lines and not allow_missing):
        advice = "see docs/corpus.md" + ("" if empty else ", or allow missing packs to go without")
        raise MissingPackError("packs are incomplete:\n" + "\n".join([*lines, advice]))
    return lines


def read_cutouts(root: Path, *, allow_missing: bool = False) -> tuple[Cutout, ...]:
    """Return the rows of the cut-outs under a root, those whose tar file is there.

    Raises MissingPackError for what is missing, unless it may be, and ValueError for an index
    whose rows do not fit.
    """
    check_packs(root, ("cutouts",), allow_missing=allow_missing)
    folder = root / "cutouts"
    present = {path.name for path in folder.glob("*.tar")}
    lines = _read_lines(folder / "index.jsonl")
    rows = (_cutout(entry, f"{folder / 'index.jsonl'}, line {n}") for n, entry in lines)
    return tuple(row for row in rows if row.shard in present)


def read_backgrounds(root: Path) -> tuple[Background, ...]:
    """Return the backgrounds under a root whose file is there.

    Raises MissingPackError without the pack, ValueError for an index whose rows do not fit.
    """
    check_packs(root, ("backgrounds",))
    folder = root / "backgrounds"
    rows = []
    for number, entry in _read_lines(folder / "index.jsonl"):
        file, source = entry.get("file"), entry.get("source")
        if not isinstance(file, str) or not isinstance(source, str) or Path(file).name != file:
            raise ValueError(
                f"{folder / 'index.jsonl'}, line {number}: file and source must be text, file "
                f"without folders; got {file!r} and {source!r}"
            )
        if (folder / file).exists():
            rows.append(Background(file, source))
    return tuple(rows)


def is_held_out(text: str) -> bool:
    """Return whether a name has one of the words that are kept out of training."""
    return any(word in text.lower() for word in HELD_OUT_WORDS)


def _read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                entry = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}, line {number} is not JSON: {error}") from error
            if not isinstance(entry, dict):
                raise ValueError(f"{path}, line {number} is not an object of JSON")
            yield number, entry


def _cutout(entry: dict[str, Any], where: str) -> Cutout:
    try:
        shard, name = str(entry["shard"]), str(entry["name"])
        offset, size = int(entry["offset"]), int(entry["bytes"])
        width, height = int(entry["width"]), int(entry["height"])
        source, kind = str(entry["source"]), str(entry["kind"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{where}: shard, offset, bytes, name, source, kind, width or height: {error!r}"
        ) from error
    if Path(shard).name != shard or offset < 0 or not 0 < size <= MAX_PICTURE_BYTES:
        raise ValueError(
            f"{where}: shard must be a file without folders and bytes in 1..{MAX_PICTURE_BYTES}, "
            f"got {shard!r} and {size}"
        )
    synonyms, parent = tuple(map(str, entry.get("synonyms") or ())), entry.get("parent")
    held_out = bool(entry.get("heldout"))
    return Cutout(
        shard=shard,
        offset=offset,
        size=size,
        name=name,
        synonyms=synonyms,
        parent=parent,
        source=source,
        kind=kind,
        width=width,
        height=height,
        model=entry.get("model"),
        yaw=float(entry.get("yaw") or 0),
        pitch=float(entry.get("pitch") or 0),
        held_out=held_out or any(map(is_held_out, (name, *synonyms, parent or ""))),
        truncated=bool(entry.get("truncated")),
    )
