"""Benchmark: what is predicted for a data set, how, and how predictions are scored."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from glee.evaluation.arrays import Id
from glee.evaluation.encoder import Encoder
from glee.evaluation.evidence import Evidence
from glee.evaluation.protocol import Choice
from glee.evaluation.result import Metric
from glee.evaluation.scores import Scores

Json = Mapping[str, Any]

Rows = Callable[[], Iterator[Json]]
"""Gives the predictions from the first on, as often as it is called: entries of the benchmark's
official result format, image by image or video by video."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What predictions came to.

    metrics  the numbers that the paper prints, in its order
    tables   all numbers, by name such as "box" or "mask"
    names    what people call the parts of `per_category`, by id
    notes    rules applied beside those that the tables note
    """

    metrics: tuple[Metric, ...]
    tables: Mapping[str, Scores]
    names: Mapping[Id, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Benchmark:
    """One benchmark, opened: its annotation is read, its pictures are not.

    name        on the command line
    unit        what is predicted one by one
    keys        the ids of all units, in the order in which they are predicted
    choice      the protocol
    files       the annotation files, by which a run knows its data
    predict     the predictions for one unit, as entries of the official result format
    key_of      the unit that an entry of the result format belongs to
    score       predictions, and the units that count, to numbers; None where the annotation is
                not public
    submission  name of the file to upload, and what writes it; None where none is needed
    read        stored predictions in the official format, entry by entry
    objects     for the tables "box" and "mask" of images: what is compared there
    image       the picture of a unit
    count       predicted objects in an entry
    notes       what should be known of the annotation files
    """

    name: str
    unit: Literal["images", "videos"]
    keys: Sequence[Id]
    choice: Choice
    files: tuple[Path, ...]
    predict: Callable[[Encoder, Id], Sequence[Json]]
    key_of: Callable[[Json], Id]
    score: Callable[[Rows, Sequence[Id]], Scored] | None
    submission: tuple[str, Callable[[Rows, Path], None]] | None = None
    read: Callable[[Path], Iterator[Json]]
    objects: Callable[[Rows, str], Evidence] | None = None
    image: Callable[[Id], Path] | None = None
    count: Callable[[Json], int] = lambda _: 1
    notes: tuple[str, ...] = ()
