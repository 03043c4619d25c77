"""Referring expression scores: how well the one object found for each expression overlaps."""

from dataclasses import replace

import numpy as np

from glee.evaluation.arrays import FloatArray, IntArray, require_rows
from glee.evaluation.objects import Annotations, Predictions
from glee.evaluation.overlaps import box_intersections, mask_intersections
from glee.evaluation.regions import Boxes, Masks
from glee.evaluation.scores import Scores

PRECISION_THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)


def paired_scores(
    intersections: FloatArray, unions: FloatArray, *, inclusive: bool = False
) -> Scores:
    """Compute P@0.5 to P@0.9, mIoU and oIoU of one prediction for each expression.

    intersections  [N] pixels in both the predicted and the right region
    unions         [N] pixels in either
    inclusive      for P, count an overlap equal to the threshold; GLEE and UNINEXT do not

    P is the share of expressions that overlap enough (MDETR, arXiv:2104.12763), mIoU their mean
    overlap, and oIoU that of all pixels together (LAVT, arXiv:2112.02244, "Datasets and metrics").
    Nothing that overlaps nothing counts 0.
    """
    require_rows("unions", unions, len(intersections))
    if not len(unions):
        raise ValueError("intersections and unions must have at least one expression")
    ious = _divide(intersections, unions)
    values = {"mIoU": float(ious.mean())}
    values["oIoU"] = float(_divide(intersections.sum(), unions.sum()))
    for threshold in PRECISION_THRESHOLDS:
        found = ious >= threshold if inclusive else ious > threshold
        values[f"P@{threshold}"] = float(found.mean())
    return Scores(values)


def referring_scores(
    annotations: Annotations, predictions: Predictions, *, inclusive: bool = False
) -> Scores:
    """Compute the scores of boxes or of masks where each unit is an image with one expression.

    The surest prediction of an expression counts, the first of equals. Where there is none,
    nothing is found. The arguments are otherwise those of paired_scores.

    Returns also the IoU of each expression, by its id.
    Raises ValueError unless each expression has exactly one annotated object.
    """
    ids = annotations.catalog.unit_ids
    if not np.array_equal(np.sort(annotations.units), np.arange(len(ids))):
        raise ValueError(
            f"annotations must have one object for each of {len(ids)} expressions, got "
            f"{len(annotations)} objects of {len(np.unique(annotations.units))} expressions"
        )
    annotations = annotations.take(np.argsort(annotations.units))
    rows, answered = _surest_rows(predictions)
    intersections, unions = np.zeros(len(ids)), annotations.regions.areas()
    intersections[answered], unions[answered] = _compare(
        predictions.take(rows), annotations.take(answered)
    )
    ious = _divide(intersections, unions)
    notes = list(predictions.notes)
    if len(answered) < len(ids):
        notes.append(f"{len(ids) - len(answered)} of {len(ids)} expressions have no prediction")
    if len(rows) < len(predictions):
        notes.append(f"{len(predictions) - len(rows)} predictions are not the surest: not counted")
    return replace(
        paired_scores(intersections, unions, inclusive=inclusive),
        per_category={one: {"IoU": float(iou)} for one, iou in zip(ids, ious, strict=True)},
        notes=tuple(notes),
    )


def _divide(intersections: FloatArray, unions: FloatArray) -> FloatArray:
    """Return the quotients, 0 where there is no union."""
    quotients: FloatArray = intersections / np.where(unions > 0, unions, 1)
    return quotients


def _surest_rows(predictions: Predictions) -> tuple[IntArray, IntArray]:
    """Return the surest prediction of each unit that has any, and these units."""
    order = np.lexsort((-predictions.scores, predictions.units))
    units, first = np.unique(predictions.units[order], return_index=True)
    return order[first], units


def _compare(predictions: Predictions, annotations: Annotations) -> tuple[FloatArray, FloatArray]:
    """Return the intersections [N] and the unions [N] of pairs of regions."""
    match predictions.regions, annotations.regions:
        case Boxes() as found, Boxes() as true:
            shared = box_intersections(found.xywh, true.xywh)
        case Masks() as found_masks, Masks() as true_masks:
            pairs = zip(found_masks.rles(), true_masks.rles(), strict=True)
            shared = np.array([mask_intersections([one], [two])[0, 0] for one, two in pairs])
        case found_other, true_other:
            raise TypeError(
                f"predictions are {type(found_other).__name__} but annotations are "
                f"{type(true_other).__name__}; give boxes or masks for both"
            )
    return shared, predictions.regions.areas() + annotations.regions.areas() - shared
