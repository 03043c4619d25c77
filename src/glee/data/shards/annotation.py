"""What shards store of a sample besides its pixels, as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glee.data.readers.index import as_size
from glee.data.schema import BadSampleError, Frame, Sample, Supervision
from glee.ops.masks import Rle

NameSets = list[frozenset[str]]
"""Sets of names that many samples share, such as all names of the data set."""

MOST_SETS = 1000
"""Sets that are shared; of a source that has more, samples hold their own."""


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """Where the image file of a frame lies, counted from the end of its sample's JSON.

    start   bytes
    length  bytes
    entry   the annotation, as JSON values
    """

    start: int
    length: int
    entry: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """A sample whose frames are not read yet."""

    key: str
    frames: tuple[StoredFrame, ...]
    expressions: tuple[str, ...]
    supervision: Supervision


def pack_sample(
    sample: Sample, frames: Sequence[Frame], places: Sequence[tuple[int, int]], sets: NameSets
) -> bytes:
    """Return the JSON of a sample.

    frames  all of them
    places  start and length of the image file of each, in bytes from the end of the JSON
    sets    sets met before; new ones are added
    """
    own = sample.supervision
    entry = {
        "key": sample.key,
        "frames": [
            {"start": start, "length": length} | _pack_frame(frame)
            for frame, (start, length) in zip(frames, places, strict=True)
        ],
        "expressions": list(sample.expressions),
        "supervision": {
            "boxes": own.boxes,
            "masks": own.masks,
            "machine_made": own.machine_made,
            "exhaustive": None if own.exhaustive is None else _share(own.exhaustive, sets),
            "absent": sorted(own.absent),
            "partial": sorted(own.partial),
        },
    }
    return json.dumps(entry, separators=(",", ":")).encode()


def unpack_sample(content: bytes, sets: NameSets) -> Stored:
    """Return what `pack_sample` has packed.

    Raises BadSampleError for anything else.
    """
    try:
        entry = json.loads(content)
        supervision = entry["supervision"]
        return Stored(
            key=str(entry["key"]),
            frames=tuple(
                StoredFrame(_whole(one["start"]), _whole(one["length"]), one)
                for one in entry["frames"]
            ),
            expressions=_texts(entry["expressions"]),
            supervision=Supervision(
                boxes=bool(supervision["boxes"]),
                masks=bool(supervision["masks"]),
                machine_made=bool(supervision["machine_made"]),
                exhaustive=_find_set(supervision["exhaustive"], sets),
                absent=frozenset(_texts(supervision["absent"])),
                partial=frozenset(_texts(supervision["partial"])),
            ),
        )
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise BadSampleError(f"annotation in a shard has another layout: {error!r}") from error


def unpack_frame(stored: StoredFrame, image: bytes) -> Frame:
    """Return a frame with the content of its image file.

    Raises BadSampleError for an annotation of another layout.
    """
    entry = stored.entry
    try:
        size, names = as_size(*entry["size"]), _texts(entry["names"])
        if size is None:
            raise ValueError("an image must have a size")
        masks = None
        if entry["masks"] is not None:
            masks = tuple(Rle(size=list(size), counts=one) for one in _texts(entry["masks"]))
        ids = entry["track_ids"]
        return Frame(
            image=image,
            size=size,
            boxes=np.array(entry["boxes"], dtype=np.float32).reshape(-1, 4),
            names=names,
            masks=masks,
            track_ids=None if ids is None else tuple(_whole(one) for one in ids),
        )
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise BadSampleError(f"annotation in a shard has another layout: {error!r}") from error


def _pack_frame(frame: Frame) -> dict[str, Any]:
    return {
        "size": list(frame.size),
        # As short as float32 is told apart, and read back to the same.
        "boxes": [[float(str(number)) for number in box] for box in frame.boxes],
        "names": list(frame.names),
        "masks": None if frame.masks is None else [rle["counts"] for rle in frame.masks],
        "track_ids": None if frame.track_ids is None else list(frame.track_ids),
    }


def _share(names: frozenset[str], sets: NameSets) -> int | list[str]:
    """Return the number of a shared set of names, or the names if there are too many sets."""
    if names in sets:
        return sets.index(names)
    if len(sets) >= MOST_SETS:
        return sorted(names)
    sets.append(names)
    return len(sets) - 1


def _find_set(value: Any, sets: NameSets) -> frozenset[str] | None:
    match value:
        case None:
            return None
        case int():
            return sets[_whole(value)]
    return frozenset(_texts(value))


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
        raise TypeError(f"expected a list of texts, got {values!r:.80}")
    return tuple(values)


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise TypeError(f"expected a whole number, got {value!r:.80}")
    return value
