import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glee.bench.checks import Objects, check_same
from glee.bench.inputs import invent_frames, invent_marks, invent_names
from glee.bench.memory import peak_bytes, reset_peak
from glee.bench.models import open_model
from glee.bench.plan import AXES, BenchPlan, choose_plan, full_plan
from glee.bench.report import BenchReport, Measurement
from glee.bench.runner import Bench, run_bench, run_checks
from glee.bench.stages import Stages
from glee.bench.timing import Repeat, Timing, measure
from glee.cli.bench import AXES as OFFERED
from glee.cli.bench import _say
from glee.cli.main import main
from glee.config import ResizeConfig, lite, pro
from glee.inference.predictor import Predictor
from glee.model.build import build_glee

CPU = torch.device("cpu")
ONCE = Repeat(runs=1, least=1, warm_up=0)


def small_plan() -> BenchPlan:
    return BenchPlan(
        size=(64, 96),
        resolutions=((32, 32), (64, 96)),
        names=3,
        vocabularies=(1, 5),
        batches=(1, 2),
        marks=(1, 2),
        lengths=(1, 2),
        repeat=ONCE,
    )


@pytest.fixture(scope="module")
def report(predictor: Predictor) -> BenchReport:
    return run_bench(predictor, small_plan(), {"model": "tiny"})


def test_median_and_p95_are_those_of_the_runs() -> None:
    timing = Timing(tuple(float(n) for n in range(101)), peak_bytes=0)

    assert (timing.median, timing.p95) == (50.0, 95.0)


def test_warm_up_runs_and_preparations_are_not_timed() -> None:
    calls: list[int] = []

    def prepare() -> "partial[None]":
        time.sleep(0.02)
        return partial(calls.append, 1)

    timing = measure(prepare, repeat=Repeat(runs=3, least=3, warm_up=2), device=CPU)

    assert len(calls) == 5
    assert len(timing.seconds) == 3
    assert max(timing.seconds) < 0.02


def test_slow_calls_are_repeated_as_often_as_must_be_and_no_more() -> None:
    repeat = Repeat(runs=50, least=2, seconds=0.0, warm_up=0)

    timing = measure(lambda: partial(time.sleep, 0.001), repeat=repeat, device=CPU)

    assert len(timing.seconds) == 2


def test_the_peak_is_that_of_each_measurement_where_the_system_can_reset_it() -> None:
    reset_peak(CPU)
    large = np.ones(60_000_000, dtype=np.uint8)
    del large
    high = peak_bytes(CPU)

    can_reset = reset_peak(CPU)

    assert peak_bytes(CPU) < high - 40_000_000 or not can_reset


def test_invented_inputs_are_distinct_and_begin_alike() -> None:
    assert len(set(invent_names(5000))) == 5000
    assert invent_marks((64, 96), 4).marks[0] == invent_marks((64, 96), 1).marks[0]
    first, second = invent_frames((8, 8), 2)
    assert (first != second).any()


def test_the_full_plan_holds_the_vocabularies_and_the_size_of_the_model() -> None:
    plan = full_plan(lite().resize)

    assert plan.vocabularies == (1, 10, 80, 365, 1203, 5000)
    assert plan.size == (800, 1333)


def test_square_models_have_one_resolution() -> None:
    assert full_plan(pro().resize).resolutions == ((1536, 1536),)


def test_wishes_change_the_plan() -> None:
    plan = choose_plan(ResizeConfig(), axes=["batch"], runs=2, size="120x200")

    assert (plan.axes, plan.repeat.runs, plan.repeat.least) == (("batch",), 2, 2)
    assert plan.size == (120, 200)


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"size": "800"}, "size must be HxW in pixels, such as 800x1333, got '800'"),
        ({"size": "0x9"}, "size must be at least 1, got 0"),
        ({"runs": 0}, "runs must be at least 1, got 0"),
    ],
)
def test_impossible_wishes_are_refused(wishes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choose_plan(ResizeConfig(), **wishes)


def test_every_axis_and_stage_is_measured(report: BenchReport) -> None:
    assert [one.stage for one in report.of("stages")] == [
        "preprocess",
        "image encoder",
        "new names",
        "prompt to objects",
        "masks",
        "postprocess",
        "picture to masks",
    ]
    labels = {axis: {one.label for one in report.of(axis)} for axis in small_plan().axes[1:]}
    assert labels == {
        "vocabulary": {"1", "5"},
        "resolution": {"32x32", "64x96"},
        "batch": {"1", "2"},
        "marks": {"1", "2"},
        "length": {"1", "2"},
    }


def test_measured_variants_give_the_same_objects(report: BenchReport) -> None:
    assert [check.passed for check in report.checks] == [True, True, True]


def test_all_steps_together_equal_predict(predictor: Predictor) -> None:
    picture = np.random.default_rng(2).integers(0, 255, (96, 160, 3), dtype=np.uint8)
    vocabulary = predictor.vocabulary(["cat", "dog"])

    whole = Stages(predictor, 5).whole(picture, vocabulary)

    # 96 x 160 is the size of the tiny network's images: predict does not resize it either.
    found = predictor.predict(picture, vocabulary, threshold=0, max_objects=5)
    torch.testing.assert_close(whole.boxes, found.boxes)
    assert found.masks is not None
    assert whole.masks is not None
    assert torch.equal(whole.masks, found.masks)


def test_another_number_of_objects_is_told_and_stored_as_json(predictor: Predictor) -> None:
    some = Objects(torch.ones(2), torch.zeros(2, 4)), Objects(torch.ones(3), torch.zeros(3, 4))
    report = BenchReport({"model": "any"}, (), (check_same("two ways", *some, torch.float32),))

    assert not report.passed
    assert "two ways: DIFFERENT (2 and 3 objects)" in report.to_markdown()
    assert json.loads(json.dumps(report.to_json(), allow_nan=False))["checks"] == [
        {"name": "two ways", "counts": [2, 3], "scores": None, "boxes": None, "passed": False}
    ]


def with_ellipses(predictor: Predictor, ellipses: bool, reach: bool = False) -> Predictor:
    config = predictor.model.config
    decoder = replace(config.object_decoder, box_masks=ellipses, cell_reach=reach)
    return Predictor(build_glee(replace(config, object_decoder=decoder)).eval())


@pytest.mark.parametrize("reach", [False, True])
def test_checks_pass_where_boxes_follow_masks_and_lie_inside_each_other(
    reach: bool, predictor: Predictor
) -> None:
    plan = small_plan()
    bench = Bench(Stages(with_ellipses(predictor, True, reach), plan.objects), plan)

    checks = list(run_checks(bench, list(AXES)))

    assert [check.passed for check in checks] == [True] * len(checks)
    assert len(checks) >= 3


@pytest.mark.parametrize("ellipses", [False, True])
def test_masks_that_are_timed_alone_are_those_of_all_steps(
    ellipses: bool, predictor: Predictor
) -> None:
    timed = with_ellipses(predictor, ellipses)
    stages, picture = Stages(timed, 5), np.zeros((64, 96, 3), dtype=np.uint8)
    vocabulary = timed.vocabulary(["cat", "dog"])
    pixels = stages.preprocess(picture)
    features = stages.encode(pixels)

    found = stages.make_masks(
        stages.finest_level(features, vocabulary),
        features,
        stages.detect(features, vocabulary, masks=False),
        pixels.geometry,
    )

    whole = stages.whole(picture, vocabulary)
    assert found.masks is not None
    assert whole.masks is not None
    assert torch.equal(found.masks, whole.masks)


def test_a_batch_counts_by_the_image() -> None:
    one = Measurement("batch", "4", 4, "image encoder", Timing((2.0,), 0), items=4)

    assert one.median == 500.0  # milliseconds


def objects(scores: list[float], left: list[float]) -> Objects:
    boxes = torch.tensor([[x, 0.0, x + 1, 1.0] for x in left]).reshape(-1, 4)
    return Objects(torch.tensor(scores), boxes)


def test_equal_objects_in_another_order_are_the_same() -> None:
    check = check_same("", objects([0.5, 0.5], [0, 9]), objects([0.5, 0.5], [9, 0]), torch.float32)

    assert check.passed


@pytest.mark.parametrize(
    ("other", "dtype", "passed"),
    [
        (objects([0.5], [2]), torch.float32, False),
        (objects([0.48], [0]), torch.float32, False),
        (objects([0.48], [2]), torch.bfloat16, True),
        (objects([], []), torch.float32, False),
    ],
)
def test_other_objects_are_told(other: Objects, dtype: torch.dtype, passed: bool) -> None:
    assert check_same("", objects([0.5], [0]), other, dtype).passed is passed


def test_models_without_visual_prompts_are_measured_without_marks(predictor: Predictor) -> None:
    config = replace(predictor.model.config, visual_prompts=None)
    textual = Predictor(build_glee(config))
    plan = replace(small_plan(), axes=("marks",))

    report = run_bench(textual, plan, {})

    assert report.measurements == []
    assert report.notes == ["marks: this model was trained without visual prompts"]


@pytest.mark.parametrize(
    ("load", "notes"),
    [
        (0.4, []),
        (None, []),
        (13.3, ["other work was running (load 13.3 on 2 cores): times are too long"]),
    ],
)
def test_other_work_on_the_machine_is_told(
    load: float | None, notes: list[str], predictor: Predictor
) -> None:
    plan = replace(small_plan(), axes=("batch",), batches=(1,))

    report = run_bench(predictor, plan, {"load before": load, "cores": 2})

    assert report.notes == notes


def test_presets_have_random_weights_that_are_always_the_same() -> None:
    first, second = (open_model("tiny", device="cpu") for _ in range(2))

    assert torch.equal(first.model.text_projection.weight, second.model.text_projection.weight)


def test_an_unknown_preset_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown preset 'light'.*did you mean 'lite'"):
        open_model("light", random_weights=True)


def test_the_command_writes_numbers_tables_and_curves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["bench", "--model", "tiny", "--quick", "--runs", "1", "--only", "batch"]

    code = main([*words, "--device", "cpu", "--out", str(out)])

    assert code == 0
    assert "## Against the batch" in capsys.readouterr().out
    values = json.loads((out / "bench.json").read_text())
    facts = values["facts"]
    assert facts["dtype"] == "float32"
    assert facts["versions"]["torch"] == torch.__version__
    assert {one["axis"] for one in values["measurements"]} == {"batch"}
    assert (out / "bench.png").read_bytes().startswith(b"\x89PNG")
    assert main([*words, "--out", str(out)]) == 2  # not written over


def test_long_times_are_said_in_whole_milliseconds(capsys: pytest.CaptureFixture[str]) -> None:
    _say(Measurement("vocabulary", "5000", 5000, "new names", Timing((114.2,), 0)))

    assert capsys.readouterr().err == "vocabulary 5000: new names 114,200 ms\n"


def test_the_command_offers_all_axes() -> None:
    assert OFFERED == AXES


def test_variants_that_differ_are_a_failure() -> None:
    differing = check_same("a and b", objects([0.5], [0]), objects([0.9], [0]), torch.float32)
    report = BenchReport({}, [], [differing])

    assert not report.passed
    assert "- a and b: DIFFERENT (scores within 4.0e-01" in report.to_markdown()
