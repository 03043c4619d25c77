"""LVIS scores: AP with federated annotation, by frequency of the categories, and fixed AP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from glee.evaluation.arrays import IntArray
from glee.evaluation.average_precision import Curves, Matches, compute_curves, mean_of_known
from glee.evaluation.coco_json import sorted_by_id
from glee.evaluation.detection import COCO_SUBSETS, category_values, precision_values
from glee.evaluation.federated import Federation, in_incomplete, is_verified
from glee.evaluation.objects import Annotations, Predictions, describe, keep_surest
from glee.evaluation.records import part
from glee.evaluation.scores import Scores
from glee.evaluation.subsets import match_subsets

_FREQUENCIES = ("r", "c", "f")

MAX_DETECTIONS, PER_CATEGORY = 300, 10_000
"""Predictions that count: of an image, or of a category over all images for fixed AP."""


@dataclass(frozen=True, slots=True, eq=False)
class LvisMatches:
    """Predictions of LVIS, matched once for all numbers.

    annotations  what was to be found
    predictions  all of them
    rows         [M] int64, those that can be judged: their category is verified in their image
    matches      what became of these
    """

    annotations: Annotations
    predictions: Predictions
    rows: IntArray
    matches: Matches


def match_lvis(
    annotations: Annotations, predictions: Predictions, federation: Federation
) -> LvisMatches:
    """Match predictions by LVIS' rules.

    federation  what was verified in each image

    What is limited later, to the surest of an image or of a category, leaves out the least sure of
    each image and category: matches, which are made surest first, stay the same.
    """
    # LVIS knows no crowds.
    counted = replace(annotations, crowd=np.zeros_like(annotations.crowd))
    rows = np.flatnonzero(is_verified(predictions, annotations, federation))
    kept = predictions if len(rows) == len(predictions) else predictions.take(rows)
    excused = in_incomplete(kept, federation)
    matches = match_subsets(counted, kept, COCO_SUBSETS, excused=excused)
    return LvisMatches(annotations, predictions, rows, matches)


def lvis_scores(
    annotations: Annotations,
    predictions: Predictions,
    federation: Federation,
    frequencies: Sequence[str],
    *,
    max_detections: int = MAX_DETECTIONS,
) -> Scores:
    """Compute LVIS' 13 numbers.

    federation      what was verified in each image
    frequencies     [K] "r" (rare), "c" (common) or "f" (frequent) for each category
    max_detections  how many of the surest predictions of an image count, over all its categories

    LVIS (arXiv:1908.03195, "Evaluation details"); lvis-api.
    Raises ValueError for a frequency of another name, or not one for each category.
    """
    return _per_image(match_lvis(annotations, predictions, federation), frequencies, max_detections)


def lvis_fixed_ap(
    annotations: Annotations,
    predictions: Predictions,
    federation: Federation,
    frequencies: Sequence[str],
    *,
    per_category: int = PER_CATEGORY,
) -> Scores:
    """Compute LVIS' AP with a budget of predictions per category instead of per image.

    per_category  how many of the surest predictions of a category count, over all images

    "Evaluating Large-Vocabulary Object Detectors" (arXiv:2102.01066, "AP-fixed").
    Raises ValueError as lvis_scores does.
    """
    return _per_category(
        match_lvis(annotations, predictions, federation), frequencies, per_category
    )


def lvis_tables(
    annotations: Annotations,
    predictions: Predictions,
    federation: Federation,
    frequencies: Sequence[str],
) -> tuple[Scores, Scores]:
    """Compute LVIS' 13 numbers, and fixed AP, in the time of one of them."""
    matched = match_lvis(annotations, predictions, federation)
    return (
        _per_image(matched, frequencies, MAX_DETECTIONS),
        _per_category(matched, frequencies, PER_CATEGORY),
    )


def read_frequencies(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Read the frequency of every category of an LVIS annotation file, by rising category id."""
    categories = sorted_by_id(data, "categories")
    return tuple(part(one, "frequency", "a category") for one in categories)


def _per_image(matched: LvisMatches, frequencies: Sequence[str], count: int) -> Scores:
    curves, limited = _limit(matched, matched.predictions.units, count, "image")
    values = _precision_values(curves, frequencies)
    for row, subset in enumerate(COCO_SUBSETS):
        values[f"AR{subset.name}@{count}"] = mean_of_known(curves.recall[row])
    return _scores(matched, curves, limited, values)


def _per_category(matched: LvisMatches, frequencies: Sequence[str], count: int) -> Scores:
    curves, limited = _limit(matched, matched.predictions.categories, count, "category")
    return _scores(matched, curves, limited, _precision_values(curves, frequencies))


def _limit(
    matched: LvisMatches, groups: IntArray, count: int, name: str
) -> tuple[Curves, Predictions]:
    """Return the curves of the `count` surest predictions of each group, and these.

    groups  [N] int64, of each prediction
    """
    predictions, matches = matched.predictions, matched.matches
    kept = keep_surest(predictions.scores, groups, count)
    if kept.all():
        return compute_curves(matches), predictions
    note = f"{int((~kept).sum())} predictions beyond the {count} surest of their {name} left out"
    limited = predictions.take(np.flatnonzero(kept)).with_note(note)
    return compute_curves(matches.take(np.flatnonzero(kept[matched.rows[matches.rows]]))), limited


def _scores(
    matched: LvisMatches, curves: Curves, limited: Predictions, values: dict[str, float]
) -> Scores:
    ids = matched.annotations.catalog.category_ids
    notes = describe(matched.annotations, limited, "images")
    return Scores(values, category_values(curves, ids, COCO_SUBSETS), notes)


def _precision_values(curves: Curves, frequencies: Sequence[str]) -> dict[str, float]:
    """Return AP, by threshold, by area and by frequency."""
    if len(frequencies) != curves.precision.shape[2] or not set(frequencies) <= set(_FREQUENCIES):
        raise ValueError(
            f"frequencies must be r, c or f for each of {curves.precision.shape[2]} categories, "
            f"got {len(frequencies)} of {sorted(set(frequencies))}"
        )
    values = precision_values(curves, COCO_SUBSETS)
    for name in _FREQUENCIES:
        rows = np.array(list(frequencies)) == name
        values[f"AP{name}"] = mean_of_known(curves.precision[0][:, rows])
    return values
