"""Detection scores: COCO's AP and AR of boxes and masks, class-agnostic ones, ODinW's average."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from glee.evaluation.arrays import Id
from glee.evaluation.average_precision import (
    THRESHOLDS,
    Curves,
    Matches,
    compute_curves,
    mean_of_known,
)
from glee.evaluation.objects import Annotations, Predictions, describe, merge_all_categories
from glee.evaluation.scores import Scores
from glee.evaluation.subsets import Subset, match_subsets, subsets_by_area

COCO_SUBSETS = subsets_by_area(medium=32, large=96)


def coco_scores(
    annotations: Annotations,
    predictions: Predictions,
    *,
    max_detections: Sequence[int] = (1, 10, 100),
    subsets: Sequence[Subset] = COCO_SUBSETS,
    unit: str = "images",
) -> Scores:
    """Compute COCO's numbers: AP, AP50, AP75, AP and AR by area, AR by number of detections.

    max_detections  how many detections of an image and category count for AR, rising; AP and
                    what is told by area take the last
    subsets         all objects first, then what is told apart
    unit            what the catalog's units are, for the notes

    COCO (arXiv:1405.0312); pycocotools. The area of a predicted mask is that of its pixels.
    """
    matches = match_subsets(annotations, predictions, subsets, max_detections=max_detections[-1])
    curves = compute_curves(matches)
    values = precision_values(curves, subsets)
    for count in max_detections:
        limited = compute_curves(first_subset(matches), max_detections=count)
        values[f"AR{count}"] = mean_of_known(limited.recall[0])
    for row, subset in enumerate(subsets[1:], start=1):
        values[f"AR{subset.name}"] = mean_of_known(curves.recall[row])
    return Scores(
        values,
        category_values(curves, annotations.catalog.category_ids, subsets),
        describe(annotations, predictions, unit),
    )


def class_agnostic_scores(
    annotations: Annotations,
    predictions: Predictions,
    *,
    max_detections: Sequence[int] = (1, 10, 100),
    subsets: Sequence[Subset] = COCO_SUBSETS,
    unit: str = "images",
) -> Scores:
    """Compute COCO's numbers with all categories taken for one, as in UVO's open world.

    UVO (arXiv:2104.04691, "Evaluation"): AR100 of masks; the arguments are those of coco_scores.
    """
    annotations, predictions = merge_all_categories(annotations, predictions)
    return coco_scores(
        annotations, predictions, max_detections=max_detections, subsets=subsets, unit=unit
    )


def odinw_average(scores: Mapping[str, Scores]) -> Scores:
    """Compute the plain mean of the AP of several data sets, such as ODinW's 13 or 35.

    scores  the detection scores of each data set

    ODinW (arXiv:2112.03857, "Object detection in the wild"). Raises ValueError if there is no
    data set, or one without an AP: leaving it out would change the mean silently.
    """
    if not scores:
        raise ValueError("scores must have at least one data set")
    for name, one in scores.items():
        if np.isnan(one["AP"]):
            raise ValueError(f"data set {name!r} has no AP: nothing is annotated in it")
    mean = float(np.mean([one["AP"] for one in scores.values()]))
    notes = tuple(f"{name}: {note}" for name, one in scores.items() for note in one.notes)
    return Scores({"AP": mean}, {name: one.values for name, one in scores.items()}, notes)


def few_shot_summary(averages: Sequence[float]) -> Scores:
    """Compute the mean and the population standard deviation over runs with different shots.

    averages  what each run came to, such as its average AP
    """
    if not averages:
        raise ValueError("averages must have the AP of at least one run")
    return Scores({"AP": float(np.mean(averages)), "AP_std": float(np.std(averages))})


def precision_values(curves: Curves, subsets: Sequence[Subset]) -> dict[str, float]:
    """Return AP, AP at two thresholds, and AP in every subset but the first."""
    values = {"AP": mean_of_known(curves.precision[0])}
    for name, threshold in (("AP50", 0.5), ("AP75", 0.75)):
        rows = np.isclose(THRESHOLDS, threshold)
        values[name] = mean_of_known(curves.precision[0, rows])
    for row, subset in enumerate(subsets[1:], start=1):
        values[f"AP{subset.name}"] = mean_of_known(curves.precision[row])
    return values


def category_values(
    curves: Curves, ids: Sequence[Id], subsets: Sequence[Subset]
) -> dict[Id, dict[str, float]]:
    """Return AP and AR of every category in every subset; NaN where nothing is annotated."""
    columns = (
        Curves(precision=curves.precision[:, :, [column]], recall=curves.recall[:, :, [column]])
        for column in range(len(ids))
    )
    return {one: subset_values(column, subsets) for one, column in zip(ids, columns, strict=True)}


def subset_values(curves: Curves, subsets: Sequence[Subset]) -> dict[str, float]:
    """Return AP and AR in every subset, means over thresholds and categories."""
    values = {}
    for row, subset in enumerate(subsets):
        values[f"AP{subset.name}"] = mean_of_known(curves.precision[row])
        values[f"AR{subset.name}"] = mean_of_known(curves.recall[row])
    return values


def first_subset(matches: Matches) -> Matches:
    """Return the matches in the first subset only."""
    return replace(matches, outcomes=matches.outcomes[:1], counts=matches.counts[:1])
