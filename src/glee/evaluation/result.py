"""EvaluationResult: what one run of a benchmark came to, as it is printed, stored and compared."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from glee.config_json import config_from_dict
from glee.evaluation.arrays import Id
from glee.files import replacing

FORMAT = "glee-evaluation-1"

RESULT, PREDICTIONS, RUN = "result.json", "predictions.jsonl", "run.json"
"""Files in the folder of a run."""

Setting = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number that a paper would print.

    name          such as "box AP"
    value         in `unit`; NaN where nothing is annotated
    unit          "%", "clicks", or "" for a plain number
    paper         what the paper reports for this model, in the same unit; None if it does not
    spread        standard deviation over several runs, in the same unit; None of one run
    paper_spread  the same of the paper's runs; None where it does not say
    """

    name: str
    value: float
    unit: str = "%"
    paper: float | None = None
    spread: float | None = None
    paper_spread: float | None = None

    @property
    def difference(self) -> float | None:
        """How much higher than the paper's this number is; None if the paper has none."""
        return None if self.paper is None else self.value - self.paper


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Numbers of one part of a data set: a class, a video, an expression, or a range of sizes.

    table   which numbers of the run these belong to, such as "box" or "mask"
    id      what the data set calls the part; "s", "m" and "l" for sizes
    name    what people call it
    values  by name, shares in 0..1 or counts; NaN where nothing is annotated
    """

    table: str
    id: Id
    name: str
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much was looked at.

    units        images or videos that were to be predicted
    unit         "images" or "videos"
    predictions  objects that were predicted in them
    missing      units without a single prediction
    faults       units that could not be read
    """

    units: int
    unit: str
    predictions: int
    missing: int
    faults: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationResult:
    """What one run of a benchmark came to.

    benchmark    its name on the command line
    model        what was loaded, or the file that the predictions came from
    settings     the protocol, every switch with its value
    deviations   in words, where the protocol differs from the paper's
    metrics      the numbers that the paper prints, in its order; none where only a server can tell
    values       all numbers by table and name, shares in 0..1 or counts
    classes      rows by class, or by video or expression where there are no classes
    sizes        rows by size of object, where the benchmark tells them apart
    counts       images or videos, predictions, faults
    notes        rules that had to be applied, in words
    versions     of glee, torch and Python
    seconds      that predicting took; 0 where all came from files
    submission   the file to upload where only a server can score, "" if none
    annotations  what tells the content of the annotation files from that of others, "" if unknown
    """

    benchmark: str
    model: str
    settings: Mapping[str, Setting]
    deviations: tuple[str, ...] = ()
    metrics: tuple[Metric, ...] = ()
    values: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    classes: tuple[Row, ...] = ()
    sizes: tuple[Row, ...] = ()
    counts: Counts
    notes: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    submission: str = ""
    annotations: str = ""

    def metric(self, name: str) -> Metric:
        """Return the metric of a name; raise ValueError if there is none."""
        for one in self.metrics:
            if one.name == name:
                return one
        raise ValueError(
            f"no metric {name!r}; there are {', '.join(one.name for one in self.metrics) or 'none'}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, None for NaN."""
        return {"format": FORMAT, **without_nan(asdict(self))}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> "EvaluationResult":
        """Restore what `to_json` returned.

        Raises ValueError for another format and for missing or unknown parts.
        """
        if not isinstance(values, Mapping) or values.get("format") != FORMAT:
            found = values.get("format") if isinstance(values, Mapping) else type(values).__name__
            raise ValueError(f"an evaluation result has the format {FORMAT!r}, got {found!r}")
        parts = {name: value for name, value in values.items() if name != "format"}
        try:
            restored = {
                **parts,
                "deviations": tuple(parts["deviations"]),
                "metrics": tuple(_metric(one) for one in parts["metrics"]),
                "values": {name: _with_nan(one) for name, one in parts["values"].items()},
                "classes": tuple(_row(one) for one in parts["classes"]),
                "sizes": tuple(_row(one) for one in parts["sizes"]),
                "counts": config_from_dict(Counts, parts["counts"]),
                "notes": tuple(parts["notes"]),
            }
            return EvaluationResult(**restored)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"an evaluation result lacks a part or has one more: {error}"
            ) from None


def write_result(result: EvaluationResult, folder: Path) -> Path:
    """Write result.json to the folder of a run, whole or not at all; return its path."""
    path = folder / RESULT
    with replacing(path) as beside:
        beside.write_text(json.dumps(result.to_json(), indent=1, allow_nan=False))
    return path


def read_result(path: Path) -> EvaluationResult:
    """Read a result from its file or from the folder of its run.

    Raises FileNotFoundError if it is not there, ValueError if it is none.
    """
    path = path / RESULT if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"evaluation result {str(path)!r} not found")
    try:
        return EvaluationResult.from_json(json.loads(path.read_bytes()))
    except ValueError as error:
        raise ValueError(f"{path} is no evaluation result: {error}") from error


def without_nan(value: Any) -> Any:
    """Return plain JSON values with None in the place of NaN."""
    match value:
        case float():
            return None if math.isnan(value) else value
        case Mapping():
            return {key: without_nan(one) for key, one in value.items()}
        case list() | tuple():
            return [without_nan(one) for one in value]
    return value


def _with_nan(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: math.nan if one is None else one for name, one in values.items()}


def _metric(values: Mapping[str, Any]) -> Metric:
    return Metric(**{**values, "value": math.nan if values["value"] is None else values["value"]})


def _row(values: Mapping[str, Any]) -> Row:
    return Row(**{**values, "values": _with_nan(values["values"])})
