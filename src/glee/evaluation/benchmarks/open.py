"""From a benchmark's name to its description."""

import difflib

from glee.evaluation.benchmark import Benchmark
from glee.evaluation.benchmarks import (
    clicks,
    concepts,
    mot,
    referring,
    referring_video,
    video_instances,
    video_objects,
)
from glee.evaluation.benchmarks.burst import burst
from glee.evaluation.benchmarks.detection import coco, lvis, objects365, uvo
from glee.evaluation.benchmarks.odinw import odinw
from glee.evaluation.benchmarks.omnilabel import omnilabel
from glee.evaluation.benchmarks.source import Source
from glee.evaluation.benchmarks.tao import tao

FAMILIES = (
    (referring.NAMES, referring.refcoco),
    (concepts.NAMES, concepts.saco),
    (clicks.NAMES, clicks.clicks),
    (video_instances.NAMES, video_instances.video_instances),
    (mot.NAMES, mot.mot),
    (video_objects.NAMES, video_objects.video_objects),
    (referring_video.NAMES, referring_video.referring_video),
)
"""Benchmarks that one function opens by their names."""

NAMES = (
    *("coco", "lvis", "lvis-minival", "objects365", "odinw13", "odinw35", "uvo", "omnilabel"),
    *("tao", "burst"),
    *(name for names, _ in FAMILIES for name in names),
)
"""All benchmarks."""


def open_benchmark(name: str, source: Source) -> Benchmark:
    """Read the annotation of a benchmark and return its description.

    Raises ValueError for a name that is none, for switches that the benchmark does not have and
    for files of another form, and FileNotFoundError for files that are not there.
    """
    require_benchmark(name)
    try:
        return _open(name, source)
    except KeyError as error:
        raise ValueError(f"an entry of the annotation files of {name!r} has no {error}") from error
    except (TypeError, AttributeError) as error:
        raise ValueError(
            f"the annotation files of {name!r} are of another form: {error}"
        ) from error


def _open(  # noqa: C901, PLR0911  # a table of names
    name: str, source: Source
) -> Benchmark:
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
        case "tao":
            return tao(source)
        case "burst":
            return burst(source)
    for names, open_one in FAMILIES:
        if name in names:
            return open_one(source, name)
    raise AssertionError(name)


def require_benchmark(name: str) -> None:
    """Raise ValueError, with a near name, if there is no such benchmark."""
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(f"unknown benchmark {name!r}; choose from {', '.join(NAMES)}{hint}")
