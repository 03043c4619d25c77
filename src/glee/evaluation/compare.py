"""Comparing two runs of a benchmark: what changed, and whether more than luck explains it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from glee.evaluation.bootstrap import Difference, Drawing, Interval, compare_samples
from glee.evaluation.resampling import ShareSample
from glee.evaluation.result import EvaluationResult, read_result, without_nan
from glee.evaluation.sample_file import load_sample, sample_path, stored_tables
from glee.files import replacing

FORMAT = "glee-comparison-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs of one benchmark, score by score.

    benchmark  its name
    first      the model of the first run, its folder if the second has the same model
    second     the same of the second run
    drawing    how images were drawn
    units      how many there are to draw from
    unit       what is drawn, in the plural
    tables     differences by table, such as "box"
    notes      where the runs differ beside their models
    """

    benchmark: str
    first: str
    second: str
    drawing: Drawing
    units: int
    unit: str
    tables: Mapping[str, Sequence[Difference]]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, shares in 0..1."""
        tables = {
            name: [asdict(one) | {"clear": one.is_clear} for one in differences]
            for name, differences in self.tables.items()
        }
        values = {name: value for name, value in asdict(self).items() if name != "tables"}
        return {"format": FORMAT, **without_nan(values), "tables": without_nan(tables)}

    def to_text(self) -> str:
        """Return a table for a terminal, in percent."""
        confidence = f"{100 * self.drawing.confidence:g} %"
        header = ("", self.first, self.second, "change", f"{confidence} of draws", "second better")
        rows: list[tuple[str, ...]] = [header]
        for table, differences in self.tables.items():
            rows += [_row(table, one) for one in differences]
        widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
        lines = [
            f"{self.benchmark}: {self.units} {self.unit}, drawn {self.drawing.replicates} times "
            f"with seed {self.drawing.seed}"
        ]
        for row in rows:
            cells = zip(row[1:], widths[1:], strict=True)
            lines.append(
                f"{row[0]:{widths[0]}}  " + "  ".join(f"{text:>{width}}" for text, width in cells)
            )
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)]) + "\n"


def compare_runs(first: Path, second: Path, drawing: Drawing | None = None) -> Comparison:
    """Compare the runs in two folders by a paired bootstrap over their images.

    Raises FileNotFoundError if one of them has no result or no stored matches, and ValueError if
    they are of other benchmarks, annotation files or images.
    """
    drawing = drawing or Drawing()
    results = read_result(first), read_result(second)
    if results[0].benchmark != results[1].benchmark:
        raise ValueError(
            f"{first} is a run of {results[0].benchmark}, but {second} of {results[1].benchmark}; "
            "compare runs of one benchmark"
        )
    hashes = [one.annotations for one in results]
    if all(hashes) and hashes[0] != hashes[1]:
        raise ValueError(
            f"{first} and {second} were scored with other annotation files; compare runs that were "
            "scored with the same"
        )
    tables, units, unit = {}, 0, "images"
    for table in _shared_tables(first, second):
        samples = [load_sample(sample_path(folder, table)) for folder in (first, second)]
        units = len(samples[0].unit_ids)
        if isinstance(samples[0], ShareSample):
            unit = "expressions or objects"
        tables[table] = compare_samples(samples[0], samples[1], drawing)
    names = [one.model for one in results]
    if names[0] == names[1]:
        names = [str(first), str(second)]
    return Comparison(
        benchmark=results[0].benchmark,
        first=names[0],
        second=names[1],
        drawing=drawing,
        units=units,
        unit=unit,
        tables=tables,
        notes=_notes(*results),
    )


def write_comparison(comparison: Comparison, path: Path) -> None:
    """Write a comparison as JSON, whole or not at all."""
    with replacing(path) as beside:
        beside.write_text(json.dumps(comparison.to_json(), indent=1))


def _shared_tables(first: Path, second: Path) -> list[str]:
    stored = stored_tables(first), stored_tables(second)
    shared = [table for table in stored[0] if table in stored[1]]
    if not shared:
        lacking = first if not stored[0] else second
        raise FileNotFoundError(
            f"{lacking} has no matches to compare (matches-*.npz); only runs of benchmarks on "
            "images store them: evaluate it again"
        )
    return shared


def _notes(first: EvaluationResult, second: EvaluationResult) -> tuple[str, ...]:
    """Say in words which switches of the protocol differ."""
    names = dict.fromkeys([*first.settings, *second.settings])
    return tuple(
        f"{name} is {first.settings.get(name)} in the first run, {second.settings.get(name)} in "
        "the second"
        for name in names
        if first.settings.get(name) != second.settings.get(name)
    )


def _row(table: str, one: Difference) -> tuple[str, ...]:
    mark = "" if one.is_clear else " (may be luck)"
    return (
        f"{table} {one.name}",
        _percent(one.first),
        _percent(one.second),
        f"{100 * one.change.value:+.2f}",
        f"{100 * one.change.low:+.2f} to {100 * one.change.high:+.2f}",
        f"{100 * one.probability:.1f} %{mark}",
    )


def _percent(interval: Interval) -> str:
    return f"{100 * interval.value:.2f}"
