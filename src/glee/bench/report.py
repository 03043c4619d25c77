"""The result of measuring: numbers with what they were measured on, as JSON and as Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glee.bench.checks import Check
from glee.bench.plan import AXES, Axis
from glee.bench.timing import Timing

TITLES: Mapping[Axis, tuple[str, str]] = {
    "stages": ("Stages of one image", "stage"),
    "vocabulary": ("Against the vocabulary", "names"),
    "resolution": ("Against the resolution", "height x width"),
    "batch": ("Against the batch, time of one image", "images together"),
    "marks": ("Against marked objects, time of one object", "marked objects"),
    "length": ("Against the length of a clip, time of one frame", "frames"),
}
"""Heading, and what the first column is."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """The time of one stage at one size.

    axis    what is varied
    label   its size, in words
    value   its size, as a number for curves
    stage   what was timed
    timing  of `items` images, objects or frames together
    items   how many
    """

    axis: Axis
    label: str
    value: float
    stage: str
    timing: Timing
    items: int = 1

    @property
    def median(self) -> float:
        """Median milliseconds of one item."""
        return 1000 * self.timing.median / self.items

    @property
    def p95(self) -> float:
        """Milliseconds of one item that 95 of 100 runs keep."""
        return 1000 * self.timing.p95 / self.items

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, times in milliseconds of one item."""
        return {
            "axis": self.axis,
            "label": self.label,
            "value": self.value,
            "stage": self.stage,
            "items": self.items,
            "median_ms": self.median,
            "p95_ms": self.p95,
            "runs_ms": [1000 * one / self.items for one in self.timing.seconds],
            "peak_bytes": self.timing.peak_bytes,
        }


@dataclass(frozen=True, slots=True)
class BenchReport:
    """All that was measured.

    facts         hardware, versions, model, dtype, plan: JSON values by name
    measurements  in the order in which they were made
    checks        that variants gave the same objects
    notes         what could not be measured, and why
    """

    facts: Mapping[str, Any]
    measurements: Sequence[Measurement]
    checks: Sequence[Check]
    notes: Sequence[str] = ()

    @property
    def passed(self) -> bool:
        """Whether all variants gave the same objects."""
        return all(check.passed for check in self.checks)

    def of(self, axis: Axis) -> list[Measurement]:
        """Return the measurements of one axis."""
        return [one for one in self.measurements if one.axis == axis]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "facts": dict(self.facts),
            "measurements": [one.to_json() for one in self.measurements],
            "checks": [
                {
                    "name": c.name,
                    "counts": list(c.counts),
                    "scores": c.scores,
                    "boxes": c.boxes,
                    "passed": c.passed,
                }
                for c in self.checks
            ],
            "notes": list(self.notes),
        }

    def to_markdown(self) -> str:
        """Return the same as a page of tables, for people."""
        lines = ["# Speed and memory", ""]
        lines += [f"- {name}: {_in_words(value)}" for name, value in self.facts.items()]
        lines += ["", "Milliseconds, median / 95th percentile; peak memory in MB."]
        for axis in AXES:
            if own := self.of(axis):
                title, column = TITLES[axis]
                lines += ["", f"## {title}", "", *_table(own, column)]
        lines += ["", "## Same results", ""]
        lines += [_sentence(check) for check in self.checks] or ["Nothing was compared."]
        if self.notes:
            lines += ["", "## Notes", "", *(f"- {note}" for note in self.notes)]
        return "\n".join(lines) + "\n"


def _in_words(value: Any) -> str:
    match value:
        case Mapping():
            return ", ".join(f"{key} {one}" for key, one in value.items() if one is not None)
        case int() | float():
            return f"{value:,}"
        case _:
            return str(value)


def _table(measurements: Sequence[Measurement], column: str) -> list[str]:
    """Return a table: a row for each size, a column for each stage, and the largest peak."""
    if measurements[0].axis == "stages":
        rows = [
            f"| {one.stage} | {_times(one)} | {_megabytes(one)} | {len(one.timing.seconds)} |"
            for one in measurements
        ]
        return [f"| {column} | ms | peak MB | runs |", "| --- | ---: | ---: | ---: |", *rows]
    stages = list(dict.fromkeys(one.stage for one in measurements))
    lines = [
        f"| {column} | {' | '.join(stages)} | peak MB |",
        f"| --- |{' ---: |' * (len(stages) + 1)}",
    ]
    for label in dict.fromkeys(one.label for one in measurements):
        own = {one.stage: one for one in measurements if one.label == label}
        cells = [_times(own[stage]) if stage in own else "" for stage in stages]
        peak = max(_megabytes(one) for one in own.values())
        lines.append(f"| {label} | {' | '.join(cells)} | {peak} |")
    return lines


def _times(one: Measurement) -> str:
    return f"{in_milliseconds(one.median)} / {in_milliseconds(one.p95)}"


def in_milliseconds(value: float) -> str:
    """Return a time with three digits at least, and no fractions that none can trust."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits


def _megabytes(one: Measurement) -> int:
    return round(one.timing.peak_bytes / 1e6)


def _sentence(check: Check) -> str:
    if check.scores is None or check.boxes is None:
        return f"- {check.name}: DIFFERENT ({check.counts[0]} and {check.counts[1]} objects)"
    verdict = "equal" if check.passed else "DIFFERENT"
    return (
        f"- {check.name}: {verdict} (scores within {check.scores:.1e}, boxes within "
        f"{check.boxes:.1e} pixels)"
    )
