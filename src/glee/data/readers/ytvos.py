"""YouTube-VOS and Ref-YouTube-VOS: clips with index pictures and a list of what is in them."""

import json
from pathlib import Path
from typing import Any

from glee.data.readers.mask_folders import OBJECT, Clip, MaskFolders


def read_ytvos(split: Path, *, one_name: str | None = OBJECT) -> MaskFolders:
    """Read YouTube-VOS (arXiv:1809.03327).

    split     the folder that holds `JPEGImages`, `Annotations` and `meta.json`
    one_name  what all objects are called; None for the categories of `meta.json`

    Raises FileNotFoundError without `meta.json`, ValueError if it is not such JSON.
    """
    clips, path = [], split / "meta.json"
    for name, video in sorted(_videos(path).items()):
        try:
            every = video["objects"].items()
            objects = {int(key): one_name or str(one["category"]) for key, one in every}
        except LAYOUT_ERRORS as error:
            raise _odd(path, name, error) from error
        clips.append(Clip(name=name, objects=objects))
    names = sorted({name for clip in clips for name in (clip.objects or {}).values()})
    return MaskFolders(
        images=split / "JPEGImages",
        annotations=split / "Annotations",
        clips=clips,
        names=tuple(names),
    )


def read_ref_ytvos(split: Path, expressions: Path) -> MaskFolders:
    """Read Ref-YouTube-VOS (URVOS): a sample for each object, with its expressions.

    split        the folder that holds `JPEGImages` and `Annotations`
    expressions  such as `meta_expressions/train/meta_expressions.json`

    Raises FileNotFoundError without the file, ValueError if it is not such JSON.
    """
    clips: list[Clip] = []
    for name, video in sorted(_videos(expressions).items()):
        texts: dict[int, list[str]] = {}
        try:
            for one in video["expressions"].values():
                texts.setdefault(int(one["obj_id"]), []).append(str(one["exp"]))
        except LAYOUT_ERRORS as error:
            raise _odd(expressions, name, error) from error
        clips += [
            Clip(name=name, objects={number: OBJECT}, expressions=tuple(own))
            for number, own in sorted(texts.items())
        ]
    return MaskFolders(images=split / "JPEGImages", annotations=split / "Annotations", clips=clips)


LAYOUT_ERRORS = (AttributeError, KeyError, OverflowError, TypeError, ValueError)


def _odd(path: Path, video: str, error: Exception) -> ValueError:
    return ValueError(f"{str(path)!r} has another layout than its format at {video!r}: {error!r}")


def _videos(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"annotation file {str(path)!r} not found")
    try:
        data = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{str(path)!r} is not a whole JSON file: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("videos"), dict):
        raise ValueError(f'{str(path)!r} must be {{"videos": {{name: ...}}}}')
    return data["videos"]
