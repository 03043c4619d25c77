"""OmniLabel scores: AP of boxes for category names and for free descriptions, long and short."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from glee.evaluation.arrays import Id
from glee.evaluation.average_precision import (
    THRESHOLDS,
    Matches,
    compute_curves,
    mean_of_known,
    merge_categories,
)
from glee.evaluation.objects import Annotations, Catalog, Predictions, describe
from glee.evaluation.scores import Scores
from glee.evaluation.subsets import Subset, match_subsets

# Every kind of question, with the groups of results in which it counts.
QUESTION_KINDS: tuple[frozenset[str], ...] = (
    frozenset({"categ"}),
    *(
        frozenset({"descr", length, *positive})
        for positive in (("descr-pos",), ())
        for length in ("descr-s", "descr-m", "descr-l")
    ),
)

_GROUPS = ("categ", "descr", "descr-pos", "descr-s", "descr-m", "descr-l")

# The most words of a short and of a medium description.
_SHORT, _MEDIUM = 3, 8


def question_kind(*, text: str, is_category: bool, is_present: bool) -> int:
    """Return the index in QUESTION_KINDS of asking for one description in one image.

    is_category  the text is a category name, not a free description
    is_present   an object in the image answers to it
    """
    if is_category:
        return 0
    words = len(text.split())
    length = "descr-s" if words <= _SHORT else "descr-m" if words <= _MEDIUM else "descr-l"
    positive = ("descr-pos",) if is_present else ()
    return QUESTION_KINDS.index(frozenset({"descr", length, *positive}))


@dataclass(frozen=True, slots=True, eq=False)
class Questions:
    """What is asked for in every image: each listed description on its own.

    catalog  its units are the questions, its categories the kinds of questions
    rows     the unit and the kind of each (image id, description id) that is asked
    """

    catalog: Catalog
    rows: Mapping[tuple[Id, Id], tuple[int, int]]


def omnilabel_scores(annotations: Annotations, predictions: Predictions) -> Scores:
    """Compute OmniLabel's 13 numbers.

    annotations, predictions  boxes whose units are questions and whose categories are kinds of
                              questions; a box that answers to several descriptions occurs in each

    The answers to all questions of a group make one ranking. AP_hm is the harmonic mean of those
    of category names and of descriptions. Returns also, by group, the number of objects.

    OmniLabel (arXiv:2304.11463, "Evaluation metric"); omnilabeltools.
    """
    matches = match_subsets(annotations, predictions, (Subset(),), max_detections=100)
    groups: dict[Id, dict[str, float]] = {name: _group_values(matches, name) for name in _GROUPS}
    values = {"AP_hm": _harmonic_mean(groups["categ"], groups["descr"])}
    values |= {f"AP_{name}": group["AP"] for name, group in groups.items()}
    for name in ("descr", "categ"):
        values |= {f"{key}_{name}": groups[name][key] for key in ("AP50", "AP75", "AR")}
    return Scores(values, groups, describe(annotations, predictions, "questions"))


def _group_values(matches: Matches, group: str) -> dict[str, float]:
    """Return AP, AR and the number of objects of the questions of one group."""
    merged = merge_categories(matches, np.array([group in kind for kind in QUESTION_KINDS]))
    curves = compute_curves(merged)
    at_50, at_75 = (np.isclose(THRESHOLDS, threshold) for threshold in (0.5, 0.75))
    return {
        "AP": mean_of_known(curves.precision),
        "AP50": mean_of_known(curves.precision[:, at_50]),
        "AP75": mean_of_known(curves.precision[:, at_75]),
        "AR": mean_of_known(curves.recall),
        "objects": float(merged.counts.sum()),
    }


def _harmonic_mean(first: Mapping[str, float], second: Mapping[str, float]) -> float:
    if not (first["objects"] and second["objects"]):
        return float("nan")
    # The small number is the official tool's; the mean is that much lower.
    return 2 * first["AP"] * second["AP"] / (first["AP"] + second["AP"] + 1e-5)
