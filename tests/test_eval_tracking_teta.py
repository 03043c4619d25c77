import pytest

from glee.evaluation.labelled_video import LabelledFrame, LabelledVideo
from glee.evaluation.teta import teta, teta_scores, teta_summary
from tracking_frames import labelled_frame

CAR, DOG, OTHER = 1, 2, 3


def car_summary(*frames: LabelledFrame) -> dict[str, float]:
    return teta_summary(teta([LabelledVideo(frames)])[CAR])


def test_a_perfect_track_has_teta_one() -> None:
    assert car_summary(*[labelled_frame([(1, CAR)], [(5, CAR)], [[1]])] * 3)["TETA"] == 1


def test_a_wrong_class_costs_classification_only() -> None:
    summary = car_summary(*[labelled_frame([(1, CAR)], [(5, OTHER)], [[1]])] * 3)

    assert (summary["LocA"], summary["AssocA"], summary["ClsA"]) == (1, 1, 0)
    assert summary["TETA"] == pytest.approx(2 / 3)


def test_a_wrong_class_is_a_false_positive_of_that_class() -> None:
    both = labelled_frame([(1, CAR), (2, DOG)], [(5, DOG), (6, DOG)], [[1, 0], [0, 1]])

    results = teta([LabelledVideo((both,))])

    assert teta_summary(results[DOG])["ClsPr"] == pytest.approx(1 / 2)
    assert teta_summary(results[DOG])["ClsRe"] == 1
    assert teta_summary(results[CAR])["ClsA"] == 0


def test_a_prediction_on_no_annotated_object_costs_nothing() -> None:
    assert car_summary(labelled_frame([(1, CAR)], [(5, CAR), (6, CAR)], [[1, 0.4]]))["TETA"] == 1


def test_a_second_prediction_on_an_object_costs_localisation() -> None:
    summary = car_summary(labelled_frame([(1, CAR)], [(5, CAR), (6, CAR)], [[1, 0.5]]))

    assert summary["LocPr"] == pytest.approx(1 / 2)
    assert summary["LocRe"] == 1


def test_a_prediction_that_stands_for_another_category_is_in_its_cluster_only() -> None:
    # Prediction 6 overlaps the car, but it is the dog's.
    both = labelled_frame([(1, CAR), (2, DOG)], [(5, CAR), (6, DOG)], [[1, 0.6], [0, 1]])

    results = teta([LabelledVideo((both,))])

    assert teta_summary(results[CAR])["LocPr"] == 1
    assert teta_summary(results[DOG])["LocPr"] == 1


def test_a_track_cut_in_halves_has_half_the_association() -> None:
    frames = [labelled_frame([(1, CAR)], [(one, CAR)], [[1]]) for one in (5, 5, 6, 6)]

    assert car_summary(*frames)["AssocA"] == pytest.approx(1 / 2)


def test_nothing_found_has_teta_zero_and_categories_count_alike() -> None:
    video = LabelledVideo((labelled_frame([(1, CAR), (2, DOG)], [(5, CAR)], [[1], [0]]),))

    scores = teta_scores([video])

    assert scores.per_category[DOG]["TETA"] == 0
    assert scores["TETA"] == pytest.approx(1 / 2)


def test_teta_without_any_true_object_is_an_error() -> None:
    with pytest.raises(ValueError, match="no true object"):
        teta_scores([LabelledVideo(())])
