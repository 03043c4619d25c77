"""Running a plan: all sweeps, and the checks that measured variants give the same objects."""

from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from glee.bench.checks import Check, Objects, check_same
from glee.bench.inputs import invent_image, invent_marks
from glee.bench.plan import Axis, BenchPlan
from glee.bench.report import BenchReport, Measurement
from glee.bench.stages import Stages
from glee.bench.sweeps import Bench, sweep
from glee.inference.postprocess import Found
from glee.inference.predictor import Predictor
from glee.results import Instances

NO_MARKS = "this model was trained without visual prompts"
NO_SCIPY = 'tracking needs SciPy: pip install "glee-vision[eval]"'

BUSY = 0.5
"""Processes that wanted to run before, for each core, from which times are not to be trusted."""

Say = Callable[[Measurement], None]


def run_bench(
    predictor: Predictor, plan: BenchPlan, facts: dict[str, Any], *, say: Say | None = None
) -> BenchReport:
    """Measure all that a plan names.

    facts  what is told of hardware and model beside the numbers
    say    is called with each measurement as it comes
    """
    left_out = _impossible(predictor)
    axes = [axis for axis in plan.axes if axis not in left_out]
    notes = [f"{axis}: {left_out[axis]}" for axis in plan.axes if axis in left_out]
    notes += _busy(facts)
    bench = Bench(Stages(predictor, plan.objects), plan)
    measurements: list[Measurement] = []
    for axis in axes:
        for one in sweep(axis, bench):
            measurements.append(one)
            if say is not None:
                say(one)
    told = {
        "image": f"{plan.size[0]}x{plan.size[1]}",
        "names": plan.names,
        "objects with masks": plan.objects,
    }
    return BenchReport(facts | told, measurements, list(run_checks(bench, axes)), notes)


def _busy(facts: Mapping[str, Any]) -> list[str]:
    """Return in words that other work has made times longer, if it has."""
    load, cores = facts.get("load before"), facts.get("cores", 1)
    if load is None or load < BUSY * cores:
        return []
    return [f"other work was running (load {load} on {cores} cores): times are too long"]


def _impossible(predictor: Predictor) -> dict[Axis, str]:
    """Return what cannot be measured, and why; better known before than after long measuring."""
    left_out: dict[Axis, str] = {}
    if predictor.model.config.visual_prompts is None:
        left_out["marks"] = NO_MARKS
    if find_spec("scipy") is None:
        left_out["length"] = NO_SCIPY
    return left_out


def run_checks(bench: Bench, axes: list[Axis]) -> Iterator[Check]:
    """Compare the objects of the ways that were timed on some axes."""
    predictor, stages, plan = bench.stages.predictor, bench.stages, bench.plan
    picture, vocabulary = invent_image(plan.size), bench.vocabulary(plan.names)
    whole = stages.whole(picture, vocabulary)
    encoded = stages.encoded(picture, vocabulary)
    # The steps keep objects that lie inside each other.
    found = predictor.predict(encoded, vocabulary, threshold=0, max_objects=plan.objects, nested=1)
    yield check_same("steps one by one, and predict", _of(whole), _of(found), predictor.dtype)
    if "batch" in axes:
        pixels = stages.preprocess(picture, copies=max(plan.batches))
        outputs = stages.detect(stages.encode(pixels), vocabulary, masks=True)
        last = stages.place(outputs, pixels.geometry, row=max(plan.batches) - 1)
        yield check_same(
            f"one image, and the last of {max(plan.batches)} together",
            _of(whole),
            _of(last),
            predictor.dtype,
        )
    if "marks" in axes:
        count = max(plan.marks)
        marks = invent_marks(plan.size, count)
        together = predictor.predict(encoded, marks)
        single = predictor.predict(encoded, invent_marks(plan.size, 1))
        yield check_same(
            f"one marked object, and the first of {count}",
            _of(single),
            _of(together[[0]]),
            predictor.dtype,
        )


def _of(found: Found | Instances) -> Objects:
    return Objects(found.scores.float().cpu(), found.boxes.float().cpu())
