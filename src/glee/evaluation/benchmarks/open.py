"""From a benchmark's name to its description."""

import difflib

from glee.evaluation.benchmark import Benchmark
from glee.evaluation.benchmarks import clicks, concepts, referring
from glee.evaluation.benchmarks.clicks import clicks as open_clicks
from glee.evaluation.benchmarks.concepts import saco
from glee.evaluation.benchmarks.detection import coco, lvis, objects365, uvo
from glee.evaluation.benchmarks.odinw import odinw
from glee.evaluation.benchmarks.omnilabel import omnilabel
from glee.evaluation.benchmarks.referring import refcoco
from glee.evaluation.benchmarks.source import Source

NAMES = (
    *("coco", "lvis", "lvis-minival", "objects365", "odinw13", "odinw35", "uvo", "omnilabel"),
    *referring.NAMES,
    *concepts.NAMES,
    *clicks.NAMES,
)
"""All benchmarks."""


def open_benchmark(  # noqa: C901, PLR0911  # a table of names
    name: str, source: Source
) -> Benchmark:
    """Read the annotation of a benchmark and return its description.

    Raises ValueError for a name that is none, for switches that the benchmark does not have and
    for files of another form, and FileNotFoundError for files that are not there.
    """
    require_benchmark(name)
    match name:
        case "coco":
            return coco(source)
        case "lvis" | "lvis-minival":
            return lvis(source, minival=name == "lvis-minival")
        case "objects365":
            return objects365(source)
        case "uvo":
            return uvo(source)
        case "odinw13" | "odinw35":
            return odinw(source, count=int(name.removeprefix("odinw")))
        case "omnilabel":
            return omnilabel(source)
        case _ if name in referring.NAMES:
            return refcoco(source, name)
        case _ if name in concepts.NAMES:
            return saco(source, name)
        case _:
            return open_clicks(source, name)


def require_benchmark(name: str) -> None:
    """Raise ValueError, with a near name, if there is no such benchmark."""
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(f"unknown benchmark {name!r}; choose from {', '.join(NAMES)}{hint}")
