"""Repeats: runs that differ by luck alone, such as in their training images, as one result."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from glee.evaluation.benchmark import Benchmark
from glee.evaluation.detection import few_shot_summary
from glee.evaluation.result import Counts, EvaluationResult, Metric, Row, write_result
from glee.evaluation.sample_file import discard_details
from glee.evaluation.scoring import score_predictions


def score_repeats(
    benchmark: Benchmark,
    runs: Sequence[Path],
    folder: Path | None,
    *,
    paper: str | None = None,
    limit: int | None = None,
) -> EvaluationResult:
    """Score the predictions of several runs, and return mean and deviation of each number.

    runs    stored predictions, as `score_predictions` takes them
    folder  where result.json is written; None for nowhere
    paper   of which model the paper's numbers stand beside; None for none

    Raises ValueError for a run that is given twice, and as `score_predictions`.
    """
    if len({one.resolve() for one in runs}) < len(runs):
        raise ValueError(f"runs has the same predictions twice: {', '.join(map(str, runs))}")
    results = [score_predictions(benchmark, one, None, paper=paper, limit=limit) for one in runs]
    result = join_repeats(results)
    if folder is not None:
        discard_details(folder)
        write_result(result, folder)
    return result


def join_repeats(results: Sequence[EvaluationResult]) -> EvaluationResult:
    """Return one result with the mean of each number over several, and how much they spread.

    The numbers of each run are kept as rows of the table "runs".
    """
    first, counts = results[0], [one.counts for one in results]
    shared = [note for note in first.notes if all(note in one.notes for one in results)]
    return replace(
        first,
        model=f"{len(results)} runs",
        metrics=tuple(_join_metric(one, results) for one in first.metrics),
        values={},
        classes=tuple(
            Row(
                table="runs",
                id=one.model,
                name=one.model,
                values={metric.name: metric.value for metric in one.metrics},
            )
            for one in results
        ),
        sizes=(),
        counts=Counts(
            units=first.counts.units,
            unit=first.counts.unit,
            predictions=sum(one.predictions for one in counts),
            missing=sum(one.missing for one in counts),
            faults=sum(one.faults for one in counts),
        ),
        notes=(
            *shared,
            *(
                f"{one.model}: {note}"
                for one in results
                for note in one.notes
                if note not in shared
            ),
        ),
    )


def _join_metric(metric: Metric, results: Sequence[EvaluationResult]) -> Metric:
    summary = few_shot_summary([one.metric(metric.name).value for one in results])
    return replace(metric, value=summary["AP"], spread=summary["AP_std"])
