from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glee.evaluation.arrays import FloatArray, Id, IntArray
from glee.evaluation.average_precision import HIT, IGNORED, MISS, THRESHOLDS
from glee.evaluation.bootstrap import Drawing, compare_samples, draw_weights
from glee.evaluation.compare import compare_runs, write_comparison
from glee.evaluation.detection import coco_scores
from glee.evaluation.evidence import Evidence
from glee.evaluation.objects import Annotations, Catalog, Predictions
from glee.evaluation.regions import Boxes
from glee.evaluation.resampling import PrecisionSample, ShareSample, sample_precision
from glee.evaluation.result import Counts, EvaluationResult, write_result
from glee.evaluation.sample_file import load_sample, sample_path, save_sample

FEW = Drawing(replicates=200)


def catalog(num_units: int) -> Catalog:
    return Catalog(
        unit_ids=tuple(range(num_units)),
        unit_sizes=np.full((num_units, 2), 640),
        unit_lengths=np.ones(num_units, dtype=np.int64),
        category_ids=(1, 2, 3),
    )


def random_evidence(num_units: int = 12) -> Evidence:
    """Return objects in three categories, some of them crowds, and moved copies as predictions.

    Scores are equal between images, and never within one.
    """
    random = np.random.default_rng(0)
    units, source = np.repeat(np.arange(num_units), 4), random.integers(0, 4 * num_units, 150)
    categories = random.integers(0, 3, len(units))
    scores = np.zeros(len(source))
    for unit in range(num_units):
        own = np.flatnonzero(units[source] == unit)
        scores[own] = random.permutation(len(own)) / 20
    boxes = np.concatenate(
        [random.uniform(0, 500, (len(units), 2)), random.uniform(5, 140, (len(units), 2))], axis=1
    )
    return Evidence(
        annotations=Annotations(
            catalog=catalog(num_units),
            units=units,
            categories=categories,
            areas=boxes[:, 2] * boxes[:, 3],
            crowd=random.random(len(units)) < 0.1,
            regions=Boxes(boxes),
        ),
        predictions=Predictions(
            catalog=catalog(num_units),
            units=units[source],
            categories=categories[source],
            scores=scores,
            regions=Boxes(boxes[source] * random.normal(1, 0.08, (len(source), 4)).clip(0.5)),
        ),
    )


def repeat_units(evidence: Evidence, weights: IntArray) -> Evidence:
    """Return a data set that really has each image so many times, copies side by side."""
    whole = catalog(int(weights.sum()))
    starts = np.cumsum(weights) - weights
    pairs = []
    for objects in (evidence.annotations, evidence.predictions):
        rows = np.repeat(np.arange(len(objects)), weights[objects.units])
        copies = np.concatenate([np.arange(n) for n in weights[objects.units]])
        units = starts[objects.units[rows]] + copies
        pairs.append(replace(objects.take(rows), catalog=whole, units=units))
    return Evidence(annotations=pairs[0], predictions=pairs[1])


def precision_sample(evidence: Evidence) -> PrecisionSample:
    return sample_precision(evidence.matched(), evidence.annotations.catalog.unit_ids)


def test_images_that_occur_once_have_the_official_scores() -> None:
    evidence = random_evidence()

    found = precision_sample(evidence).resample(np.ones((1, 12), dtype=np.int64))

    official = coco_scores(evidence.annotations, evidence.predictions)
    for name in ("AP", "AP50", "AP75"):
        assert found[name][0] == pytest.approx(official[name], abs=1e-12)


def test_weights_count_as_real_copies_of_images() -> None:
    evidence = random_evidence()
    weights = np.array([[0, 3, 1, 0, 2, 1, 1, 0, 2, 1, 1, 0], [1, 0, 0, 5, 0, 1, 1, 1, 1, 1, 0, 1]])

    found = precision_sample(evidence).resample(weights)

    for row, own in enumerate(weights):
        copied = repeat_units(evidence, own)
        official = coco_scores(copied.annotations, copied.predictions)
        assert found["AP"][row] == pytest.approx(official["AP"], abs=1e-12)
        assert found["AP75"][row] == pytest.approx(official["AP75"], abs=1e-12)


def test_images_without_any_object_have_no_score() -> None:
    sample = three_images([HIT, HIT, HIT])

    assert np.isnan(sample.resample(np.array([[0, 0, 0]]))["AP"]).all()


def three_images(outcome: list[int], ids: tuple[Id, ...] = ("a", "b", "c")) -> PrecisionSample:
    """Return one object and one detection for each of three images, surest first."""
    return PrecisionSample(
        unit_ids=ids,
        units=np.arange(3),
        categories=np.zeros(3, dtype=np.int64),
        scores=np.array([0.9, 0.8, 0.7]),
        outcomes=np.repeat(np.array([outcome], dtype=np.int8), len(THRESHOLDS), axis=0),
        true_units=np.arange(3),
        true_categories=np.zeros(3, dtype=np.int64),
    )


@pytest.mark.parametrize(
    ("outcome", "weights", "expected"),
    [
        ([HIT, HIT, HIT], [1, 1, 1], 1.0),
        # Recall 1/3 at precision 1: 34 of the 101 recalls, 0 to 0.33.
        ([HIT, MISS, MISS], [1, 1, 1], 34 / 101),
        # The image that is right drawn twice of three: recall 2/3, recalls 0 to 0.66.
        ([HIT, MISS, MISS], [2, 1, 0], 67 / 101),
        # A miss before the hit halves the precision, two misses leave a third.
        ([MISS, HIT, MISS], [1, 1, 1], 34 / 101 / 2),
        ([MISS, HIT, MISS], [2, 1, 0], 34 / 101 / 3),
        # What is ignored is no miss.
        ([IGNORED, HIT, MISS], [1, 1, 1], 34 / 101),
        ([MISS, MISS, MISS], [1, 1, 1], 0.0),
    ],
)
def test_average_precision_of_drawn_images_by_hand(
    outcome: list[int], weights: list[int], expected: float
) -> None:
    found = three_images(outcome).resample(np.array([weights]))

    assert found["AP"].tolist() == pytest.approx([expected])


def test_detections_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="sorted by category and falling score"):
        replace(three_images([HIT, HIT, HIT]), scores=np.array([0.7, 0.8, 0.9]))


def test_every_draw_has_as_many_images_and_the_same_seed_the_same_draws() -> None:
    first, again, other = (
        np.concatenate(list(draw_weights(7, Drawing(replicates=120, seed=seed))))
        for seed in (3, 3, 4)
    )

    assert first.shape == (120, 7)
    assert (first.sum(axis=1) == 7).all()
    assert (first == again).all()
    assert (first != other).any()


def shares(values: list[float], ids: tuple[Id, ...] | None = None) -> ShareSample:
    numbers: FloatArray = np.array(values)
    return ShareSample(
        unit_ids=ids or tuple(range(len(values))),
        numerators={"mean": numbers},
        denominators={"mean": np.ones(len(values))},
    )


def test_a_run_compared_with_itself_has_no_change() -> None:
    sample = precision_sample(random_evidence())

    for one in compare_samples(sample, sample, FEW):
        assert (one.change.value, one.change.low, one.change.high) == (0.0, 0.0, 0.0)
        assert one.probability == 0.5
        assert not one.is_clear


def test_what_is_better_by_the_same_on_every_image_is_clearly_better() -> None:
    first = np.random.default_rng(0).random(50)

    (one,) = compare_samples(shares(first.tolist()), shares((first + 0.125).tolist()), FEW)

    # Paired: however different the images are, each draw changes by the same.
    assert (one.change.low, one.change.high) == pytest.approx((0.125, 0.125))
    assert one.probability == 1.0
    assert one.is_clear


def test_the_interval_of_a_mean_is_that_of_its_standard_error() -> None:
    values = np.tile([0.0, 1.0], 200)  # of 400: standard error 0.5 / 20

    (one,) = compare_samples(shares([0.0] * 400), shares(values.tolist()), Drawing(replicates=4000))

    assert one.change.low == pytest.approx(0.5 - 1.96 * 0.025, abs=0.005)
    assert one.change.high == pytest.approx(0.5 + 1.96 * 0.025, abs=0.005)


def test_shares_are_sums_divided_by_sums() -> None:
    sample = ShareSample(
        unit_ids=(1, 2),
        numerators={"oIoU": np.array([1.0, 30.0])},
        denominators={"oIoU": np.array([2.0, 40.0])},
    )

    found = sample.resample(np.array([[1, 1], [2, 0]]))

    assert found["oIoU"].tolist() == pytest.approx([31 / 42, 0.5])


def test_runs_on_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match=r"other images \(2 and 3, 1 in one of them only\)"):
        compare_samples(shares([0, 1], ("a", "b")), shares([0, 1, 0], ("a", "b", "c")), FEW)


@pytest.mark.parametrize(
    ("choice", "message"),
    [({"replicates": 0}, "replicates must be at least 1"), ({"confidence": 1.0}, "confidence")],
)
def test_impossible_draws_are_refused(choice: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Drawing(**choice)


def test_samples_survive_their_file(tmp_path: Path) -> None:
    weights = np.array([[1, 0, 2]])
    for name, sample in (("a", three_images([HIT, MISS, HIT])), ("b", shares([0.5, 1, 0]))):
        save_sample(sample, tmp_path / name)

        restored = load_sample(tmp_path / name)

        assert restored.unit_ids == sample.unit_ids
        expected = sample.resample(weights)
        assert {k: v.tolist() for k, v in restored.resample(weights).items()} == {
            k: v.tolist() for k, v in expected.items()
        }


@pytest.mark.parametrize("content", [b"", b"nothing", b"PK\x03\x04broken"])
def test_damaged_samples_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "matches-box.npz"
    path.write_bytes(content)

    with pytest.raises(ValueError, match="holds no matches of a run"):
        load_sample(path)


def write_run(
    folder: Path,
    outcome: list[int],
    *,
    benchmark: str = "coco",
    scoring: str = "pair",
    model: str = "",
) -> Path:
    folder.mkdir()
    result = EvaluationResult(
        benchmark=benchmark,
        model=model or folder.name,
        settings={"scoring": scoring},
        counts=Counts(units=3, unit="images", predictions=3, missing=0, faults=0),
    )
    write_result(result, folder)
    save_sample(three_images(outcome), sample_path(folder, "box"))
    return folder


def test_runs_are_compared_by_what_they_have_stored(tmp_path: Path) -> None:
    first = write_run(tmp_path / "first", [HIT, MISS, MISS])
    second = write_run(tmp_path / "second", [HIT, HIT, HIT], scoring="object")

    found = compare_runs(first, second, FEW)

    change = found.tables["box"][0].change
    assert change.value == pytest.approx(67 / 101)
    assert found.notes == ("scoring is pair in the first run, object in the second",)
    assert "box AP" in found.to_text()
    assert "+66.34" in found.to_text()
    write_comparison(found, tmp_path / "comparison.json")
    assert found.to_json()["tables"]["box"][0]["name"] == "AP"


def test_runs_of_the_same_model_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    folders = [write_run(tmp_path / name, [HIT, MISS, HIT], model="nano") for name in "ab"]

    found = compare_runs(folders[0], folders[1], FEW)

    assert (found.first, found.second) == (str(folders[0]), str(folders[1]))


def test_means_over_expressions_are_not_said_to_be_of_images(tmp_path: Path) -> None:
    folders = [write_run(tmp_path / name, [HIT, MISS, HIT], benchmark="davis") for name in "ab"]
    for folder in folders:
        save_sample(shares([0.5, 1, 0]), sample_path(folder, "box"))

    text = compare_runs(folders[0], folders[1], FEW).to_text()

    assert text.startswith("davis: 3 expressions or objects, drawn")


def test_runs_of_other_benchmarks_are_refused(tmp_path: Path) -> None:
    first = write_run(tmp_path / "first", [HIT, MISS, MISS])
    second = write_run(tmp_path / "second", [HIT, HIT, HIT], benchmark="lvis")

    with pytest.raises(ValueError, match=r"is a run of coco, but .* of lvis"):
        compare_runs(first, second, FEW)


def test_runs_without_matches_are_named(tmp_path: Path) -> None:
    first = write_run(tmp_path / "first", [HIT, MISS, MISS])
    second = write_run(tmp_path / "second", [HIT, HIT, HIT])
    sample_path(second, "box").unlink()

    with pytest.raises(FileNotFoundError, match="second has no matches to compare"):
        compare_runs(first, second, FEW)
