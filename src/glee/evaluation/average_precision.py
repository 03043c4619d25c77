"""Average precision: scored detections greedily matched with annotated objects, and the curves.

The rules are those of COCO's tool (arXiv:1405.0312, "Algorithmic analysis"; pycocotools), which
LVIS, YouTube-VIS, TAO and OmniLabel share. They differ in what is compared and what is ignored,
and that is an argument here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from glee.evaluation.arrays import (
    BoolArray,
    FloatArray,
    IntArray,
    require_finite,
    require_indices,
    require_rows,
)

THRESHOLDS: FloatArray = np.linspace(0.5, 0.95, 10)
"""Overlaps from which a detection counts as correct."""

RECALLS: FloatArray = np.linspace(0, 1, 101)
"""Recalls at which precision is read off."""

HIT, MISS, IGNORED = 1, 0, -1
"""What became of a detection: it found an object, it is wrong, or it does not count."""

Outcomes = NDArray[np.int8]

Overlaps = Callable[[IntArray, IntArray], FloatArray]
"""Which detections [D] and which annotated objects [G] to compare, to overlaps [D, G] in 0..1."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truths:
    """Annotated objects.

    units       [G] int64, the image or video of each
    categories  [G] int64, 0..K-1; only what shares unit and category is ever compared
    ignored     [S, G] bool, in each of S subsets: need not be found, and finding it does not count
    crowd       [G] bool, may be found any number of times
    """

    units: IntArray
    categories: IntArray
    ignored: BoolArray
    crowd: BoolArray

    def __post_init__(self) -> None:
        require_rows("categories", self.categories, len(self.units))
        require_rows("ignored", self.ignored.T, len(self.units))
        require_rows("crowd", self.crowd, len(self.units))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detections:
    """Scored detections, in an order that decides between equal scores.

    units       [N] int64, the image or video of each
    categories  [N] int64, 0..K-1
    scores      [N] float64, higher is surer
    ignored     [S, N] bool, in each of S subsets: does not count if it finds nothing
    """

    units: IntArray
    categories: IntArray
    scores: FloatArray
    ignored: BoolArray

    def __post_init__(self) -> None:
        require_rows("categories", self.categories, len(self.units))
        require_rows("scores", self.scores, len(self.units))
        require_rows("ignored", self.ignored.T, len(self.units))
        require_finite("scores", self.scores)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matches:
    """What became of the detections, sorted by category, unit and falling score.

    units       [N] int64
    categories  [N] int64
    scores      [N] float64
    ranks       [N] int64, place among the detections of the same unit and category, from 0
    rows        [N] int64, which of the detections that were given each is
    outcomes    [S, T, N] int8, HIT, MISS or IGNORED in each subset at each threshold
    counts      [S, K] int64, objects to be found
    """

    units: IntArray
    categories: IntArray
    scores: FloatArray
    ranks: IntArray
    rows: IntArray
    outcomes: Outcomes
    counts: IntArray

    def take(self, rows: IntArray) -> "Matches":
        """Return what became of some detections, in rising order; their ranks stay."""
        return replace(
            self,
            units=self.units[rows],
            categories=self.categories[rows],
            scores=self.scores[rows],
            ranks=self.ranks[rows],
            rows=self.rows[rows],
            outcomes=self.outcomes[:, :, rows],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curves:
    """Precision and recall in S subsets, at T thresholds, of K categories.

    precision  [S, T, K, R] the best precision at each of RECALLS or more, 0 where not reached
    recall     [S, T, K] highest recall
    Both are NaN where nothing is annotated.
    """

    precision: FloatArray
    recall: FloatArray


def match(
    truths: Truths,
    detections: Detections,
    overlaps: Overlaps,
    *,
    num_categories: int,
    thresholds: FloatArray = THRESHOLDS,
    max_detections: int | None = None,
) -> Matches:
    """Give each detection, surest first, the free object that it overlaps most.

    An object that counts is preferred to one that is ignored; of equal overlaps, the object that
    comes last wins. Detections beyond the `max_detections` surest of their unit and category are
    left out.

    Raises ValueError if a category does not lie in 0..num_categories-1.
    """
    require_indices("categories", truths.categories, num_categories)
    require_indices("categories", detections.categories, num_categories)
    order = np.lexsort((-detections.scores, detections.units, detections.categories))
    ranks = _ranks(detections.categories[order], detections.units[order])
    if max_detections is not None:
        order, ranks = order[ranks < max_detections], ranks[ranks < max_detections]
    wrong = np.where(detections.ignored[:, order], np.int8(IGNORED), np.int8(MISS))
    outcomes = np.repeat(wrong[:, None], len(thresholds), axis=1)
    for rows, true in _groups(detections, order, truths):
        _match_group(
            outcomes[:, :, rows],
            overlaps(order[rows], true),
            truths.ignored[:, true],
            truths.crowd[true],
            thresholds,
        )
    return Matches(
        units=detections.units[order],
        categories=detections.categories[order],
        scores=detections.scores[order],
        ranks=ranks,
        rows=order,
        outcomes=outcomes,
        counts=_count(truths, num_categories),
    )


def _ranks(categories: IntArray, units: IntArray) -> IntArray:
    """Return the place [N] of each row in its run of rows of one category and unit."""
    places = np.arange(len(units))
    starts = np.ones(len(units), dtype=np.bool_)
    starts[1:] = (categories[1:] != categories[:-1]) | (units[1:] != units[:-1])
    return places - np.maximum.accumulate(np.where(starts, places, 0))


def _count(truths: Truths, num_categories: int) -> IntArray:
    """Return the number [S, K] of objects to be found."""
    return np.stack(
        [np.bincount(truths.categories[~row], minlength=num_categories) for row in truths.ignored]
    )


def _groups(
    detections: Detections, order: IntArray, truths: Truths
) -> Iterator[tuple[slice, IntArray]]:
    """Yield which sorted detections and which objects share a unit and a category."""
    stride = 1 + max(detections.units.max(initial=0), truths.units.max(initial=0))
    keys = (detections.categories * stride + detections.units)[order]
    true_keys = truths.categories * stride + truths.units
    true_order = np.argsort(true_keys, kind="stable")
    true_keys = true_keys[true_order]
    shared = np.intersect1d(keys, true_keys)
    starts, stops = (np.searchsorted(keys, shared, side=side) for side in ("left", "right"))
    first, last = (np.searchsorted(true_keys, shared, side=side) for side in ("left", "right"))
    for start, stop, low, high in zip(starts, stops, first, last, strict=True):
        yield slice(start, stop), true_order[low:high]


def _match_group(
    outcomes: Outcomes,
    overlaps: FloatArray,
    ignored: BoolArray,
    crowd: BoolArray,
    thresholds: FloatArray,
) -> None:
    """Match the detections of one unit and category in place, in all subsets at all thresholds.

    outcomes  [S, T, D] of detections with the surest first, changed where they find an object
    overlaps  [D, G]
    ignored   [S, G]
    crowd     [G]
    """
    last = overlaps.shape[1] - 1
    taken = np.zeros((*outcomes.shape[:2], last + 1), dtype=np.bool_)  # [S, T, G]
    for row in np.flatnonzero(overlaps.max(axis=1) >= thresholds.min()):
        free = (overlaps[row] >= thresholds[:, None]) & ~(taken & ~crowd)
        if not free.any():
            continue
        counted = free & ~ignored[:, None]
        usable = np.where(counted.any(axis=-1, keepdims=True), counted, free)
        # Turned round, because argmax returns the first of equals.
        best = last - np.where(usable, overlaps[row], -1)[..., ::-1].argmax(axis=-1)
        subset, threshold = np.nonzero(usable.any(axis=-1))
        winner = best[subset, threshold]
        taken[subset, threshold, winner] = True
        outcomes[subset, threshold, row] = np.where(ignored[subset, winner], IGNORED, HIT)


def merge_categories(matches: Matches, merged: BoolArray) -> Matches:
    """Return the matches of some categories as those of a single one.

    merged  [K] bool, True for the categories to put together; the others are left out. Units
            must not span several of them, since ranks were counted within each
    """
    rows = np.flatnonzero(merged[matches.categories])
    rows = rows[np.argsort(matches.units[rows], kind="stable")]
    return Matches(
        units=matches.units[rows],
        categories=np.zeros(len(rows), dtype=np.int64),
        scores=matches.scores[rows],
        ranks=matches.ranks[rows],
        rows=matches.rows[rows],
        outcomes=matches.outcomes[:, :, rows],
        counts=matches.counts[:, merged].sum(axis=1, keepdims=True),
    )


def compute_curves(matches: Matches, *, max_detections: int | None = None) -> Curves:
    """Return the precision and recall of every category.

    max_detections  how many of the surest detections of a unit and category count; None for all
    """
    num_subsets, num_categories = matches.counts.shape
    shape = num_subsets, matches.outcomes.shape[1], num_categories
    precision, recall = np.full((*shape, len(RECALLS)), np.nan), np.full(shape, np.nan)
    bounds = np.searchsorted(matches.categories, np.arange(num_categories + 1))
    for category in np.flatnonzero(matches.counts.any(axis=0)):
        rows = np.arange(bounds[category], bounds[category + 1])
        if max_detections is not None:
            rows = rows[matches.ranks[rows] < max_detections]
        rows = rows[np.argsort(-matches.scores[rows], kind="stable")]
        for subset, threshold in product(range(shape[0]), range(shape[1])):
            if count := matches.counts[subset, category]:
                at = subset, threshold, category
                precision[at], recall[at] = _curve(matches.outcomes[subset, threshold, rows], count)
    return Curves(precision=precision, recall=recall)


def _curve(outcomes: Outcomes, count: int) -> tuple[FloatArray, float]:
    """Return the precision [R] at RECALLS and the highest recall of detections, surest first."""
    hits = np.cumsum(outcomes[outcomes != IGNORED] == HIT)
    if not len(hits):
        return np.zeros(len(RECALLS)), 0.0
    recall = hits / count
    # The smallest number that matters, as in COCO's tool; it only ever lowers the first entry.
    precision = hits / (np.arange(1, len(hits) + 1) + np.spacing(1))
    best_behind = np.maximum.accumulate(precision[::-1])[::-1]
    reached = np.searchsorted(recall, RECALLS, side="left")
    return np.append(best_behind, 0.0)[reached], recall[-1]


def mean_of_known(values: FloatArray) -> float:
    """Return the mean of what is not NaN, NaN if nothing is left."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
