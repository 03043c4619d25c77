"""Learning curves: a picture of what the logs of runs say against the step."""

import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from glee.files import replacing
from glee.plotting import require_plotting
from glee.training.history import TITLES, History, Line, read_histories
from glee.training.log import FILE, read_log

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CURVES = "curves.png"

FORMATS = (".png", ".svg", ".pdf")

COLUMNS = 4

Dashes = Literal["-", "--", ":", "-."] | tuple[float, tuple[float, ...]]

DASHES: tuple[Dashes, ...] = ("-", "--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 4)))
"""Of the runs; their number is the most that one picture can tell apart."""

COLORS = (
    *(f"C{number}" for number in range(10)),
    *("navy", "saddlebrown", "darkgreen", "darkred", "indigo"),
    *("black", "deeppink", "goldenrod", "darkcyan", "royalblue"),
)
"""Of the sources: more than any recipe has."""

LEAST_LINES = 10
"""Of a log whose curves are drawn without being asked for; fewer show nothing."""

SPREAD = 20.0
"""A panel whose largest value is so many times its smallest is drawn with logarithms."""


def draw_curves(folders: Sequence[Path], path: Path) -> None:
    """Draw the learning curves of runs over one another.

    folders  of runs; each panel has a line for each run, or for each run and source
    path     the picture to write: .png, .svg or .pdf

    The panels: loss, rate, norm of the gradients, images per second, all that evaluations found,
    and each loss by source. Losses are drawn faintly as logged, and smoothed over them.
    Raises ImportError without matplotlib, FileNotFoundError for a folder without a log, ValueError
    for a log without numbers, for too many runs and for a picture of another kind.
    """
    require_plotting()
    if path.suffix not in FORMATS:
        raise ValueError(f"a picture must be one of {', '.join(FORMATS)}, got {path.name!r}")
    if not 0 < len(folders) <= len(DASHES):
        raise ValueError(f"give 1 to {len(DASHES)} runs, got {len(folders)}")
    figure = _draw(read_histories(folders))
    with replacing(path) as beside:
        figure.savefig(beside, format=path.suffix[1:], dpi=100)


def leave_curves(folder: Path) -> None:
    """Draw the curves of a run into its folder, if its log is long enough and matplotlib is there.

    Whatever else stands in the way is said and ends nothing: the run matters more.
    """
    if find_spec("matplotlib") is None or not (folder / FILE).is_file():
        return
    try:
        if len(read_log(folder)) >= LEAST_LINES:
            draw_curves([folder], folder / CURVES)
    except (ImportError, OSError, ValueError) as error:
        print(f"no learning curves: {error}", file=sys.stderr)


def _draw(runs: Sequence[History]) -> "Figure":
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy, and an extra

    whole = [title for title in TITLES.values() if any(title in run.whole for run in runs)]
    judged = list(dict.fromkeys(name for run in runs for name in run.evaluation))
    losses = list(dict.fromkeys(name for run in runs for name in run.losses))
    sources = list(dict.fromkeys(s for run in runs for own in run.losses.values() for s in own))
    rows = -(-(len(whole) + len(judged) + len(losses)) // COLUMNS)
    figure = Figure(figsize=(3.4 * COLUMNS, 2.3 * rows + 0.8), layout="constrained")
    panels = iter(figure.subplots(rows, COLUMNS, squeeze=False).flat)
    for title in whole:
        lines = {n: run.whole[title] for n, run in enumerate(runs) if title in run.whole}
        _draw_whole(next(panels), title, lines, smooth=title != TITLES["rate"])
    for name in judged:
        lines = {n: run.evaluation[name] for n, run in enumerate(runs) if name in run.evaluation}
        _draw_whole(next(panels), name, lines, marker="o")
    for name in losses:
        _draw_losses(next(panels), name, [run.losses.get(name, {}) for run in runs], sources)
    for panel in panels:
        panel.set_axis_off()
    _add_legends(figure, runs, sources)
    return figure


def _draw_whole(
    panel: "Axes", title: str, lines: Mapping[int, Line], *, smooth: bool = False, marker: str = ""
) -> None:
    """Draw a line for each run, by its number."""
    for run, line in lines.items():
        _draw_line(panel, line, f"C{run}", run, smooth=smooth, marker=marker)
    _finish(panel, title)


def _draw_losses(
    panel: "Axes", name: str, runs: Sequence[Mapping[str, Line]], sources: Sequence[str]
) -> None:
    """Draw a line for each run and source: sources differ by colour, runs by dashes."""
    for run, lines in enumerate(runs):
        for source, line in lines.items():
            _draw_line(panel, line, _source_color(source, sources), run, smooth=True)
    _finish(panel, "all losses, by source" if name == "total" else name)


def _draw_line(
    panel: "Axes", line: Line, color: str, run: int, *, smooth: bool, marker: str = ""
) -> None:
    if smooth:
        panel.plot(line.steps, line.values, color=color, alpha=0.2, linewidth=0.7)
    shown = line.smoothed() if smooth else line.values
    looks: dict[str, Any] = {"color": color, "linestyle": DASHES[run], "markersize": 3}
    panel.plot(line.steps, shown, marker="o" if len(shown) == 1 else marker, **looks)


def _finish(panel: "Axes", title: str) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - heavy, and an extra

    panel.set_title(title, fontsize=9)
    panel.tick_params(which="both", labelsize=7)
    panel.grid(alpha=0.3)
    panel.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    values = np.concatenate([np.asarray(line.get_ydata()) for line in panel.get_lines()])
    if values.min() > 0 and values.max() > SPREAD * values.min():
        panel.set_yscale("log")


def _add_legends(figure: "Figure", runs: Sequence[History], sources: Sequence[str]) -> None:
    """Say below the panels which run has which dashes, and which source has which colour."""
    from matplotlib.lines import Line2D  # noqa: PLC0415 - heavy, and an extra

    told: dict[str, Any] = {
        "fontsize": 8,
        "title_fontsize": 8,
        "ncols": COLUMNS,
        "handlelength": 3.5,
    }
    handles = [
        Line2D([], [], color=f"C{n}", linestyle=DASHES[n], label=run.name)
        for n, run in enumerate(runs)
    ]
    figure.legend(handles=handles, loc="outside lower left", title="runs, against steps", **told)
    if sources:
        handles = [Line2D([], [], color=_source_color(one, sources), label=one) for one in sources]
        title = "sources of the losses"
        figure.legend(handles=handles, loc="outside lower right", title=title, **told)


def _source_color(source: str, sources: Sequence[str]) -> str:
    return COLORS[sources.index(source) % len(COLORS)]
