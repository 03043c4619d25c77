"""Subsets: objects within a range of area or length, for which average precision is told apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glee.evaluation.arrays import BoolArray, FloatArray
from glee.evaluation.average_precision import THRESHOLDS, Detections, Matches, Truths, match
from glee.evaluation.objects import Annotations, Predictions
from glee.evaluation.overlaps import compute_overlaps
from glee.evaluation.regions import Tracks

# The largest area and length that the official tools know.
_LARGEST_AREA, _LONGEST = 1e5**2, 1e5


@dataclass(frozen=True, slots=True)
class Subset:
    """Objects within a range of area and of length, both ends included.

    name    what is added to the names of scores: "s" in APs, nothing for all objects
    area    (lowest, highest) in pixels, over time the mean
    length  (fewest, most) frames; read for tracks only
    """

    name: str = ""
    area: tuple[float, float] = (0, _LARGEST_AREA)
    length: tuple[float, float] = (0, _LONGEST)


def subsets_by_area(medium: int, large: int) -> tuple[Subset, ...]:
    """Return all objects, the small, the medium and the large ones.

    medium, large  side in pixels of the square from which objects are medium and large
    """
    return (
        Subset(),
        Subset("s", (0, medium**2)),
        Subset("m", (medium**2, large**2)),
        Subset("l", (large**2, _LARGEST_AREA)),
    )


def match_subsets(
    annotations: Annotations,
    predictions: Predictions,
    subsets: Sequence[Subset],
    *,
    excused: BoolArray | None = None,
    thresholds: FloatArray = THRESHOLDS,
    max_detections: int | None = None,
) -> Matches:
    """Match predictions with annotations in every subset.

    An object outside of a subset is ignored there, and so is a prediction outside of it that
    finds nothing.

    excused  [N] bool, predictions that do not count in any subset if they find nothing
    """
    lengths, true_lengths = (
        objects.regions.lengths() if isinstance(objects.regions, Tracks) else np.ones(len(objects))
        for objects in (predictions, annotations)
    )
    areas = predictions.regions.areas()
    outside = np.stack([_outside(one, areas, lengths) for one in subsets])
    true_outside = np.stack([_outside(one, annotations.areas, true_lengths) for one in subsets])
    return match(
        Truths(
            units=annotations.units,
            categories=annotations.categories,
            ignored=true_outside | annotations.crowd,
            crowd=annotations.crowd,
        ),
        Detections(
            units=predictions.units,
            categories=predictions.categories,
            scores=predictions.scores,
            ignored=outside if excused is None else outside | excused,
        ),
        lambda rows, true: compute_overlaps(
            predictions.regions, rows, annotations.regions, true, annotations.crowd[true]
        ),
        num_categories=len(annotations.catalog.category_ids),
        thresholds=thresholds,
        max_detections=max_detections,
    )


def _outside(subset: Subset, areas: FloatArray, lengths: FloatArray) -> BoolArray:
    """Return which objects [N] lie outside of a subset."""
    ranges = ((areas, subset.area), (lengths, subset.length))
    return np.logical_or.reduce(
        [(values < low) | (values > high) for values, (low, high) in ranges]
    )
