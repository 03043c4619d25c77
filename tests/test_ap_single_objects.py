from dataclasses import replace

import numpy as np
import pytest

from glee.evaluation.arrays import FloatArray
from glee.evaluation.concept_f1 import concept_f1_scores
from glee.evaluation.objects import Annotations, Catalog, Predictions
from glee.evaluation.referring import paired_scores, referring_scores
from glee.evaluation.regions import Boxes

BOX = (0.0, 0.0, 10.0, 10.0)
HALF = (0.0, 0.0, 10.0, 5.0)
AWAY = (50.0, 50.0, 10.0, 10.0)
Row = tuple[int, tuple[float, ...]]
CATALOG = Catalog(
    unit_ids=(1, 2, 3, 4),
    unit_sizes=np.full((4, 2), 100),
    unit_lengths=np.ones(4, dtype=np.int64),
    category_ids=(1,),
)
ALL = np.ones(4, dtype=np.bool_)


def boxes(rows: tuple[Row, ...]) -> FloatArray:
    return np.array([box for _, box in rows], dtype=np.float64).reshape(-1, 4)


def annotations(*rows: Row) -> Annotations:
    """Each row is (query, box)."""
    return Annotations(
        catalog=CATALOG,
        units=np.array([unit for unit, _ in rows], dtype=np.int64),
        categories=np.zeros(len(rows), dtype=np.int64),
        areas=np.ones(len(rows)),
        crowd=np.zeros(len(rows), dtype=np.bool_),
        regions=Boxes(boxes(rows)),
    )


def predictions(*rows: Row, scores: list[float] | None = None) -> Predictions:
    return Predictions(
        catalog=CATALOG,
        units=np.array([unit for unit, _ in rows], dtype=np.int64),
        categories=np.zeros(len(rows), dtype=np.int64),
        scores=np.ones(len(rows)) if scores is None else np.array(scores),
        regions=Boxes(boxes(rows)),
    )


EVERY = annotations((0, BOX), (1, BOX), (2, BOX), (3, BOX))


def test_precision_counts_overlaps_beyond_the_threshold_only() -> None:
    shared, union = np.array([5.0, 6.0, 10.0, 0.0]), np.full(4, 10.0)

    strict = paired_scores(shared, union)
    inclusive = paired_scores(shared, union, inclusive=True)

    assert [strict[f"P@{t}"] for t in (0.5, 0.6, 0.9)] == [0.5, 0.25, 0.25]
    assert [inclusive[f"P@{t}"] for t in (0.5, 0.6, 0.9)] == [0.75, 0.5, 0.25]


def test_the_mean_overlap_counts_expressions_and_the_overall_one_pixels() -> None:
    scores = paired_scores(np.array([1.0, 90.0]), np.array([10.0, 100.0]))

    assert scores["mIoU"] == pytest.approx(0.5)
    assert scores["oIoU"] == pytest.approx(91 / 110)


def test_nothing_found_where_nothing_is_counts_zero() -> None:
    assert paired_scores(np.zeros(1), np.zeros(1))["mIoU"] == 0


def test_an_expression_is_answered_by_its_surest_prediction() -> None:
    found = predictions((0, AWAY), (0, HALF), (0, BOX), scores=[0.1, 0.9, 0.9])

    scores = referring_scores(EVERY, found)

    assert scores.per_category[1]["IoU"] == pytest.approx(0.5)
    assert scores.notes == (
        "3 of 4 expressions have no prediction",
        "2 predictions are not the surest: not counted",
    )


def test_unanswered_expressions_count_in_every_number() -> None:
    scores = referring_scores(EVERY, predictions((2, BOX)))

    assert [scores[name] for name in ("P@0.9", "mIoU", "oIoU")] == pytest.approx([0.25] * 3)


def test_an_expression_means_exactly_one_object() -> None:
    with pytest.raises(ValueError, match="one object for each of 4 expressions, got 2"):
        referring_scores(annotations((0, BOX), (0, BOX)), predictions())


def test_perfect_answers_to_all_phrases_score_one() -> None:
    true = annotations((0, BOX), (0, AWAY), (1, BOX))

    scores = concept_f1_scores([true], [ALL], predictions((0, AWAY), (0, BOX), (1, BOX)))

    assert scores["cgF1"] == pytest.approx(1, abs=1e-3)
    assert scores["IL_MCC"] == pytest.approx(1, abs=1e-5)
    assert scores["IL_FPR"] == 0


def test_a_false_alarm_costs_the_correlation_but_not_the_f1_of_present_phrases() -> None:
    true = annotations((0, BOX), (1, BOX))

    scores = concept_f1_scores([true], [ALL], predictions((0, BOX), (1, BOX), (2, BOX)))

    assert scores["positive_micro_F1"] == pytest.approx(1, abs=1e-3)
    assert scores["IL_FPR"] == pytest.approx(0.5, abs=1e-5)
    assert scores["IL_MCC"] == pytest.approx(2 / 12**0.5, abs=1e-5)
    assert scores["F1"] == pytest.approx(0.8, abs=1e-3)


def test_predictions_below_one_half_do_not_exist() -> None:
    found = predictions((0, BOX), (0, AWAY), scores=[0.5, 0.49])

    scores = concept_f1_scores([annotations((0, BOX))], [ALL], found)

    assert scores["precision"] == pytest.approx(1, abs=1e-3)
    assert "1 predictions have a score below 0.5: not counted" in scores.notes


def test_overlap_thresholds_are_told_apart() -> None:
    # The half overlaps by 0.5: enough at the lowest of ten thresholds only.
    scores = concept_f1_scores([annotations((0, BOX))], [ALL], predictions((0, HALF)))

    assert scores["positive_micro_F1@0.5"] == pytest.approx(1, abs=1e-3)
    assert scores["positive_micro_F1@0.75"] == 0
    assert scores["positive_micro_F1"] == pytest.approx(0.1, abs=1e-3)


def test_objects_are_paired_for_the_largest_sum_of_overlaps() -> None:
    # The first prediction overlaps both boxes by more, but the second needs the smaller one.
    true = annotations((0, BOX), (0, (0.0, 0.0, 10.0, 12.0)))
    found = predictions((0, (0.0, 0.0, 10.0, 10.5)), (0, (0.0, 0.0, 10.0, 5.5)))

    scores = concept_f1_scores([true], [ALL], found)

    assert scores["recall@0.5"] == pytest.approx(1, abs=1e-3)


def test_the_annotator_who_agrees_best_counts_in_each_query() -> None:
    first, second = annotations((0, BOX), (1, AWAY)), annotations((0, AWAY), (1, BOX))

    scores = concept_f1_scores([first, second], [ALL, ALL], predictions((0, BOX), (1, BOX)))

    assert scores["recall"] == pytest.approx(1, abs=1e-3)


def test_silence_agrees_with_an_annotator_who_marked_nothing() -> None:
    scores = concept_f1_scores([annotations((0, BOX)), annotations()], [ALL, ALL], predictions())

    assert scores["IL_recall"] == 0
    assert scores["F1"] == 0


def test_queries_that_are_not_exhaustive_for_all_annotators_are_left_out() -> None:
    some = np.array([True, False, True, True])
    true = annotations((0, BOX), (1, BOX))

    scores = concept_f1_scores([true, true], [ALL, some], predictions((0, BOX)))

    assert scores["recall"] == pytest.approx(1, abs=1e-3)
    assert "1 queries are not exhaustively annotated: left out" in scores.notes


def test_every_annotator_tells_what_is_exhaustive() -> None:
    with pytest.raises(ValueError, match="same length of 1 or more, got 2 and 1"):
        concept_f1_scores([EVERY, replace(EVERY)], [ALL], predictions())
