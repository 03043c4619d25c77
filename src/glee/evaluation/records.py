"""Records: fields of entries of JSON that anyone may have written, read or refused by name."""

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

from glee.evaluation.arrays import Id

Json = Mapping[str, Any]

LARGEST = 1e12
"""Of any number in a file; areas and sums of these stay finite."""

SHOWN = 60
"""Characters of a wrong value that a message shows."""


class RecordError(ValueError):
    """An entry of a file that cannot be used.

    where    its place in the file, such as "predictions[3]"
    problem  the rest of the message: the field, what it holds, what was expected
    """

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where} {problem}")
        self.where = where


def part(values: Json, key: str, where: str) -> Any:
    """Return values[key]; raise RecordError if it is missing or `values` is no object."""
    try:
        return values[key]
    except KeyError:
        names = ", ".join(map(str, values)) or "nothing"
        raise RecordError(where, f"has no {key!r}, only {shown(names)}") from None
    except (TypeError, IndexError):
        raise RecordError(where, f"is {shown(repr(values))}, not an object") from None


def number(values: Json, key: str, where: str, *, least: float = -LARGEST) -> float:
    """Return the finite number under a key; raise RecordError for what is none, or less."""
    found = part(values, key, where)
    if not is_number(found) or found < least:
        bound = "" if least < 0 else f"at least {least:g}, "
        raise RecordError(
            where,
            f"has {key} {shown(repr(found))}; give a finite number, {bound}at most {LARGEST:g}",
        )
    return float(found)


def flag(values: Json, key: str, where: str) -> bool:
    """Return the answer under a key, 0, 1, false or true; raise RecordError for what is none."""
    found = part(values, key, where)
    if found not in (0, 1):
        raise RecordError(where, f"has {key} {shown(repr(found))}; give 0 or 1")
    return bool(found)


def whole(values: Json, key: str, where: str, *, least: int = -(2**53)) -> int:
    """Return the whole number under a key; raise RecordError for what is none, or less."""
    found = part(values, key, where)
    if not is_number(found) or found != int(found) or found < least:
        bound = "" if least < 0 else f" of at least {least}"
        raise RecordError(where, f"has {key} {shown(repr(found))}; give a whole number{bound}")
    return int(found)


def is_number(value: object) -> bool:
    """Return whether a value is a number that can be computed with."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and -LARGEST <= value <= LARGEST  # not so for NaN
    )


def listed(values: Json, key: str, where: str) -> list[Any]:
    """Return the list under a key; raise RecordError for what is none."""
    found = part(values, key, where)
    if not isinstance(found, list):
        raise RecordError(where, f"has {key} {shown(repr(found))}; give a list")
    return found


def mapped(values: Json, key: str, where: str) -> Json:
    """Return the object under a key; raise RecordError for what is none."""
    found = part(values, key, where)
    if not isinstance(found, Mapping):
        raise RecordError(where, f"has {key} {shown(repr(found))}; give an object")
    return found


def text(values: Json, key: str, where: str) -> str:
    """Return the text under a key; raise RecordError for what is none."""
    found = part(values, key, where)
    if not isinstance(found, str):
        raise RecordError(where, f"has {key} {shown(repr(found))}; give a text")
    return found


def identity(values: Json, key: str, where: str) -> Id:
    """Return the id under a key, a number or a text; raise RecordError for what is none."""
    found = part(values, key, where)
    is_id = isinstance(found, int | str) or (isinstance(found, float) and not isnan(found))
    if isinstance(found, bool) or not is_id:
        raise RecordError(where, f"has {key} {shown(repr(found))}; give an id, a number or a text")
    return found  # 7.0 finds 7


def row_of(values: Json, key: str, rows: Mapping[Id, int], where: str) -> int:
    """Return the row of the id that `values` has under `key`.

    Raises RecordError if it has none, or one that is unknown.
    """
    found = identity(values, key, where)
    row = rows.get(found)
    if row is None:
        raise RecordError(
            where,
            f"has {key} {shown(repr(found))}, which is not among the {len(rows)} of the "
            "annotation file; evaluate predictions with the annotations of the same split",
        )
    return row


def rows_by_id(ids: Sequence[Id]) -> dict[Id, int]:
    """Return the row of each id."""
    return {one: row for row, one in enumerate(ids)}


def read_box(values: Json, where: str) -> Sequence[float]:
    """Return the box (left, top, width, height) of an object.

    Raises RecordError for what is not four finite numbers, and for negative sizes.
    """
    found = part(values, "bbox", where)
    if not isinstance(found, list | tuple) or len(found) != len("xywh"):
        raise RecordError(where, f"must have a bbox of 4 numbers, got {shown(repr(found))}")
    for one in found:
        if not is_number(one):
            raise RecordError(
                where,
                f"has bbox {shown(repr(found))}; give finite numbers, at most {LARGEST:g}",
            )
    if found[2] < 0 or found[3] < 0:
        raise RecordError(
            where,
            f"has bbox {shown(repr(found))}, of negative size; boxes are (left, top, width, "
            "height)",
        )
    return found


def shown(words: str) -> str:
    """Return the start of a text that may be long."""
    return words if len(words) <= SHOWN else words[:SHOWN] + "..."
