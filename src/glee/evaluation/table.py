"""A result as text: the numbers that a paper prints, and what a reader must know beside them."""

import math

from glee.evaluation.result import EvaluationResult, Metric

HEADER = ("", "ours", "paper", "difference")


def format_result(result: EvaluationResult) -> str:
    """Return a result as a table with our number, the paper's and the difference."""
    counts = result.counts
    found = f"{counts.units} {counts.unit}, {counts.predictions} predictions"
    lines = [f"{result.benchmark}, {result.model}: {found}"]
    if counts.faults:
        lines[0] += f", {counts.faults} unreadable"
    if result.metrics:
        lines += _align([HEADER, *(_cells(one) for one in result.metrics)])
    settings = ", ".join(f"{name} {value}" for name, value in result.settings.items())
    lines.append(f"protocol: {settings}")
    lines += [f"deviation: {one}" for one in result.deviations]
    lines += [f"note: {one}" for one in result.notes]
    if result.submission:
        lines.append(f"to upload: {result.submission}")
    return "\n".join(lines)


def _cells(metric: Metric) -> tuple[str, str, str, str]:
    unit = f" ({metric.unit})" if metric.unit not in ("", "%") else ""
    paper = "" if metric.paper is None else f"{metric.paper:.1f}"
    difference = metric.difference
    return (
        metric.name + unit,
        _number(metric.value, "{:.1f}")
        + ("" if metric.spread is None else f" ± {_number(metric.spread, '{:.1f}')}"),
        paper,
        "" if difference is None else _number(difference, "{:+.1f}"),
    )


def _number(value: float, form: str) -> str:
    return "-" if math.isnan(value) else form.format(value)


def _align(rows: list[tuple[str, str, str, str]]) -> list[str]:
    """Return rows as lines, the first column to the left and the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    return [
        "  "
        + row[0].ljust(widths[0])
        + "".join(f"  {cell.rjust(width)}" for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    ]
