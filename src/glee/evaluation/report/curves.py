"""Figures of a report: precision against recall, and scores against truth."""

import numpy as np

from glee.evaluation.arrays import FloatArray
from glee.evaluation.average_precision import RECALLS, THRESHOLDS, Matches, compute_curves
from glee.evaluation.calibration import BINS, Reliability, reliability
from glee.evaluation.report.charts import Line, bar_chart, line_chart
from glee.evaluation.report.markup import element, text

SHOWN = (0.5, 0.75, 0.9)
"""Overlaps whose curves are drawn beside the mean over all."""


def mean_precision(matches: Matches) -> FloatArray:
    """Return the precision [T, R] at RECALLS, the mean over categories with an object."""
    precision = compute_curves(matches).precision[0]  # [T, K, R]
    known = ~np.isnan(precision[0, :, 0])
    if not known.any():
        return np.full((len(THRESHOLDS), len(RECALLS)), np.nan)
    mean: FloatArray = precision[:, known].mean(axis=1)
    return mean


def precision_figure(matches: Matches) -> list[str]:
    """Return the chart of precision against recall, the mean over categories."""
    mean = mean_precision(matches)
    lines = [_line("0.5 to 0.95", mean.mean(axis=0), 5)]
    for style, overlap in enumerate(SHOWN):
        (row,) = np.flatnonzero(np.isclose(THRESHOLDS, overlap))
        lines.append(_line(f"{overlap:g}", mean[row], style))
    return [_figure(line_chart(lines, "recall", "precision"), "By overlap; mean over categories")]


def calibration_figures(matches: Matches) -> list[str]:
    """Return the reliability diagram and how often each score occurs."""
    try:
        found = reliability(matches)
    except ValueError as error:
        return [_figure("", f"No calibration: {error}")]
    points = zip(found.mean.tolist(), found.precision.tolist(), strict=True)
    line = Line("", [point for point in points if not np.isnan(point[0])], marked=True)
    chart = line_chart([line], "score", "share that is right", diagonal=True)
    words = f"Right at an overlap of 0.5. Expected calibration error {100 * found.error:.1f} %"
    return [_figure(chart, words), _figure(_histogram(found), "How often each score is given")]


def _histogram(found: Reliability) -> str:
    names = [f"{number / BINS:g}" for number in range(BINS)]
    bars = [(name, float(count)) for name, count in zip(names, found.counts, strict=True)]
    return bar_chart(bars, "predictions with a score from")


def _line(name: str, precision: FloatArray, style: int) -> Line:
    return Line(name, list(zip(RECALLS.tolist(), precision.tolist(), strict=True)), style)


def _figure(chart: str, words: str) -> str:
    return element("figure", None, chart + element("figcaption", None, text(words)))
