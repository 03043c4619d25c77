"""The page: a result and the evidence behind it as one HTML file that needs nothing else."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from glee.evaluation.arrays import Id
from glee.evaluation.evidence import Matched
from glee.evaluation.report.curves import calibration_figures, precision_figure
from glee.evaluation.report.markup import bullets, element, image, section, table, text
from glee.evaluation.report.pictures import draw_pair
from glee.evaluation.report.style import POLICY, STYLE
from glee.evaluation.report.worst import (
    ImageErrors,
    choose_threshold,
    pair_objects,
    rank_images,
)
from glee.evaluation.result import EvaluationResult, Metric, Row
from glee.evaluation.table import with_spread
from glee.files import replacing
from glee.images import load_image

MOST_ROWS = 2_000
"""Rows of classes in full, LVIS' 1,203 among them; of more, such as expressions, the lowest."""

LOWEST_ROWS = 200

Pictures = Callable[[Id], Path]


def write_page(
    path: Path,
    result: EvaluationResult,
    matched: Mapping[str, Matched],
    pictures: Pictures | None = None,
) -> None:
    """Write a report as a single HTML file, whole or not at all.

    matched   what is behind the tables of scores, by table, such as "box"; none for benchmarks
              whose objects are not matched by average precision
    pictures  the file of an image; without it, and for files that cannot be read, objects are
              drawn on grey
    """
    with replacing(path) as beside:
        beside.write_text(build_page(result, matched, pictures), encoding="utf-8")


def build_page(
    result: EvaluationResult,
    matched: Mapping[str, Matched],
    pictures: Pictures | None = None,
) -> str:
    """Return a report as HTML; the arguments are those of `write_page`."""
    title = f"{result.benchmark} · {result.model}"
    parts = [
        element("h1", None, text(title)),
        element("p", {"class": "weak"}, text(_summary(result))),
        *_numbers(result),
        *(_curves(name, one) for name, one in matched.items()),
        *_classes(result.classes, matched),
        *_worst(result, matched, pictures),
        _protocol(result),
    ]
    head = (
        '<meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        + element("title", None, text(title))
        + element("style", None, STYLE)
    )
    body = element("main", None, "\n".join(parts))
    page = element("head", None, head) + element("body", None, body)
    return f'<!doctype html>\n<html lang="en">{page}</html>\n'


def _summary(result: EvaluationResult) -> str:
    counts = result.counts
    facts = [
        f"{counts.units} {counts.unit}",
        f"{counts.predictions} predictions",
        f"{counts.missing} without any",
        *([f"{counts.faults} that could not be read"] if counts.faults else []),
    ]
    return ", ".join(facts)


def _numbers(result: EvaluationResult) -> Iterator[str]:
    """Yield the numbers that the paper prints, beside the paper's, and those by size."""
    if result.metrics:
        rows = [_metric(one) for one in result.metrics]
        # Of models that the paper does not have, two columns would be empty.
        columns = 4 if any(one.paper is not None for one in result.metrics) else 2
        header = ("", "ours", "paper", "difference")[:columns]
        yield section("Numbers", table(header, [row[:columns] for row in rows]))
    if result.deviations:
        yield section("Not as in the paper", bullets(result.deviations))
    if result.sizes:
        names = list(dict.fromkeys(name for row in result.sizes for name in row.values))
        rows = [(f"{row.table}, {row.name}", *_shares(row, names)) for row in result.sizes]
        yield section("By size of objects", table(("", *names), rows))


def _metric(metric: Metric) -> tuple[str, ...]:
    unit = "" if metric.unit in ("", "%") else f" ({metric.unit})"
    difference = metric.difference
    change = "" if difference is None or math.isnan(difference) else f"{difference:+.1f}"
    value = with_spread(metric.value, metric.spread)
    return metric.name + unit, value, with_spread(metric.paper, metric.paper_spread), change


def _curves(name: str, matched: Matched) -> str:
    figures = [*precision_figure(matched.matches), *calibration_figures(matched.matches)]
    evidence = matched.evidence
    note = f"{len(evidence.annotations)} annotated objects, {len(evidence.predictions)} predictions"
    row = element("div", {"class": "row"}, "".join(figures))
    return section(f"Curves: {name}", element("p", {"class": "weak"}, text(note)), row)


def _classes(rows: Sequence[Row], matched: Mapping[str, Matched]) -> Iterator[str]:
    """Yield a table for each of the tables of scores, the lowest first.

    Classes of which nothing is annotated have no numbers, and no row.
    """
    for name in dict.fromkeys(row.table for row in rows):
        every = [row for row in rows if row.table == name]
        own = [row for row in every if not all(map(math.isnan, row.values.values()))]
        own.sort(key=lambda row: _key(next(iter(row.values.values()), math.nan)))
        columns = list(dict.fromkeys(column for row in own for column in row.values))
        objects = _objects(matched[name]) if name in matched else {}
        shown = own if len(own) <= MOST_ROWS else own[:LOWEST_ROWS]
        lines = [
            (row.name, *([str(objects.get(row.id, 0))] if objects else []), *_shares(row, columns))
            for row in shown
        ]
        words = f"{len(own)} rows" if len(shown) == len(own) else f"{len(shown)} of {len(own)} rows"
        empty = f"; {len(every) - len(own)} without objects" if len(own) < len(every) else ""
        summary = element("summary", None, text(f"{words}, the lowest first{empty}"))
        header = ("", *(["objects"] if objects else []), *columns)
        opened = {"open": ""} if len(own) <= 100 else {}  # noqa: PLR2004 - COCO's 80 are read
        yield section(
            f"One by one: {name}", element("details", opened, summary + table(header, lines))
        )


def _objects(matched: Matched) -> dict[Id, int]:
    """Return how many objects of each category are to be found; none where rows are others."""
    annotations = matched.evidence.annotations
    ids = annotations.catalog.category_ids
    if len(ids) == 1 or matched.evidence.pooled:  # rows may be expressions, or data sets
        return {}
    counted = annotations.categories[~annotations.crowd]
    return dict(zip(ids, np.bincount(counted, minlength=len(ids)).tolist(), strict=True))


def _key(value: float) -> float:
    return math.inf if math.isnan(value) else value


def _shares(row: Row, columns: Sequence[str]) -> list[str]:
    """Return the numbers of a row: shares in percent, counts as they are."""
    cells = []
    for column in columns:
        value = row.values.get(column, math.nan)
        if math.isnan(value):
            cells.append("–")  # noqa: RUF001 - a dash
        else:
            cells.append(f"{100 * value:.1f}" if 0 <= value <= 1 else f"{value:g}")
    return cells


def _names(result: EvaluationResult, table: str) -> tuple[dict[Id, str], dict[Id, str]]:
    """Return the names of categories and those of images: which of them the rows are about."""
    names = {row.id: row.name for row in result.classes if row.table == table}
    return (names, {}) if "AP" in result.values[table] else ({}, names)


def _worst(
    result: EvaluationResult, matched: Mapping[str, Matched], pictures: Pictures | None
) -> Iterator[str]:
    """Yield the worst images, told by masks if there are masks."""
    if not matched:
        return
    name = "mask" if "mask" in matched else next(iter(matched))
    threshold = choose_threshold(matched[name].matches)
    errors = rank_images(matched[name], threshold)
    if not errors:
        return
    rule = (
        f"Lowest F1 first, by {name}, at an overlap of 0.5, of predictions with a score of "
        f"{threshold:.2f} or more, which gives the best F1 over all images. Green: found; red: "
        "missed on the left, false on the right."
    )
    figures = []
    names, titles = _names(result, name)
    for one in errors:
        key = matched[name].evidence.annotations.catalog.unit_ids[one.unit]
        pair = pair_objects(matched[name], one.unit, threshold)
        picture = _load(key, pictures)
        uris = draw_pair(picture, matched[name].evidence, one.unit, pair, names)
        figures.append(_pair(one, uris, key, titles.get(key, "")))
    yield section(
        f"The worst {len(errors)} images", element("p", {"class": "weak"}, text(rule)), *figures
    )


def _pair(errors: ImageErrors, uris: tuple[str, str], key: Id, title: str) -> str:
    caption = (
        f"image {key}{title and ', ' + title}: {errors.found} found, {errors.missed} missed, "
        f"{errors.false} false, F1 {errors.f1:.2f}"
    )
    figures = [
        element("figure", None, image(uri, f"{words}, image {key}") + _caption(words))
        for uri, words in zip(uris, ("annotated", "predicted"), strict=True)
    ]
    row = element("div", {"class": "row"}, "".join(figures))
    return element("div", {"class": "pair"}, element("h3", None, text(caption)) + row)


def _caption(words: str) -> str:
    return element("figcaption", None, text(words))


def _load(key: Id, pictures: Pictures | None) -> Image.Image | None:
    """Return the picture of an image, None if it is not to be had."""
    if pictures is None:
        return None
    try:
        return Image.fromarray(load_image(pictures(key)))
    except (OSError, ValueError):
        return None


def _protocol(result: EvaluationResult) -> str:
    settings = [(name, str(value)) for name, value in result.settings.items()]
    versions = [(name, value) for name, value in result.versions.items()]
    return section(
        "Protocol and notes",
        table(("switch", "value"), settings) if settings else "",
        bullets(result.notes),
        table(("version", ""), versions) if versions else "",
    )
