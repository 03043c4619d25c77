"""Concept F1: SA-Co's cgF1, whether what a phrase names is told to be there, and found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glee.evaluation.arrays import BoolArray, FloatArray, IntArray
from glee.evaluation.average_precision import THRESHOLDS
from glee.evaluation.coco_json import sorted_by_id
from glee.evaluation.objects import Annotations, Predictions, describe
from glee.evaluation.overlaps import compute_overlaps
from glee.evaluation.records import flag
from glee.evaluation.scores import Scores
from glee.evaluation.track_matching import assign

# Predictions below this score do not exist for this metric.
SURE = 0.5

# What the official evaluator adds to divisors, and so to the results: of objects, of queries.
_OBJECT_EPSILON, _QUERY_EPSILON = 1e-4, 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class QueryCounts:
    """What was found for every query: one phrase asked of one image.

    found    [Q] int64, predicted objects
    present  [Q] int64, annotated objects
    hits     [Q, T] int64, predicted objects that match an annotated one at each threshold
    """

    found: IntArray
    present: IntArray
    hits: IntArray

    def take(self, rows: BoolArray) -> "QueryCounts":
        """Return the queries in `rows`."""
        return QueryCounts(self.found[rows], self.present[rows], self.hits[rows])


def concept_f1_scores(
    annotators: Sequence[Annotations], exhaustive: Sequence[BoolArray], predictions: Predictions
) -> Scores:
    """Compute cgF1 and its parts.

    annotators   the same queries (units) as annotated by one or more people; with several, the one
                 with whom the predictions agree best counts in each query
    exhaustive   for each annotator, [Q] bool: all objects of the query are annotated. Only queries
                 that are so for all annotators count
    predictions  the predicted objects; only those with a score of at least 0.5 count

    cgF1 is positive_micro_F1, over the objects of the queries whose phrase is present, times
    IL_MCC, Matthews' correlation of "something is there" over all queries. Numbers with @0.5 and
    @0.75 are those at one threshold of overlap, the others means over 0.5 to 0.95;
    positive_macro_F1 is the mean over the queries in which something was and should have been
    found; IL_ stands for whole images, and IL_FPR for false alarms on absent phrases.

    SAM 3 (arXiv:2511.16719, "Metrics"). There are no crowds: an object marked as one counts as any.
    Raises ValueError if there is no annotator, or not one `exhaustive` for each.
    """
    if not annotators or len(annotators) != len(exhaustive):
        raise ValueError(
            f"annotators and exhaustive must have the same length of 1 or more, got "
            f"{len(annotators)} and {len(exhaustive)}"
        )
    sure = predictions.take(np.flatnonzero(predictions.scores >= SURE))
    counted = np.logical_and.reduce(exhaustive)
    counts = [_count(one, sure).take(counted) for one in annotators]
    best = _best_of(counts)
    notes = list(describe(annotators[0], sure, "queries"))
    if dropped := len(predictions) - len(sure):
        notes.append(f"{dropped} predictions have a score below {SURE}: not counted")
    if not counted.all():
        notes.append(f"{int((~counted).sum())} queries are not exhaustively annotated: left out")
    return Scores(_summarise(best), notes=tuple(notes))


def read_exhaustive(data: Mapping[str, Any]) -> BoolArray:
    """Read, by rising image id, whether all objects that a phrase names are annotated."""
    images = sorted_by_id(data, "images")
    return np.array([flag(one, "is_instance_exhaustive", f"image {one['id']!r}") for one in images])


def _count(annotations: Annotations, predictions: Predictions) -> QueryCounts:
    """Match objects of each query one to one, so that their overlaps sum to the most."""
    num_queries = len(annotations.catalog.unit_ids)
    found = np.bincount(predictions.units, minlength=num_queries)
    present = np.bincount(annotations.units, minlength=num_queries)
    hits = np.zeros((num_queries, len(THRESHOLDS)), dtype=np.int64)
    rows, true_rows = (
        _rows_by_unit(predictions.units, found),
        _rows_by_unit(annotations.units, present),
    )
    for query in np.flatnonzero((found > 0) & (present > 0)):
        true = true_rows[query]
        overlaps = compute_overlaps(
            predictions.regions,
            rows[query],
            annotations.regions,
            true,
            np.zeros(len(true), dtype=np.bool_),
        )
        matched = overlaps[assign(overlaps)]
        hits[query] = (matched[:, None] >= THRESHOLDS).sum(axis=0)
    return QueryCounts(found, present, hits)


def _rows_by_unit(units: IntArray, counts: IntArray) -> list[IntArray]:
    """Return the rows of each unit; `counts` tells how many there are."""
    return np.split(np.argsort(units, kind="stable"), np.cumsum(counts)[:-1])


def _best_of(annotators: Sequence[QueryCounts]) -> QueryCounts:
    """Return in each query the counts with the annotator who agrees best, the first of equals."""
    agreement = []
    for one in annotators:
        f1 = _f1(one.hits, one.found[:, None], one.present[:, None]).mean(axis=1)
        agreement.append(np.where((one.found == 0) & (one.present == 0), 1.0, f1))
    best = np.argmax(agreement, axis=0)
    every = np.arange(len(best))
    return QueryCounts(
        found=annotators[0].found,
        present=np.stack([one.present for one in annotators])[best, every],
        hits=np.stack([one.hits for one in annotators])[best, every],
    )


def _f1(hits: IntArray, found: IntArray, present: IntArray) -> FloatArray:
    """Return the harmonic mean of precision and recall, element by element."""
    precision = hits / (found + _OBJECT_EPSILON)
    recall = hits / (present + _OBJECT_EPSILON)
    f1: FloatArray = 2 * precision * recall / (precision + recall + _OBJECT_EPSILON)
    return f1


def _summarise(counts: QueryCounts) -> dict[str, float]:
    """Return all numbers, over all thresholds and at single ones."""
    images = _image_values(counts)
    values = dict(images)
    for suffix, chosen in (
        ("", np.ones(len(THRESHOLDS), dtype=np.bool_)),
        ("@0.5", np.isclose(THRESHOLDS, 0.5)),
        ("@0.75", np.isclose(THRESHOLDS, 0.75)),
    ):
        objects = _object_values(counts, chosen)
        objects["cgF1"] = objects["positive_micro_F1"] * images["IL_MCC"]
        values |= {f"{name}{suffix}": value for name, value in objects.items()}
    return values


def _object_values(counts: QueryCounts, thresholds: BoolArray) -> dict[str, float]:
    """Return the numbers over objects, means over some of the thresholds."""
    hits, found, present = counts.hits[:, thresholds], counts.found, counts.present
    values = {}
    for prefix, rows in (("", slice(None)), ("positive_micro_", present > 0)):
        sums = hits[rows].sum(axis=0), found[rows].sum(), present[rows].sum()
        values[f"{prefix}precision"] = float((sums[0] / (sums[1] + _OBJECT_EPSILON)).mean())
        values[f"{prefix}recall"] = float((sums[0] / (sums[2] + _OBJECT_EPSILON)).mean())
        values[f"{prefix}F1"] = float(_f1(*sums).mean())
    both = (found > 0) & (present > 0)
    f1 = _f1(hits[both], found[both, None], present[both, None])
    values["positive_macro_F1"] = float(f1.mean()) if len(f1) else 0.0
    return values


def _image_values(counts: QueryCounts) -> dict[str, float]:
    """Return the numbers over whole images: is anything there, and was anything found?"""
    found, present = counts.found > 0, counts.present > 0
    right, alarm = float((found & present).sum()), float((found & ~present).sum())
    missed, silent = float((~found & present).sum()), float((~found & ~present).sum())
    precision = right / (right + alarm + _QUERY_EPSILON)
    recall = right / (right + missed + _QUERY_EPSILON)
    product = (right + alarm) * (right + missed) * (silent + alarm) * (silent + missed)
    return {
        "IL_precision": precision,
        "IL_recall": recall,
        "IL_F1": 2 * precision * recall / (precision + recall + _QUERY_EPSILON),
        "IL_FPR": alarm / (alarm + silent + _QUERY_EPSILON),
        "IL_MCC": (right * silent - alarm * missed) / (product**0.5 + _QUERY_EPSILON),
    }
