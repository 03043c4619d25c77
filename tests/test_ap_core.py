import numpy as np
import pytest

from glee.evaluation.arrays import FloatArray
from glee.evaluation.average_precision import (
    HIT,
    IGNORED,
    MISS,
    THRESHOLDS,
    Curves,
    Detections,
    Matches,
    Truths,
    compute_curves,
    match,
    merge_categories,
)


def truths(count: int, *, ignored: tuple[int, ...] = (), crowd: tuple[int, ...] = ()) -> Truths:
    rows = np.arange(count)
    zeros = np.zeros(count, dtype=np.int64)
    return Truths(
        units=zeros,
        categories=zeros,
        ignored=np.isin(rows, [*ignored, *crowd])[None],
        crowd=np.isin(rows, crowd),
    )


def detections(scores: list[float], *, ignored: tuple[int, ...] = ()) -> Detections:
    zeros = np.zeros(len(scores), dtype=np.int64)
    return Detections(
        units=zeros,
        categories=zeros,
        scores=np.array(scores),
        ignored=np.isin(np.arange(len(scores)), ignored)[None],
    )


def matched(true: Truths, found: Detections, overlaps: list[list[float]]) -> Matches:
    """Match at the lowest threshold only."""
    table: FloatArray = np.array(overlaps)
    return match(
        true,
        found,
        lambda rows, cols: table[np.ix_(rows, cols)],
        num_categories=1,
        thresholds=THRESHOLDS[:1],
    )


def outcomes(true: Truths, found: Detections, overlaps: list[list[float]]) -> list[int]:
    return matched(true, found, overlaps).outcomes[0, 0].tolist()


def curves(outcome: list[int], *, count: int) -> Curves:
    number = len(outcome)
    zeros = np.zeros(number, dtype=np.int64)
    return compute_curves(
        Matches(
            units=zeros,
            categories=zeros,
            scores=-np.arange(number, dtype=np.float64),
            ranks=np.arange(number),
            rows=np.arange(number),
            outcomes=np.array(outcome, dtype=np.int8)[None, None],
            counts=np.array([[count]]),
        )
    )


def test_the_surest_detection_takes_the_object_and_a_second_one_is_wrong() -> None:
    assert outcomes(truths(1), detections([0.3, 0.9]), [[0.9], [0.6]]) == [HIT, MISS]


def test_of_equal_scores_the_first_detection_comes_first() -> None:
    found = matched(truths(1), detections([0.5, 0.5]), [[0.4], [0.9]])

    assert found.outcomes[0, 0].tolist() == [MISS, HIT]


def test_a_detection_takes_the_object_that_it_overlaps_most() -> None:
    table = [[0.6, 0.8], [0.0, 0.7]]

    assert outcomes(truths(2), detections([0.9, 0.8]), table) == [HIT, MISS]


def test_of_equal_overlaps_the_last_object_is_taken() -> None:
    table = [[0.6, 0.6], [0.6, 0.0]]

    assert outcomes(truths(2), detections([0.9, 0.8]), table) == [HIT, HIT]


def test_an_overlap_of_exactly_the_threshold_counts() -> None:
    assert outcomes(truths(1), detections([0.9]), [[0.5]]) == [HIT]


def test_an_object_that_counts_is_preferred_to_an_ignored_one_that_overlaps_more() -> None:
    table = [[0.9, 0.5]]

    assert outcomes(truths(2, ignored=(0,)), detections([0.9]), table) == [HIT]


def test_finding_an_ignored_object_does_not_count() -> None:
    table = [[0.9], [0.9]]

    found = outcomes(truths(1, ignored=(0,)), detections([0.9, 0.8]), table)

    assert found == [IGNORED, MISS]


def test_a_crowd_absorbs_any_number_of_detections() -> None:
    table = [[0.9], [0.9], [0.9]]

    found = outcomes(truths(1, crowd=(0,)), detections([0.9, 0.8, 0.7]), table)

    assert found == [IGNORED, IGNORED, IGNORED]


def test_a_detection_outside_of_the_subset_counts_only_if_it_finds_something() -> None:
    table = [[0.9], [0.2]]

    found = outcomes(truths(1), detections([0.9, 0.8], ignored=(0, 1)), table)

    assert found == [HIT, IGNORED]


def test_objects_of_other_units_and_categories_are_never_compared() -> None:
    flags = np.zeros((1, 3), dtype=np.bool_)
    true = Truths(
        units=np.array([0, 1, 0]),
        categories=np.array([0, 0, 1]),
        ignored=flags,
        crowd=flags[0],
    )
    found = Detections(
        units=np.array([1, 0, 1]),
        categories=np.array([1, 1, 0]),
        scores=np.ones(3),
        ignored=flags,
    )
    pairs: list[tuple[list[int], list[int]]] = []

    def overlaps(rows: np.ndarray, cols: np.ndarray) -> FloatArray:
        pairs.append((rows.tolist(), cols.tolist()))
        return np.ones((len(rows), len(cols)))

    match(true, found, overlaps, num_categories=2)

    assert sorted(pairs) == [([1], [2]), ([2], [1])]


def test_only_the_surest_detections_of_a_unit_and_category_take_part() -> None:
    found = match(
        truths(1),
        detections([0.1, 0.9, 0.5]),
        lambda rows, cols: np.zeros((len(rows), len(cols))),
        num_categories=1,
        max_detections=2,
    )

    assert found.scores.tolist() == [0.9, 0.5]
    assert found.ranks.tolist() == [0, 1]


def test_precision_is_the_best_at_that_recall_or_beyond() -> None:
    # Precision 1, 1/2, 2/3 at recalls 1/2, 1/2, 1.
    found = curves([HIT, MISS, HIT], count=2)

    precision = found.precision[0, 0, 0]
    assert precision[:51] == pytest.approx(1)
    assert precision[51:] == pytest.approx(2 / 3)
    assert found.recall[0, 0, 0] == 1


def test_precision_is_zero_at_recalls_that_are_not_reached() -> None:
    found = curves([HIT], count=4)

    assert found.precision[0, 0, 0].sum() == pytest.approx(26)  # recalls 0.00 to 0.25
    assert found.recall[0, 0, 0] == 0.25


def test_what_does_not_count_changes_nothing() -> None:
    with_ignored = curves([IGNORED, HIT, IGNORED, MISS, HIT], count=2)

    np.testing.assert_array_equal(
        with_ignored.precision, curves([HIT, MISS, HIT], count=2).precision
    )


def test_without_detections_precision_and_recall_are_zero() -> None:
    found = curves([], count=3)

    assert not found.precision.any()
    assert not found.recall.any()


def test_without_annotated_objects_there_is_no_precision() -> None:
    assert np.isnan(curves([MISS], count=0).precision).all()


def test_merged_categories_make_one_ranking() -> None:
    both = Matches(
        units=np.array([1, 0]),
        categories=np.array([0, 2]),
        scores=np.array([0.9, 0.8]),
        ranks=np.zeros(2, dtype=np.int64),
        rows=np.arange(2),
        outcomes=np.array([[[MISS, HIT]]], dtype=np.int8),
        counts=np.array([[0, 7, 1]]),
    )

    merged = compute_curves(merge_categories(both, np.array([True, False, True])))

    assert merged.precision[0, 0, 0] == pytest.approx(0.5)


def test_scores_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"scores\[1\] is nan"):
        detections([0.5, float("nan")])


def test_a_category_beyond_the_last_is_refused() -> None:
    with pytest.raises(ValueError, match=r"categories\[0\] is 0"):
        match(truths(1), detections([0.5]), lambda rows, cols: np.zeros((1, 1)), num_categories=0)
