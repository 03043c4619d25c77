"""A result as text: the numbers that a paper prints, and what a reader must know beside them."""

import math

from glee.evaluation.result import EvaluationResult, Metric

HEADER = ("", "ours", "paper", "difference")


def format_result(result: EvaluationResult) -> str:
    """Return a result as a table with our number, the paper's and the difference."""
    counts = result.counts
    found = f"{counts.units} {counts.unit}, {counts.predictions} predictions"
    lines = [f"{result.benchmark}, {result.model}: {found}"]
    if counts.missing:
        lines[0] += f", {counts.missing} {counts.unit} without any"
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
    difference = metric.difference
    return (
        metric.name + unit,
        with_spread(metric.value, metric.spread),
        with_spread(metric.paper, metric.paper_spread),
        "" if difference is None else _number(difference, "{:+.1f}"),
    )


def with_spread(value: float | None, spread: float | None) -> str:
    """Return a number with its standard deviation, as far as they are known."""
    if value is None:
        return ""
    words = _number(value, "{:.1f}")
    return words if spread is None else f"{words} ± {_number(spread, '{:.1f}')}"


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
