import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark_layouts import IMAGE_LAYOUTS, write_json
from eval_cases_detection import read_images
from glee.cli.main import main
from glee.evaluation.average_precision import HIT
from glee.evaluation.benchmarks.odinw import ODINW13
from glee.evaluation.benchmarks.open import open_benchmark
from glee.evaluation.benchmarks.source import Source
from glee.evaluation.details import sample_rows, write_details
from glee.evaluation.evidence import Evidence, class_agnostic_evidence, federated_evidence
from glee.evaluation.federated import read_federation
from glee.evaluation.pooling import DataSet, pool_boxes
from glee.evaluation.resampling import PrecisionSample, sample_precision
from glee.evaluation.result import EvaluationResult, Row
from glee.evaluation.sample_file import load_sample, sample_path, stored_tables
from glee.evaluation.scoring import score_predictions

GOLDEN = Path(__file__).parent / "golden" / "eval"
KINDS = {"bbox": "boxes", "segm": "masks"}


def average_precision(evidence: Evidence) -> float:
    ids = evidence.annotations.catalog.unit_ids
    sample = sample_precision(evidence.matched(), ids)
    return float(sample.resample(np.ones((1, len(ids)), dtype=np.int64))["AP"][0])


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_stored_gives_the_ap_of_cocos_tool(kind: str) -> None:
    case = GOLDEN / "coco/detection_s1"
    expected = json.loads((case / "expected.json").read_text())

    annotations, predictions = read_images(case / "gt.json", case / "pred.json", KINDS[kind])  # type: ignore[arg-type]

    evidence = Evidence(annotations=annotations, predictions=predictions)
    assert average_precision(evidence) == pytest.approx(expected[kind]["stats"]["AP"], abs=1e-12)


def test_what_is_stored_gives_the_ap_of_lvis_tool() -> None:
    case = GOLDEN / "lvis/val_s2"
    expected = json.loads((case / "expected.json").read_text())
    annotations, predictions = read_images(case / "gt.json", case / "pred.json", "boxes")

    data = json.loads((case / "gt.json").read_text())
    federation = read_federation(data, annotations.catalog, "images")

    evidence = federated_evidence(annotations, predictions, federation)
    assert average_precision(evidence) == pytest.approx(expected["bbox"]["AP"], abs=1e-12)


def test_categories_taken_for_one_are_matched_as_one() -> None:
    case = GOLDEN / "coco/detection_s1"

    evidence = class_agnostic_evidence(*read_images(case / "gt.json", case / "pred.json", "boxes"))

    assert evidence.annotations.catalog.category_ids == ("all",)
    assert 0 < average_precision(evidence) < 1


@pytest.fixture
def scored(tmp_path: Path) -> Callable[[str], tuple[Path, EvaluationResult]]:
    """What scores the annotations of a small data set, but for the last, as predictions."""

    def score(name: str) -> tuple[Path, EvaluationResult]:
        root, out = tmp_path / "data", tmp_path / "out"
        IMAGE_LAYOUTS[name](root)
        benchmark = open_benchmark(name, Source(root=root))
        annotations: list[dict[str, Any]] = json.loads(benchmark.files[0].read_text())[
            "annotations"
        ]
        write_json(tmp_path / "found.json", [one | {"score": 0.9} for one in annotations[:-1]])
        return out, score_predictions(benchmark, tmp_path / "found.json", out, report=True)

    return score


@pytest.mark.parametrize("name", ["coco", "lvis-minival", "objects365", "uvo"])
def test_runs_keep_what_their_ap_follows_from(
    name: str, scored: Callable[[str], tuple[Path, EvaluationResult]]
) -> None:
    out, result = scored(name)

    tables = stored_tables(out)
    assert set(tables) == {"box", "mask"} & set(result.values)
    for table in tables:
        sample = load_sample(sample_path(out, table))
        assert isinstance(sample, PrecisionSample)
        ones = np.ones((1, len(sample.unit_ids)), dtype=np.int64)
        ap = sample.resample(ones)["AP"][0]
        assert ap == pytest.approx(result.values[table]["AP"], abs=1e-12)
    page = (out / "report.html").read_text()
    assert "The worst 1 images" in page
    assert "1 missed, 0 false" in page


def test_expressions_are_drawn_by_themselves_and_named_in_the_report(
    scored: Callable[[str], tuple[Path, EvaluationResult]],
) -> None:
    out, result = scored("refcoco-val")

    sample = load_sample(sample_path(out, "mask"))
    ones = np.ones((1, len(sample.unit_ids)), dtype=np.int64)
    assert sample.resample(ones)["mean IoU"][0] == pytest.approx(result.values["mask"]["mIoU"])
    worst = next(row for row in result.classes if row.values["IoU"] == 0)
    assert f"image {worst.id}, {worst.name}: 0 found" in (out / "report.html").read_text()


def test_data_sets_of_odinw_are_shown_together(tmp_path: Path) -> None:
    IMAGE_LAYOUTS["odinw13"](tmp_path)
    raccoon = json.loads((tmp_path / "odinw/dataset" / ODINW13["Raccoon"]).read_text())
    found = [one | {"score": 0.9} for one in raccoon["annotations"]]
    write_json(tmp_path / "found/Raccoon.json", found)
    benchmark = open_benchmark("odinw13", Source(root=tmp_path))

    result = score_predictions(benchmark, tmp_path / "found", tmp_path / "out", report=True)

    page = (tmp_path / "out/report.html").read_text()
    assert "26 annotated objects, 2 predictions" in page
    assert "The worst 12 images" in page  # those of all data sets but one
    assert "image PascalVOC/8: 0 found, 2 missed, 0 false" in page
    # The mean over data sets would not follow from what all categories come to.
    assert result.metric("average AP").value == pytest.approx(100 / 13)
    assert stored_tables(tmp_path / "out") == []


def test_pooled_categories_keep_their_names_apart() -> None:
    case = GOLDEN / "coco/detection_s1"
    objects = read_images(case / "gt.json", case / "pred.json", "boxes")
    ids = objects[0].catalog.category_ids
    part = DataSet(annotations=objects[0], predictions=objects[1], names=dict.fromkeys(ids, "o"))

    pooled = pool_boxes({"b": part, "a": part})

    catalog = pooled.annotations.catalog
    assert catalog.category_ids[0] == f"a: o ({min(ids, key=str)})"
    assert len(catalog.category_ids) == 2 * len(ids)
    assert len(pooled.predictions) == 2 * len(objects[1])
    # Nothing of one data set is matched with the other.
    alone = Evidence(annotations=objects[0], predictions=objects[1])
    hits = [(one.match().outcomes == HIT).sum() for one in (alone, pooled)]
    assert hits[1] == 2 * hits[0] > 0


def test_objects_without_a_number_are_left_out_of_a_mean() -> None:
    rows = [
        Row(table="mask", id=n, name="", values={"IoU": value})
        for n, value in enumerate([0.5, float("nan"), 1.0])
    ]

    found = sample_rows(rows).resample(np.array([[1, 1, 1], [0, 1, 0]]))

    assert found["mean IoU"][0] == 0.75
    assert np.isnan(found["mean IoU"][1])


def test_a_benchmark_that_is_not_matched_has_a_report_and_nothing_to_compare(
    tmp_path: Path,
) -> None:
    IMAGE_LAYOUTS["clicks-grabcut"](tmp_path)
    benchmark = open_benchmark("clicks-grabcut", Source(root=tmp_path))
    write_json(tmp_path / "found.json", [])
    result = score_predictions(benchmark, tmp_path / "found.json", None)

    path = write_details(benchmark, result, lambda: iter(()), benchmark.keys, tmp_path)

    assert path == tmp_path / "report.html"
    assert stored_tables(tmp_path) == []


def test_the_command_compares_two_runs(
    scored: Callable[[str], tuple[Path, EvaluationResult]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, _ = scored("coco")
    words = ["eval", "compare", str(out), str(out), "--replicates", "20"]

    assert main([*words, "--json", "--out", str(tmp_path / "comparison.json")]) == 0

    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "comparison.json").read_text())
    assert printed["tables"]["box"][0]["change"]["value"] == 0
    assert printed["drawing"] == {"replicates": 20, "confidence": 0.95, "seed": 0}


def test_the_command_names_a_run_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "compare", "nowhere", "nowhere"]) == 1

    assert "evaluation result 'nowhere' not found" in capsys.readouterr().err
