"""What a run leaves beside its result: a report to look at, and matches to compare runs by."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from glee.evaluation.arrays import Id
from glee.evaluation.benchmark import Benchmark, Rows
from glee.evaluation.evidence import Matched
from glee.evaluation.report.page import write_page
from glee.evaluation.resampling import PrecisionSample, ShareSample, sample_precision
from glee.evaluation.result import EvaluationResult, Row
from glee.evaluation.sample_file import REPORT, sample_path, save_sample

TABLES = ("box", "mask")

MEANS = ("IoU", "J-Mean", "F-Mean")
"""Numbers of single expressions or objects whose mean is a score of the whole data set."""


def write_details(
    benchmark: Benchmark,
    result: EvaluationResult,
    rows: Rows,
    keys: Sequence[Id],
    folder: Path,
) -> Path:
    """Write report.html and matches-*.npz into the folder of a run; return the report's path.

    rows  the predictions that were scored
    keys  the images or videos that count
    """
    matched = match_tables(benchmark, result, rows, keys)
    for table, sample in _samples(result, matched, keys).items():
        save_sample(sample, sample_path(folder, table))
    write_page(folder / REPORT, result, matched, benchmark.image)
    return folder / REPORT


def match_tables(
    benchmark: Benchmark, result: EvaluationResult, rows: Rows, keys: Sequence[Id]
) -> dict[str, Matched]:
    """Return what is behind the tables of a result, of benchmarks that tell."""
    if benchmark.objects is None:
        return {}
    return {
        table: benchmark.objects(rows, table).of_units(keys).matched()
        for table in TABLES
        if table in result.values
    }


def _samples(
    result: EvaluationResult, matched: dict[str, Matched], keys: Sequence[Id]
) -> dict[str, PrecisionSample | ShareSample]:
    """Return what the scores of resampled images follow from, by table."""
    samples: dict[str, PrecisionSample | ShareSample] = {}
    for table, values in result.values.items():
        own = [row for row in result.classes if row.table == table]
        if table in matched and matched[table].evidence.pooled:
            continue  # the mean over data sets does not follow from that over all categories
        if "AP" in values and table in matched:
            samples[table] = sample_precision(matched[table], keys)
        elif own and set(MEANS) & set(own[0].values):
            samples[table] = sample_rows(own)
    return samples


def sample_rows(rows: Sequence[Row]) -> ShareSample:
    """Return the means of what single expressions or objects came to, each of them to be drawn.

    Those without a number are left out of the mean.
    """
    above, below = {}, {}
    for name in MEANS:
        if name in rows[0].values:
            values = np.array([row.values.get(name, np.nan) for row in rows])
            above[f"mean {name}"] = np.nan_to_num(values)
            below[f"mean {name}"] = (~np.isnan(values)).astype(np.float64)
    return ShareSample(unit_ids=tuple(row.id for row in rows), numerators=above, denominators=below)
