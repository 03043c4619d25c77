"""Source: where the data of a benchmark lie, and the parts of its annotation that are asked for."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glee.data.readers.json_stream import iterate_entries
from glee.evaluation.arrays import Id
from glee.evaluation.records import RecordError, identity, listed, shown

Json = Mapping[str, Any]

WITH_IDS = ("images", "videos", "categories")
"""Lists of annotation files whose entries others point to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the data of a benchmark lie, and how its protocol is changed.

    root          the folder with the data sets, in their official layouts
    annotations   an annotation file in place of the official one
    images        a folder of pictures in place of the official one
    switches      switches of the protocol, as text
    needs_images  whether pictures are to be looked at; predictions are scored without them
    """

    root: Path
    annotations: Path | None = None
    images: Path | None = None
    switches: Mapping[str, str] = field(default_factory=dict)
    needs_images: bool = True

    def file(self, *candidates: str) -> Path:
        """Return the annotation file: the given one, or the first candidate that exists.

        candidates  paths relative to the root; the official one comes first

        Raises FileNotFoundError if there is none.
        """
        if self.annotations is not None:
            if not self.annotations.exists():
                raise FileNotFoundError(f"annotations {str(self.annotations)!r} not found")
            return self.annotations
        return self._find(candidates, "annotations", "--annotations")

    def folder(self, *candidates: str, annotated: bool = False) -> Path:
        """Return the folder of pictures: the given one, or the first candidate that exists.

        annotated  annotations lie in it, so that it is needed even where pictures are not

        Raises FileNotFoundError if there is none and it is needed.
        """
        is_needed = self.needs_images or annotated
        if self.images is not None:
            if is_needed and not self.images.is_dir():
                raise FileNotFoundError(f"folder of images {str(self.images)!r} not found")
            return self.images
        if not is_needed and not any((self.root / one).exists() for one in candidates):
            return self.root / candidates[0]
        return self._find(candidates, "folder of images", "--images")

    def _find(self, candidates: Sequence[str], what: str, option: str) -> Path:
        for candidate in candidates:
            if (path := self.root / candidate).exists():
                return path
        raise FileNotFoundError(
            f"{what} {candidates[0]!r} not found in {str(self.root)!r}; see docs/evaluation.md for "
            f"the layout, or give the place by {option}"
        )


def load_json(path: Path) -> Any:
    """Return what a JSON file holds; raise ValueError if it is not a whole one."""
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{str(path)!r} is not a whole JSON file: {error}") from error


def load_annotations(path: Path, *parts: str) -> dict[str, Any]:
    """Return an annotation file.

    parts  the lists that it must have

    Raises ValueError if one is missing, as in the file of another benchmark, or has an entry that
    is no object or, of images, videos and categories, has no id.
    """
    data = load_json(path)
    missing = [one for one in parts if not isinstance(data, dict) or one not in data]
    if missing:
        found = ", ".join(data) if isinstance(data, dict) else "a list"
        raise ValueError(
            f"{str(path)!r} has no {', '.join(missing)}, only {found or 'nothing'}; it is not the "
            "annotation file of this benchmark"
        )
    for one in parts:
        if not isinstance(data[one], Mapping):  # videos by name, as of expressions
            _require_entries(data, one, path)
    return data


def _require_entries(data: Json, name: str, path: Path) -> None:
    """Raise RecordError for the first entry of a list that cannot be told from the others."""
    entries = listed(data, name, f"{path}:")
    for row, one in enumerate(entries):
        if not isinstance(one, Mapping):
            raise RecordError(f"{path}: {name}[{row}]", f"is {shown(repr(one))}, not an object")
    if name in WITH_IDS:
        ids = [identity(one, "id", f"{path}: {name}[{row}]") for row, one in enumerate(entries)]
        if len({isinstance(one, str) for one in ids}) > 1:
            raise RecordError(f"{path}:", f"has {name} with numbers and texts as ids")


def read_entries(path: Path, part: str | None = None) -> Iterator[Json]:
    """Yield the entries of a file of results: of a list, or of the lists of an object.

    part  the only list of an object that holds results

    Raises FileNotFoundError, or ValueError for what is not such JSON.
    """
    for number, (name, entry) in enumerate(iterate_entries(path)):
        if part is not None and name not in ("", part):
            continue
        if isinstance(entry, Mapping):
            yield entry
        elif name in ("", part):
            raise ValueError(
                f"entry {number} of {str(path)!r} is {str(entry)[:40]!r}, not an object; give the "
                "benchmark's own format of results"
            )


def restrict(data: Json, keys: Sequence[Id], units: str, key: str) -> Json:
    """Return an annotation file as if it had some images or videos only.

    keys   the ids of those
    units  "images" or "videos"
    key    what annotations call the id: "image_id" or "video_id"
    """
    if len(keys) == len(data[units]):
        return data
    kept = set(keys)
    changed = {
        units: [one for one in data[units] if one["id"] in kept],
        "annotations": [one for one in data["annotations"] if one[key] in kept],
    }
    if units == "videos" and "images" in data:  # TAO lists its frames apart
        changed["images"] = [one for one in data["images"] if one["video_id"] in kept]
    return {**data, **changed}


def other_version(name: str, data: Json, expected: Mapping[str, int]) -> tuple[str, ...]:
    """Return in words where the counts of an annotation are not those of the official one.

    data      lists by name, of an annotation file or of what was found in folders
    expected  how many entries each list has officially
    """
    return tuple(
        f"the annotation has {len(data[part])} {part}, that of {name} has {count}: another "
        "version, whose numbers cannot be compared with published ones"
        for part, count in expected.items()
        if len(data[part]) != count
    )


@dataclass(frozen=True, slots=True)
class Names:
    """What is asked for.

    names  without spaces around them, each once
    ids    the data set's id of each
    """

    names: tuple[str, ...]
    ids: tuple[int, ...]


def category_names(categories: Sequence[Json], override: Sequence[str] = ()) -> Names:
    """Return the names of categories by rising id, for a prompt.

    override  what to ask for in their place; nothing for the names themselves

    Of names that only spaces tell apart the first is asked for, empty ones are not.
    Raises ValueError if `override` has not one name for each.
    """
    ordered = sorted(categories, key=lambda one: one["id"])
    if override and len(override) != len(ordered):
        raise ValueError(
            f"there are {len(override)} names for the {len(ordered)} categories of the annotation "
            "file; turn name_overrides off to ask by the file's own names"
        )
    wanted: dict[str, int] = {}
    for name, one in zip(override or [str(one["name"]) for one in ordered], ordered, strict=True):
        if name.strip():
            wanted.setdefault(name.strip(), one["id"])
    return Names(tuple(wanted), tuple(wanted.values()))


def class_names(categories: Sequence[Json]) -> dict[Id, str]:
    """Return the names of categories by id."""
    return {one["id"]: str(one.get("name", one["id"])) for one in categories}
