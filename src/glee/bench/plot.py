"""Curves: a picture of how time and memory depend on each axis."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from glee.bench.plan import AXES, Axis
from glee.bench.report import TITLES, BenchReport, Measurement, in_milliseconds
from glee.files import replacing
from glee.plotting import require_plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOGARITHMIC: frozenset[Axis] = frozenset({"vocabulary", "batch", "marks", "length"})

COLUMNS = 3  # of panels, time above memory
HEADROOM = 1.15  # of the panels above what they show

X_LABELS = {"resolution": "megapixels"}


def draw_curves(report: BenchReport, path: Path) -> None:
    """Write a PNG: times above, with a band up to the 95th percentile, and peak memory below.

    Raises ImportError without matplotlib, ValueError if nothing was measured.
    """
    require_plotting()
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy, and an extra

    axes = [axis for axis in AXES if report.of(axis)]
    if not axes:
        raise ValueError("report has no measurements to draw")
    blocks = -(-len(axes) // COLUMNS)
    figure = Figure(figsize=(4.6 * COLUMNS, 5.6 * blocks), layout="constrained")
    panels = figure.subplots(2 * blocks, COLUMNS, squeeze=False)
    for number, axis in enumerate(axes):
        row, column = 2 * (number // COLUMNS), number % COLUMNS
        times, memory = panels[row, column], panels[row + 1, column]
        times.set_title(TITLES[axis][0], fontsize=10)
        draw = _draw_bars if axis == "stages" else _draw_lines
        draw(times, memory, report.of(axis))
    for number in range(len(axes), blocks * COLUMNS):
        for below in range(2):
            panels[2 * (number // COLUMNS) + below, number % COLUMNS].set_axis_off()
    facts = report.facts
    threads = facts.get("threads")
    figure.suptitle(
        f"{facts.get('model', '')} · {facts.get('dtype', '')} · {facts.get('device', '')} · "
        f"{facts.get('processor', '')}, {threads} thread{'' if threads == 1 else 's'}",
        fontsize=10,
    )
    with replacing(path) as beside:
        figure.savefig(beside, format="png", dpi=120)


def _draw_bars(times: "Axes", memory: "Axes", measurements: Sequence[Measurement]) -> None:
    """Draw a bar for each stage, the first on top."""
    names = [one.stage for one in measurements]
    medians = [one.median for one in measurements]
    beyond = [max(0.0, one.p95 - one.median) for one in measurements]
    bars = times.barh(names, medians, xerr=[[0.0] * len(names), beyond], ecolor="0.5")
    times.bar_label(
        bars, labels=[in_milliseconds(value) for value in medians], padding=3, fontsize=8
    )
    times.margins(x=0.2)
    memory.barh(names, [one.timing.peak_bytes / 1e6 for one in measurements], color="0.6")
    for panel, label in ((times, "ms, median and p95"), (memory, "peak MB")):
        panel.invert_yaxis()
        panel.set_xlabel(label)
        panel.tick_params(labelsize=8)


def _draw_lines(times: "Axes", memory: "Axes", measurements: Sequence[Measurement]) -> None:
    """Draw a line for each stage against the size."""
    axis = measurements[0].axis
    for stage in dict.fromkeys(one.stage for one in measurements):
        own = [one for one in measurements if one.stage == stage]
        sizes = [one.value for one in own]
        medians = [one.median for one in own]
        (line,) = times.plot(sizes, medians, marker="o", markersize=4, label=stage)
        color = line.get_color()
        times.fill_between(sizes, medians, [one.p95 for one in own], alpha=0.2, color=color)
        megabytes = [one.timing.peak_bytes / 1e6 for one in own]
        memory.plot(sizes, megabytes, marker="o", markersize=4, label=stage, color=color)
    times.set_ylabel("ms, median and p95")
    times.legend(fontsize=8)
    memory.set_ylabel("peak MB")
    for panel in (times, memory):
        panel.set_ylim(0, HEADROOM * panel.get_ylim()[1])
        panel.grid(alpha=0.3)
        panel.set_xlabel(X_LABELS.get(axis, TITLES[axis][1]))
        _set_sizes(panel, axis, sorted({one.value for one in measurements}))


def _set_sizes(panel: "Axes", axis: Axis, sizes: Sequence[float]) -> None:
    """Label the sizes that were measured, and no others."""
    if axis in LOGARITHMIC:
        panel.set_xscale("log")
    panel.set_xticks(sizes, [f"{size:.3g}" if size < 1 else f"{size:g}" for size in sizes])
    panel.minorticks_off()
    panel.tick_params(labelsize=8)
