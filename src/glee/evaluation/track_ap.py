"""Track AP: average precision of whole tracks of boxes with federated annotation, as in TAO."""

import numpy as np

from glee.evaluation.arrays import FloatArray
from glee.evaluation.average_precision import compute_curves, mean_of_known
from glee.evaluation.detection import category_values, subset_values
from glee.evaluation.federated import Federation, in_incomplete, keep_verified
from glee.evaluation.objects import Annotations, Predictions, describe
from glee.evaluation.scores import Scores
from glee.evaluation.subsets import Subset, match_subsets, subsets_by_area

TAO_SUBSETS = (
    *subsets_by_area(medium=32, large=96),
    Subset("_short", length=(0, 3)),
    Subset("_medium", length=(3, 10)),
    Subset("_long", length=(10, 1e5)),
)

# What TAO's toolkit uses unless told otherwise; others report the mean over 0.5 to 0.95.
TAO_THRESHOLDS: FloatArray = np.array([0.5])


def track_ap_scores(
    annotations: Annotations,
    predictions: Predictions,
    federation: Federation,
    *,
    thresholds: FloatArray = TAO_THRESHOLDS,
) -> Scores:
    """Compute AP and AR of tracks: in all, by mean area (s, m, l) and by length in frames.

    federation  what was verified in each video
    thresholds  [T] overlaps over time from which a track counts as found; AP50 and AP75 are NaN
                if they are not among them

    TAO (arXiv:2005.10356, "Evaluation"); TAO's toolkit.
    """
    predictions = keep_verified(predictions, annotations, federation)
    matches = match_subsets(
        annotations,
        predictions,
        TAO_SUBSETS,
        excused=in_incomplete(predictions, federation),
        thresholds=thresholds,
    )
    curves = compute_curves(matches)
    values = subset_values(curves, TAO_SUBSETS)
    for name, threshold in (("AP50", 0.5), ("AP75", 0.75)):
        values[name] = mean_of_known(curves.precision[0, np.isclose(thresholds, threshold)])
    per_category = category_values(curves, annotations.catalog.category_ids, TAO_SUBSETS)
    return Scores(values, per_category, describe(annotations, predictions, "videos"))
