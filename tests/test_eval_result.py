import json
import math
from pathlib import Path

import pytest

from glee.evaluation.result import (
    Counts,
    EvaluationResult,
    Metric,
    Row,
    read_result,
    write_result,
)


def make_result() -> EvaluationResult:
    return EvaluationResult(
        benchmark="coco",
        model="lite",
        settings={"max_objects": 100, "scoring": "pair", "shortest": None},
        deviations=("max_objects is 50, in the paper 100",),
        metrics=(Metric(name="box AP", value=54.0, paper=55.0), Metric(name="NoC", value=2.5)),
        values={"box": {"AP": 0.54, "APs": math.nan}},
        classes=(Row(table="box", id=3, name="car", values={"AP": 0.5}),),
        sizes=(Row(table="box", id="s", name="small", values={"AP": math.nan}),),
        counts=Counts(units=2, unit="images", predictions=7, missing=1, faults=0),
        notes=("1 of 2 images has no predictions",),
        versions={"glee": "0.1.0"},
        seconds=1.5,
    )


def test_a_result_survives_its_file(tmp_path: Path) -> None:
    write_result(make_result(), tmp_path)

    found = read_result(tmp_path)

    assert found.to_json() == make_result().to_json()
    assert math.isnan(found.values["box"]["APs"])
    assert found.metric("box AP").difference == pytest.approx(-1.0)


def test_result_files_hold_plain_json_without_nan(tmp_path: Path) -> None:
    path = write_result(make_result(), tmp_path)

    def refuse(word: str) -> float:
        raise AssertionError(f"{word} is not JSON")

    assert json.loads(path.read_text(), parse_constant=refuse)["sizes"][0]["values"]["AP"] is None


def test_a_file_that_is_no_result_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"format": "something"}')

    with pytest.raises(ValueError, match=r"other\.json is no evaluation result: .*'something'"):
        read_result(tmp_path / "other.json")


def test_a_result_without_a_part_is_refused() -> None:
    values = make_result().to_json()
    del values["counts"]

    with pytest.raises(ValueError, match="lacks a part or has one more: 'counts'"):
        EvaluationResult.from_json(values)
