"""Annotations and predictions: the objects of a data set, with what tells which image is which."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from glee.evaluation.arrays import (
    BoolArray,
    FloatArray,
    Id,
    IntArray,
    require_finite,
    require_indices,
    require_rows,
)
from glee.evaluation.regions import Regions


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Catalog:
    """The images or videos ("units") and the categories of a data set.

    unit_ids      the ids of its images or videos, rising
    unit_sizes    [U, 2] int64, (height, width) of each in pixels
    unit_lengths  [U] int64, frames of each, 1 for an image
    category_ids  the ids of its categories, rising

    The order matters: equal scores are ranked by it, as the official tools do.
    Raises ValueError if an id occurs twice or is not in order.
    """

    unit_ids: tuple[Id, ...]
    unit_sizes: IntArray
    unit_lengths: IntArray
    category_ids: tuple[Id, ...]

    def __post_init__(self) -> None:
        require_rows("unit_sizes", self.unit_sizes, len(self.unit_ids))
        require_rows("unit_lengths", self.unit_lengths, len(self.unit_ids))
        for name in ("unit_ids", "category_ids"):
            ids = getattr(self, name)
            for before, after in pairwise(ids):
                if before == after:
                    raise ValueError(f"{name} has {after!r} twice; give each its own id")
                if before > after:
                    raise ValueError(f"{name} must rise, but {after!r} follows {before!r}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Annotations:
    """Annotated objects, in the order of their file.

    catalog     what `units` and `categories` count in
    units       [G] int64, row of the catalog's image or video
    categories  [G] int64, row of the catalog's category
    areas       [G] float64, pixels as annotated; decides about "small" and "large"
    crowd       [G] bool, an area with many objects: need not be found, covers any detection in it
    regions     G regions

    Raises ValueError if these disagree, or point outside of the catalog.
    """

    catalog: Catalog
    units: IntArray
    categories: IntArray
    areas: FloatArray
    crowd: BoolArray
    regions: Regions

    def __post_init__(self) -> None:
        for name in ("categories", "areas", "crowd", "regions"):
            require_rows(name, getattr(self, name), len(self.units))
        require_indices("units", self.units, len(self.catalog.unit_ids))
        require_indices("categories", self.categories, len(self.catalog.category_ids))
        require_finite("areas", self.areas)

    def __len__(self) -> int:
        return len(self.units)

    def take(self, rows: IntArray) -> "Annotations":
        """Return the objects in `rows`, in that order."""
        return replace(
            self,
            units=self.units[rows],
            categories=self.categories[rows],
            areas=self.areas[rows],
            crowd=self.crowd[rows],
            regions=self.regions.take(rows),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictions:
    """Predicted objects; equal scores keep this order.

    catalog     what `units` and `categories` count in
    units       [N] int64, row of the catalog's image or video
    categories  [N] int64, row of the catalog's category
    scores      [N] float64, higher is surer
    regions     N regions
    notes       rules applied while they were read

    Raises ValueError if these disagree, point outside of the catalog, or if a score is NaN.
    """

    catalog: Catalog
    units: IntArray
    categories: IntArray
    scores: FloatArray
    regions: Regions
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("categories", "scores", "regions"):
            require_rows(name, getattr(self, name), len(self.units))
        require_indices("units", self.units, len(self.catalog.unit_ids))
        require_indices("categories", self.categories, len(self.catalog.category_ids))
        require_finite("scores", self.scores)

    def __len__(self) -> int:
        return len(self.units)

    def take(self, rows: IntArray) -> "Predictions":
        """Return the objects in `rows`, in that order."""
        return replace(
            self,
            units=self.units[rows],
            categories=self.categories[rows],
            scores=self.scores[rows],
            regions=self.regions.take(rows),
        )

    def with_note(self, note: str) -> "Predictions":
        """Return the same objects with one more rule noted."""
        return replace(self, notes=(*self.notes, note))


def merge_all_categories(
    annotations: Annotations, predictions: Predictions
) -> tuple[Annotations, Predictions]:
    """Return the same objects as if they all were of one category, named "all".

    They are put in the order of their categories first, as COCO's tool does for equal scores.
    """
    catalog = replace(annotations.catalog, category_ids=("all",))
    annotations = annotations.take(np.argsort(annotations.categories, kind="stable"))
    predictions = predictions.take(np.argsort(predictions.categories, kind="stable"))
    return (
        replace(annotations, catalog=catalog, categories=np.zeros_like(annotations.categories)),
        replace(predictions, catalog=catalog, categories=np.zeros_like(predictions.categories)),
    )


def keep_surest(scores: FloatArray, groups: IntArray, count: int) -> BoolArray:
    """Return [N] bool, True for the `count` highest scores of each group; ties keep their order.

    scores  [N]
    groups  [N] int64, such as the image or the category of each
    """
    order = np.lexsort((-scores, groups))
    first = np.searchsorted(groups[order], groups[order], side="left")
    kept = np.zeros(len(order), dtype=np.bool_)
    kept[order] = np.arange(len(order)) - first < count
    return kept


def describe(annotations: Annotations, predictions: Predictions, unit: str) -> tuple[str, ...]:
    """Return in words what a reader of the scores should know of the predictions.

    unit  what the catalog's units are, in the plural: "images" or "videos"
    """
    notes = list(predictions.notes)
    if not len(annotations):
        notes.append("no object is annotated")
    annotated = np.unique(annotations.units)
    silent = int((~np.isin(annotated, predictions.units)).sum())
    if silent:
        notes.append(
            f"{silent} of {len(annotated)} {unit} with annotations have no predictions: "
            "nothing found there"
        )
    if repeats := count_repeats(predictions):
        notes.append(f"{repeats} predictions repeat another exactly: each counts, as officially")
    return tuple(notes)


def count_repeats(predictions: Predictions) -> int:
    """Return how many predictions equal an earlier one in all: unit, category, score, region."""
    columns = (
        predictions.regions.fingerprints(),
        predictions.scores,
        predictions.categories,
        predictions.units,
    )
    order = np.lexsort(columns)
    same = [column[order][1:] == column[order][:-1] for column in columns]
    return int(np.logical_and.reduce(same).sum())
