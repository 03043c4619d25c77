"""Video instance scores: AP of tubes of masks, as in YouTube-VIS, OVIS, UVO and LV-VIS."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from glee.evaluation.average_precision import mean_of_known
from glee.evaluation.coco_json import sorted_by_id
from glee.evaluation.detection import class_agnostic_scores, coco_scores
from glee.evaluation.objects import Annotations, Predictions
from glee.evaluation.records import part
from glee.evaluation.scores import Scores
from glee.evaluation.subsets import subsets_by_area

YOUTUBE_VIS_SUBSETS = subsets_by_area(medium=128, large=256)

# LV-VIS numbers its parts: two of base and two of novel categories.
_LVVIS_PARTS = {"APb": (0, 1), "APn": (2, 3)}


def youtube_vis_scores(annotations: Annotations, predictions: Predictions) -> Scores:
    """Compute the 12 numbers of YouTube-VIS and OVIS; regions are tubes.

    YouTube-VIS (arXiv:1905.04804, "Evaluation metrics"); the fork of COCO's tool, with larger
    limits of area, over which the mean over time decides.
    """
    return coco_scores(annotations, predictions, subsets=YOUTUBE_VIS_SUBSETS, unit="videos")


def uvo_video_scores(annotations: Annotations, predictions: Predictions) -> Scores:
    """Compute the numbers of YouTube-VIS with all categories taken for one, as in UVO's videos."""
    return class_agnostic_scores(
        annotations, predictions, subsets=YOUTUBE_VIS_SUBSETS, unit="videos"
    )


def lvvis_scores(
    annotations: Annotations, predictions: Predictions, partitions: Sequence[int]
) -> Scores:
    """Compute the 12 numbers of LV-VIS, and AP over base (APb) and novel (APn) categories.

    partitions  [K] for each category 0 or 1 (base), 2 or 3 (novel)

    LV-VIS (arXiv:2304.01715, "Evaluation metrics"). Its tool differs from that of YouTube-VIS in
    that crowds are to be found like single objects.
    Raises ValueError for another partition, or not one for each category.
    """
    known = {number for numbers in _LVVIS_PARTS.values() for number in numbers}
    if len(partitions) != len(annotations.catalog.category_ids) or not set(partitions) <= known:
        raise ValueError(
            f"partitions must be 0 to 3 for each of {len(annotations.catalog.category_ids)} "
            f"categories, got {len(partitions)} of {sorted(set(partitions))}"
        )
    annotations = replace(annotations, crowd=np.zeros_like(annotations.crowd))
    scores = youtube_vis_scores(annotations, predictions)
    precision = np.array([one["AP"] for one in scores.per_category.values()])
    values = dict(scores.values)
    for name, numbers in _LVVIS_PARTS.items():
        values[name] = mean_of_known(precision[np.isin(partitions, numbers)])
    return replace(scores, values=values)


def read_partitions(data: Mapping[str, Any]) -> tuple[int, ...]:
    """Read the partition of every category of an LV-VIS annotation file, by rising category id."""
    categories = sorted_by_id(data, "categories")
    return tuple(part(one, "partition", "a category") for one in categories)
