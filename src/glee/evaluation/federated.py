"""Federated annotation: only some categories are verified in each image, as in LVIS and TAO."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from glee.evaluation.arrays import BoolArray, IntArray
from glee.evaluation.objects import Annotations, Catalog, Predictions
from glee.evaluation.records import listed, rows_by_id


@dataclass(frozen=True, slots=True, eq=False)
class Federation:
    """What annotators verified besides the annotated objects.

    absent      [M, 2] int64, rows of the catalog (image or video, category): verified to be absent
    incomplete  [M, 2] int64, the same: present, but not all of its objects are annotated

    LVIS (arXiv:1908.03195, "Evaluation details").
    """

    absent: IntArray
    incomplete: IntArray


def read_federation(data: Mapping[str, Any], catalog: Catalog, units: str) -> Federation:
    """Read what was verified from an annotation file in the format of LVIS or TAO.

    units  the part of the file that tells it: "images" or "videos"

    Categories in these lists that the file does not define are passed over: no prediction can be
    of them.

    Raises ValueError if the lists are missing, as in COCO's own files.
    """
    rows, columns = rows_by_id(catalog.unit_ids), rows_by_id(catalog.category_ids)
    pairs: list[IntArray] = []
    for key in ("neg_category_ids", "not_exhaustive_category_ids"):
        named = [
            (rows[unit["id"]], columns[category])
            for unit in listed(data, units, "the annotation file")
            for category in listed(unit, key, f"{units}, id {unit['id']!r},")
            if category in columns
        ]
        pairs.append(np.array(named, dtype=np.int64).reshape(-1, 2))
    return Federation(absent=pairs[0], incomplete=pairs[1])


def keep_verified(
    predictions: Predictions, annotations: Annotations, federation: Federation
) -> Predictions:
    """Leave out predictions of categories of which nothing is known in their image.

    What is known to be present (annotated) or absent stays.
    """
    known = is_verified(predictions, annotations, federation)
    return predictions if known.all() else predictions.take(np.flatnonzero(known))


def is_verified(
    predictions: Predictions, annotations: Annotations, federation: Federation
) -> BoolArray:
    """Return [N] bool, True where the category is known to be present or absent in the image."""
    present = np.stack([annotations.units, annotations.categories], axis=1)
    return _among(predictions, np.concatenate([present, federation.absent]))


def in_incomplete(predictions: Predictions, federation: Federation) -> BoolArray:
    """Return [N] bool, True where more objects of the category may be there than annotated."""
    return _among(predictions, federation.incomplete)


def _among(predictions: Predictions, pairs: IntArray) -> BoolArray:
    """Return [N] bool, True for predictions whose (unit, category) is among `pairs` [M, 2]."""
    stride = len(predictions.catalog.category_ids)
    return np.isin(
        predictions.units * stride + predictions.categories, pairs[:, 0] * stride + pairs[:, 1]
    )
