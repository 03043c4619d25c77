"""Scoring: predictions of a run, or of any model, to a result."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from glee.evaluation.arrays import Id
from glee.evaluation.benchmark import Benchmark, Json, Rows, Scored
from glee.evaluation.cache import Cache, is_ours, read_lines
from glee.evaluation.details import write_details
from glee.evaluation.paper import beside_paper, require_reported
from glee.evaluation.records import RecordError
from glee.evaluation.result import PREDICTIONS, Counts, EvaluationResult, Row, write_result
from glee.evaluation.runner import hash_files, limited, read_faults
from glee.evaluation.sample_file import discard_details
from glee.evaluation.scores import Scores

FROM_FILE = "predictions come from a file: the protocol is what the command says of them"

SIZES = {"s": "small", "m": "medium", "l": "large"}


def score_run(  # noqa: PLR0913 - what is told beside the numbers, by name
    benchmark: Benchmark,
    folder: Path,
    *,
    model: str,
    paper: str | None = None,
    limit: int | None = None,
    seconds: float = 0.0,
    report: bool = False,
) -> EvaluationResult:
    """Score the predictions in the folder of a run and write its result.json.

    model    whose they are
    paper    whose numbers of the paper stand beside; the model's if not given
    limit    the first so many images or videos only
    seconds  that predicting took just now
    report   also write report.html, and what runs are compared by
    """
    cache = Cache(folder)
    cache.join(benchmark.keys)
    keys = limited(benchmark.keys, limit)
    faults = {key: why for key, why in read_faults(folder).items() if key not in cache}
    notes = tuple(f"{key} could not be read: {faults[key]}" for key in keys if key in faults)
    scoring = Scoring(
        model=model,
        paper=paper,
        limit=limit,
        notes=notes,
        faults=len(notes),
        seconds=seconds,
    )
    with _naming(folder / PREDICTIONS, benchmark):
        result = _score(benchmark, cache.rows(keys), keys, scoring, folder)
    discard_details(folder)
    write_result(result, folder)
    if report:
        write_details(benchmark, result, cache.rows(keys), keys, folder)
    return result


def score_predictions(
    benchmark: Benchmark,
    predictions: Path,
    folder: Path | None,
    *,
    paper: str | None = None,
    limit: int | None = None,
    report: bool = False,
) -> EvaluationResult:
    """Score stored predictions of any model.

    predictions  our JSON lines, or what the benchmark's own tool takes
    folder       where result.json, and a submission, are written; None for nowhere
    paper        of which model the paper's numbers stand beside; None for none
    report       also write report.html, and what runs are compared by

    Raises FileNotFoundError, and ValueError for predictions that do not fit the annotation.
    """
    if not predictions.exists():
        raise FileNotFoundError(f"predictions {str(predictions)!r} not found")
    keys = limited(benchmark.keys, limit)

    def rows() -> Iterator[Json]:
        every = read_lines(predictions) if is_ours(predictions) else benchmark.read(predictions)
        return _of_units(benchmark, every, keys)

    scoring = Scoring(model=str(predictions), paper=paper, limit=limit, notes=(FROM_FILE,))
    with _naming(predictions, benchmark):
        result = _score(benchmark, rows, keys, scoring, folder)
    if folder is not None:
        discard_details(folder)
        write_result(result, folder)
        if report:
            write_details(benchmark, result, rows, keys, folder)
    return result


@contextmanager
def _naming(predictions: Path, benchmark: Benchmark) -> Iterator[None]:
    """Add the file to errors that name an entry of it."""
    try:
        yield
    except RecordError as error:
        of_predictions = error.where.startswith("predictions")
        file = predictions if of_predictions else benchmark.files[0]
        raise ValueError(f"{file}: {error}") from error
    except KeyError as error:  # all fields of predictions were asked for by name
        raise ValueError(f"{benchmark.files[0]}: an entry has no {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """What a result says beside its numbers: see `EvaluationResult`, and `score_run`."""

    model: str
    paper: str | None
    limit: int | None
    notes: tuple[str, ...] = ()
    faults: int = 0
    seconds: float = 0.0


def _score(
    benchmark: Benchmark,
    rows: Rows,
    keys: Sequence[Id],
    scoring: Scoring,
    folder: Path | None,
) -> EvaluationResult:
    """Score predictions, and write the file to upload if the benchmark has one."""
    if scoring.paper is not None:
        require_reported(benchmark.name, scoring.paper)
    counts = _count(benchmark, rows, keys, scoring.faults)
    if benchmark.score is None:
        note = "the annotation is not public: upload the submission to the benchmark's server"
        scored = Scored(metrics=(), tables={}, notes=(note,))
    else:
        scored = benchmark.score(rows, keys)
    submission = ""
    if benchmark.submission is not None and folder is not None:
        name, write = benchmark.submission
        write(rows, folder / name)
        submission = name
    deviations = benchmark.choice.deviations()
    if scoring.limit is not None and len(keys) < len(benchmark.keys):
        whole = f"only the first {len(keys)} of {len(benchmark.keys)} {benchmark.unit}"
        deviations = (*deviations, whole)
    return EvaluationResult(
        benchmark=benchmark.name,
        model=scoring.model,
        settings={**benchmark.choice.settings(), "limit": scoring.limit},
        deviations=deviations,
        metrics=beside_paper(scored.metrics, benchmark.name, scoring.paper or scoring.model),
        values={name: table.values for name, table in scored.tables.items()},
        classes=tuple(_class_rows(scored)),
        sizes=tuple(_size_rows(scored.tables)),
        counts=counts,
        notes=(*_notes(benchmark, scoring), *scored.notes, *_table_notes(scored.tables)),
        versions=_versions(),
        annotations=hash_files(benchmark.files),
        seconds=scoring.seconds,
        submission=submission,
    )


def _notes(benchmark: Benchmark, scoring: Scoring) -> tuple[str, ...]:
    """Return what is to be told of the annotation, the pictures and the paper's numbers."""
    beside = () if scoring.paper is None else (f"the paper's numbers are those of {scoring.paper}",)
    return (*benchmark.notes, *scoring.notes, *beside)


def _count(benchmark: Benchmark, rows: Rows, keys: Sequence[Id], faults: int) -> Counts:
    predictions, seen = 0, set()
    for row in rows():
        predictions += _count_of(benchmark, row)
        seen.add(_key_of(benchmark, row))
    return Counts(
        units=len(keys),
        unit=benchmark.unit,
        predictions=predictions,
        missing=sum(key not in seen for key in keys),
        faults=faults,
    )


def _key_of(benchmark: Benchmark, row: Json) -> Id | None:
    """Return the unit of an entry, None if it does not say; scoring then refuses it by name."""
    try:
        key = benchmark.key_of(row)
    except (KeyError, TypeError):
        return None
    return key if isinstance(key, int | str | float) else None


def _count_of(benchmark: Benchmark, row: Json) -> int:
    """Return how many objects an entry has, 0 if it is damaged; scoring then refuses it by name."""
    try:
        return benchmark.count(row)
    except (KeyError, TypeError):
        return 0


def _of_units(benchmark: Benchmark, rows: Iterator[Json], keys: Sequence[Id]) -> Iterator[Json]:
    """Yield entries but those of units that are left out; unknown units stay, to be refused."""
    left_out = set(benchmark.keys) - set(keys)
    return (row for row in rows if _key_of(benchmark, row) not in left_out)


def _class_rows(scored: Scored) -> Iterator[Row]:
    for table, scores in scored.tables.items():
        for key, values in scores.per_category.items():
            yield Row(table=table, id=key, name=scored.names.get(key, str(key)), values=values)


def _size_rows(tables: Mapping[str, Scores]) -> Iterator[Row]:
    """Yield AP and AR of small, medium and large objects, where a table has them."""
    for table, scores in tables.items():
        for size, name in SIZES.items():
            values = {
                short: scores.values[f"{short}{size}"]
                for short in ("AP", "AR")
                if f"{short}{size}" in scores.values
            }
            if values:
                yield Row(table=table, id=size, name=name, values=values)


def _table_notes(tables: Mapping[str, Scores]) -> Iterator[str]:
    for table, scores in tables.items():
        for note in scores.notes:
            yield f"{table}: {note}" if table else note


def _versions() -> dict[str, str]:
    return {
        "glee": version("glee-vision"),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
