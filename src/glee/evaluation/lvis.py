"""LVIS scores: AP with federated annotation, by frequency of the categories, and fixed AP."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from glee.evaluation.arrays import IntArray
from glee.evaluation.average_precision import Curves, compute_curves, mean_of_known
from glee.evaluation.coco_json import sorted_by_id
from glee.evaluation.detection import COCO_SUBSETS, category_values, precision_values
from glee.evaluation.federated import Federation, in_incomplete, keep_verified
from glee.evaluation.objects import Annotations, Predictions, describe, keep_surest
from glee.evaluation.records import part
from glee.evaluation.scores import Scores
from glee.evaluation.subsets import match_subsets

_FREQUENCIES = ("r", "c", "f")


def lvis_scores(
    annotations: Annotations,
    predictions: Predictions,
    federation: Federation,
    frequencies: Sequence[str],
    *,
    max_detections: int = 300,
) -> Scores:
    """Compute LVIS' 13 numbers.

    federation      what was verified in each image
    frequencies     [K] "r" (rare), "c" (common) or "f" (frequent) for each category
    max_detections  how many of the surest predictions of an image count, over all its categories

    LVIS (arXiv:1908.03195, "Evaluation details"); lvis-api.
    Raises ValueError for a frequency of another name, or not one for each category.
    """
    limited = _limit(predictions, predictions.units, max_detections, "image")
    curves = _federated_curves(annotations, limited, federation)
    values = _precision_values(curves, frequencies)
    for row, subset in enumerate(COCO_SUBSETS):
        values[f"AR{subset.name}@{max_detections}"] = mean_of_known(curves.recall[row])
    return Scores(
        values,
        category_values(curves, annotations.catalog.category_ids, COCO_SUBSETS),
        describe(annotations, limited, "images"),
    )


def lvis_fixed_ap(
    annotations: Annotations,
    predictions: Predictions,
    federation: Federation,
    frequencies: Sequence[str],
    *,
    per_category: int = 10_000,
) -> Scores:
    """Compute LVIS' AP with a budget of predictions per category instead of per image.

    per_category  how many of the surest predictions of a category count, over all images

    "Evaluating Large-Vocabulary Object Detectors" (arXiv:2102.01066, "AP-fixed").
    Raises ValueError as lvis_scores does.
    """
    limited = _limit(predictions, predictions.categories, per_category, "category")
    curves = _federated_curves(annotations, limited, federation)
    return Scores(
        _precision_values(curves, frequencies),
        category_values(curves, annotations.catalog.category_ids, COCO_SUBSETS),
        describe(annotations, limited, "images"),
    )


def read_frequencies(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Read the frequency of every category of an LVIS annotation file, by rising category id."""
    categories = sorted_by_id(data, "categories")
    return tuple(part(one, "frequency", "a category") for one in categories)


def _limit(predictions: Predictions, groups: IntArray, count: int, name: str) -> Predictions:
    """Return the `count` surest predictions of each group, and note if others are left out."""
    kept = keep_surest(predictions.scores, groups, count)
    if kept.all():
        return predictions
    note = f"{int((~kept).sum())} predictions beyond the {count} surest of their {name} left out"
    return predictions.take(np.flatnonzero(kept)).with_note(note)


def _federated_curves(
    annotations: Annotations, predictions: Predictions, federation: Federation
) -> Curves:
    predictions = keep_verified(predictions, annotations, federation)
    # LVIS knows no crowds.
    annotations = replace(annotations, crowd=np.zeros_like(annotations.crowd))
    excused = in_incomplete(predictions, federation)
    return compute_curves(match_subsets(annotations, predictions, COCO_SUBSETS, excused=excused))


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
