import json
import re
from contextlib import nullcontext
from pathlib import Path

import pytest

import glee
from benchmark_layouts import make_coco, write_json
from glee.cli.main import main
from glee.evaluation.benchmarks.open import NAMES
from glee.evaluation.paper import PAPER, SPREADS, beside_paper
from glee.evaluation.paper_few_shot import MODELS as FEW_SHOT_MODELS
from glee.evaluation.result import Counts, EvaluationResult, Metric
from glee.evaluation.table import format_result
from glee.inference.predictor import Predictor


@pytest.fixture
def data(tmp_path: Path, predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small COCO, where every model is the tiny one."""
    make_coco(tmp_path)
    monkeypatch.setattr(glee, "load", lambda *_, **__: predictor, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_prints_the_table_and_keeps_what_it_found(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["eval", "coco", "--data", str(data), "--model", "lite"])

    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    # All pairs of the tiny network's 20 queries with 3 names.
    assert lines[0] == "coco, lite: 3 images, 180 predictions"
    assert lines[1].split() == ["ours", "paper", "difference"]
    assert lines[2].split()[:2] == ["box", "AP"]
    assert lines[2].split()[3] == "55.0"
    assert "protocol: scoring pair, max_objects 100, shortest 0, limit None" in lines
    kept = {path.name for path in (data / "eval_out/coco-lite").iterdir()}
    assert kept == {
        "result.json",
        "predictions.jsonl",
        "run.json",
        "faults.json",
        "report.html",
        "matches-box.npz",
        "matches-mask.npz",
    }


def test_shards_predict_and_the_command_without_one_scores(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["eval", "coco", "--data", str(data), "--out", str(data / "run"), "--json"]
    for shard in ("0/2", "1/2"):
        assert main([*common, "--shard", shard]) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert "--shard 1/2 is done, 0 images are left to others" in told.err

    assert main(common) == 0

    assert json.loads(capsys.readouterr().out)["counts"]["missing"] == 0


def test_processes_of_torchrun_share_the_work_and_the_first_scores(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    alone = nullcontext(lambda: None)  # one after the other, so that none may wait
    monkeypatch.setattr("glee.evaluation.processes.meeting", lambda: alone)
    words = ["eval", "coco", "--model", "lite", "--data", str(data), "--out", str(data / "run")]
    for rank in ("1", "0"):
        monkeypatch.setenv("RANK", rank)
        assert main(words) == 0

    assert capsys.readouterr().out.startswith("coco, lite: 3 images, 180 predictions")


def test_stored_predictions_are_scored_without_a_model(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(glee, "load", raising=False)
    write_json(data / "results.json", [])

    code = main(["eval", "coco", "--data", str(data), "--predictions", str(data / "results.json")])

    out = capsys.readouterr().out
    assert code == 0
    assert "results.json: 3 images, 0 predictions" in out
    assert "note: box: 3 of 3 images with annotations have no predictions" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["cocoo", "--data", "."], "unknown benchmark 'cocoo'"),
        (["coco"], "--data is missing; give the folder with the data sets"),
        (["coco", "--data", ".", "--set", "max_objects"], "--set must be SWITCH=VALUE"),
        (["coco", "--data", ".", "--shard", "2/2"], "shard must be i/n with i from 0 to n - 1"),
        (["coco", "--data", ".", "--limit", "0"], "limit must be at least 1, got 0"),
    ],
)
def test_wrong_usage_is_explained(
    words: list[str], message: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", *words]) == 2
    assert message in capsys.readouterr().err


def test_the_list_of_benchmarks_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "list"]) == 0

    assert {"coco", "odinw13", "refcocog-test", "tao", "ref-davis"} <= set(
        capsys.readouterr().out.split()
    )


def test_the_table_shows_ours_the_papers_and_the_difference() -> None:
    result = EvaluationResult(
        benchmark="coco",
        model="lite",
        settings={"max_objects": 50},
        deviations=("max_objects is 50, in the paper's protocol 100",),
        metrics=(
            Metric(name="box AP", value=54.04, paper=55.0),
            Metric(name="mask AP", value=float("nan"), paper=48.4),
            Metric(name="NoC", value=3.25, unit="clicks"),
        ),
        counts=Counts(units=5, unit="images", predictions=7, missing=0, faults=1),
    )

    assert format_result(result) == "\n".join(
        [
            "coco, lite: 5 images, 7 predictions, 1 unreadable",
            "                ours  paper  difference",
            "  box AP        54.0   55.0        -1.0",
            "  mask AP          -   48.4           -",
            "  NoC (clicks)   3.2                   ",
            "protocol: max_objects 50",
            "deviation: max_objects is 50, in the paper's protocol 100",
        ]
    )


def test_the_papers_numbers_stand_beside_those_of_the_same_model_only() -> None:
    metrics = (Metric(name="TETA", value=40.0), Metric(name="track AP", value=10.0))

    assert [one.paper for one in beside_paper(metrics, "tao", "plus")] == [41.5, None]
    assert [one.paper for one in beside_paper(metrics, "tao", "plus.safetensors")] == [None, None]


def test_the_papers_averages_are_those_of_its_parts() -> None:
    # Tables 3 and 10: the average over 13 data sets, as printed to one digit.
    zero_shot = ("lite", "plus", "pro", "lite-scaleup", "plus-scaleup", "pro-scaleup")
    for model in (*zero_shot, *FEW_SHOT_MODELS):
        parts = [table[model] for name, table in PAPER["odinw13"].items() if name != "average AP"]
        assert len(parts) == 13
        assert sum(parts) / 13 == pytest.approx(PAPER["odinw13"]["average AP"][model], abs=0.06)


def test_few_shot_numbers_of_the_paper_come_with_their_deviation() -> None:
    metrics = (Metric(name="average AP", value=50.0, spread=1.0),)

    (five,) = beside_paper(metrics, "odinw13", "lite-5-shot")
    (every,) = beside_paper(metrics, "odinw13", "lite-all-shots")

    assert (five.paper, five.paper_spread, five.difference) == (55.0, 3.7, -5.0)
    assert (every.paper, every.paper_spread) == (64.9, None)


def test_the_papers_numbers_of_a_model_that_is_named_stand_beside(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_json(data / "results.json", [])
    words = ["eval", "coco", "--data", str(data), "--predictions", str(data / "results.json")]

    assert main([*words, "--paper", "plus"]) == 0

    printed = capsys.readouterr().out
    assert "box AP    0.0   60.4       -60.4" in printed
    assert "note: the paper's numbers are those of plus" in printed
    assert "3 images without any" in printed


@pytest.mark.parametrize(
    ("benchmark", "message"),
    [
        ("coco", "reports no number of 'lite-5-shot' for coco, only of lite, plus, pro"),
        ("mot17", "the paper reports no number for mot17"),
    ],
)
def test_numbers_that_the_paper_does_not_have_are_refused(
    benchmark: str, message: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", benchmark, "--data", str(data), "--paper", "lite-5-shot"]) == 2

    assert message in capsys.readouterr().err


DOCS = (Path(__file__).parent.parent / "docs/evaluation.md").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_is_documented(name: str) -> None:
    assert re.search(rf"`(glee eval )?{re.escape(name)}[ `]", DOCS)


@pytest.mark.parametrize("benchmark", PAPER)
def test_the_documented_numbers_are_those_that_are_printed(benchmark: str) -> None:
    assert benchmark in NAMES
    for metric, models in PAPER[benchmark].items():
        for model, value in models.items():
            spread = SPREADS.get(benchmark, {}).get(metric, {}).get(model)
            words = f" {value:.1f}" + ("" if spread is None else f" ± {spread:.1f} ")
            assert words in DOCS, f"{benchmark} {metric} of {model}"
