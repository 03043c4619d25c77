"""Charts as SVG elements, whose colours come from the style of the page that they stand in."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from glee.evaluation.report.markup import element, text

WIDTH, HEIGHT = 380, 280
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 26, 40
THOUSANDS_FROM = 10_000
LETTER = 6.5  # pixels of one in a small label, on the safe side
TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True, slots=True)
class Line:
    """A curve in the unit square.

    name    in the legend
    points  (x, y), both in 0..1; where y is NaN the curve is broken
    style   0..5, which of the page's colours
    marked  whether the points are drawn, too
    """

    name: str
    points: Sequence[tuple[float, float]]
    style: int = 0
    marked: bool = False


def line_chart(lines: Sequence[Line], x_label: str, y_label: str, *, diagonal: bool = False) -> str:
    """Return curves in 0..1 with axes and a legend.

    diagonal  whether x = y is drawn for comparison
    """
    parts = [_grid(x_label, y_label)]
    if diagonal:
        (left, bottom), (right, top) = _place(0, 0), _place(1, 1)
        parts.append(
            element("line", {"class": "ideal", "x1": left, "y1": bottom, "x2": right, "y2": top})
        )
    for line in lines:
        parts += [_path(line), *(_dots(line) if line.marked else ())]
    return _figure([*parts, _legend(lines)], WIDTH, HEIGHT, f"{y_label} against {x_label}")


def bar_chart(bars: Sequence[tuple[str, float]], label: str) -> str:
    """Return a bar for each (name, number), as high as the largest, with the number above."""
    most = max((value for _, value in bars), default=0) or 1
    step = (WIDTH - LEFT - RIGHT) / max(len(bars), 1)
    parts = []
    for number, (name, value) in enumerate(bars):
        x, height = LEFT + number * step, (HEIGHT - TOP - BOTTOM) * value / most
        middle, y = x + step / 2, HEIGHT - BOTTOM - height
        size = {"x": x + step * 0.1, "y": y, "width": step * 0.8, "height": height}
        parts.append(element("rect", {"class": "bar", **size}))
        parts.append(_label(_short(value), middle, y - 4, "middle", "small"))
        parts.append(_label(name, middle, HEIGHT - BOTTOM + 14, "middle", "small"))
    parts.append(_label(label, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "middle"))
    return _figure(parts, WIDTH, HEIGHT, label)


def _short(value: float) -> str:
    """Return a number in few characters."""
    return f"{value:g}" if value < THOUSANDS_FROM else f"{value / 1000:.0f}k"


def _place(x: float, y: float) -> tuple[float, float]:
    """Return where a point of the unit square lies in the chart."""
    return (
        LEFT + x * (WIDTH - LEFT - RIGHT),
        HEIGHT - BOTTOM - y * (HEIGHT - TOP - BOTTOM),
    )


def _grid(x_label: str, y_label: str) -> str:
    parts = []
    for tick in TICKS:
        (x, bottom), (_, top) = _place(tick, 0), _place(tick, 1)
        (left, y), (right, _) = _place(0, tick), _place(1, tick)
        parts.append(element("line", {"class": "grid", "x1": x, "y1": bottom, "x2": x, "y2": top}))
        parts.append(element("line", {"class": "grid", "x1": left, "y1": y, "x2": right, "y2": y}))
        parts.append(_label(f"{tick:g}", x, bottom + 14, "middle", "small"))
        parts.append(_label(f"{tick:g}", left - 5, y + 4, "end", "small"))
    x, y = _place(0.5, 0)
    parts.append(_label(x_label, x, y + 32, "middle"))
    middle = _place(0, 0.5)[1]
    turned = {"class": "label", "text-anchor": "middle", "transform": f"rotate(-90 12 {middle:g})"}
    parts.append(element("text", {**turned, "x": 12, "y": middle}, text(y_label)))
    return "".join(parts)


def _path(line: Line) -> str:
    commands, drawing = [], False
    for x, y in line.points:
        if math.isnan(x) or math.isnan(y):
            drawing = False
            continue
        left, top = _place(x, y)
        commands.append(f"{'L' if drawing else 'M'}{left:.1f} {top:.1f}")
        drawing = True
    return element("path", {"class": f"line s{line.style}", "d": "".join(commands)})


def _dots(line: Line) -> list[str]:
    places = [_place(x, y) for x, y in line.points if not (math.isnan(x) or math.isnan(y))]
    return [
        element("circle", {"class": f"dot s{line.style}", "cx": x, "cy": y, "r": 3})
        for x, y in places
    ]


def _legend(lines: Sequence[Line]) -> str:
    if len(lines) < 2:  # noqa: PLR2004 - one curve needs no name
        return ""
    parts = []
    x, y = float(LEFT), TOP - 14
    for line in lines:
        stroke = {"x1": x, "x2": x + 14, "y1": y, "y2": y}
        parts.append(element("line", {"class": f"line s{line.style}", **stroke}))
        parts.append(_label(line.name, x + 18, y + 4, "start", "small"))
        x += 18 + LETTER * len(line.name) + 16
    return "".join(parts)


def _label(words: str, x: float, y: float, anchor: str, size: str = "") -> str:
    place = {"class": f"label {size}".strip(), "text-anchor": anchor, "x": x, "y": y}
    return element("text", place, text(words))


def _figure(parts: Sequence[str], width: int, height: int, title: str) -> str:
    box = {"class": "chart", "viewBox": f"0 0 {width} {height}", "role": "img", "aria-label": title}
    return element("svg", box, "".join(parts))
