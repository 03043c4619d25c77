"""HOTA, CLEAR MOT and identity measures of each category of a benchmark, as for TAO and BURST."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from glee.evaluation.clear import Clear, clear, clear_summary
from glee.evaluation.combine import combine_sequences
from glee.evaluation.hota import Hota, hota, hota_summary
from glee.evaluation.identity import Identity, identity, identity_summary
from glee.evaluation.labelled_video import (
    LabelledVideo,
    categories_with_truth,
    category_video,
)


@dataclass(frozen=True, slots=True)
class CategoryTracking:
    """All tracking measures of one category over all videos."""

    hota: Hota
    clear: Clear
    identity: Identity


def track_categories(videos: Sequence[LabelledVideo]) -> dict[int, CategoryTracking]:
    """Compare the tracks of each category, in all videos where it can be judged.

    Returns the results of each category that has a true object in any video.
    """
    results: dict[int, list[CategoryTracking]] = {
        category: [] for category in categories_with_truth(videos)
    }
    for video in videos:
        # Elsewhere every prediction of the category would be dropped.
        for category in results.keys() & (video.gt_categories() | video.absent):
            tracks = category_video(video, category)
            results[category].append(
                CategoryTracking(hota(tracks), clear(tracks), identity(tracks))
            )
    return {category: combine_categories(parts) for category, parts in results.items()}


def combine_categories(results: Iterable[CategoryTracking]) -> CategoryTracking:
    """Add results object by object: a category counts by the number of its objects.

    Raises ValueError if there are none.
    """
    results = list(results)
    return CategoryTracking(
        combine_sequences(result.hota for result in results),
        combine_sequences(result.clear for result in results),
        combine_sequences(result.identity for result in results),
    )


def tracking_summary(result: CategoryTracking) -> dict[str, float]:
    """Return all measures and counts of one result by their names in the papers."""
    return {
        **hota_summary(result.hota),
        **clear_summary(result.clear),
        **identity_summary(result.identity),
    }


def mean_tracking(results: Iterable[CategoryTracking]) -> dict[str, float]:
    """Return the mean of `tracking_summary` over categories: each counts the same.

    Raises ValueError if there are none.
    """
    summaries = [tracking_summary(result) for result in results]
    if not summaries:
        raise ValueError("results is empty; give at least one category with a true object")
    return {name: float(np.mean([one[name] for one in summaries])) for name in summaries[0]}
