"""Evidence: the objects behind one table of scores, matched as the scores were computed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from glee.evaluation.arrays import BoolArray, Id, IntArray
from glee.evaluation.average_precision import Matches
from glee.evaluation.detection import COCO_SUBSETS
from glee.evaluation.federated import Federation, in_incomplete, keep_verified
from glee.evaluation.objects import (
    Annotations,
    Predictions,
    keep_surest,
    merge_all_categories,
)
from glee.evaluation.subsets import Subset, match_subsets


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """Annotated and predicted objects, as they are compared.

    annotations     what was to be found
    predictions     what counts of the predictions
    excused         [N] bool, predictions that do not count if they find nothing; None for none
    max_detections  how many of the surest of an image and category count; None for all
    pooled          whether it is that of several data sets, whose score is the mean over these
    """

    annotations: Annotations
    predictions: Predictions
    excused: BoolArray | None = None
    max_detections: int | None = 100
    pooled: bool = False

    def matched(self) -> "Matched":
        """Return the same with what became of the predictions."""
        return Matched(self, self.match())

    def match(self, subsets: Sequence[Subset] = COCO_SUBSETS[:1]) -> Matches:
        """Match predictions with annotations in some subsets."""
        return match_subsets(
            self.annotations,
            self.predictions,
            subsets,
            excused=self.excused,
            max_detections=self.max_detections,
        )

    def of_units(self, keys: Sequence[Id]) -> "Evidence":
        """Return the evidence of some images only, in the same catalog.

        Raises ValueError for an image that the catalog does not have.
        """
        kept = np.zeros(len(self.annotations.catalog.unit_ids), dtype=np.bool_)
        kept[unit_rows(self.annotations, keys)] = True
        rows = np.flatnonzero(kept[self.predictions.units])
        return replace(
            self,
            annotations=self.annotations.take(np.flatnonzero(kept[self.annotations.units])),
            predictions=self.predictions.take(rows),
            excused=None if self.excused is None else self.excused[rows],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """Evidence, and what became of its predictions among all objects."""

    evidence: Evidence
    matches: Matches


def unit_rows(annotations: Annotations, keys: Sequence[Id]) -> IntArray:
    """Return the rows of some images in the catalog; raise ValueError for one that it lacks."""
    rows = {one: row for row, one in enumerate(annotations.catalog.unit_ids)}
    for key in keys:
        if key not in rows:
            raise ValueError(f"keys has {key!r}, which is not among the {len(rows)} images")
    return np.array([rows[key] for key in keys], dtype=np.int64)


def class_agnostic_evidence(annotations: Annotations, predictions: Predictions) -> Evidence:
    """Return the evidence of scores with all categories taken for one, as in UVO."""
    annotations, predictions = merge_all_categories(annotations, predictions)
    return Evidence(annotations=annotations, predictions=predictions)


def federated_evidence(
    annotations: Annotations,
    predictions: Predictions,
    federation: Federation,
    *,
    max_detections: int = 300,
) -> Evidence:
    """Return the evidence of LVIS' scores.

    federation      what was verified in each image
    max_detections  how many of the surest predictions of an image count, over all its categories
    """
    surest = keep_surest(predictions.scores, predictions.units, max_detections)
    kept = keep_verified(predictions.take(np.flatnonzero(surest)), annotations, federation)
    return Evidence(
        # LVIS knows no crowds.
        annotations=replace(annotations, crowd=np.zeros_like(annotations.crowd)),
        predictions=kept,
        excused=in_incomplete(kept, federation),
        max_detections=None,
    )
