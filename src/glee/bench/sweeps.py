"""Sweeps: what is timed for each axis of a plan, while all other sizes stay as they are."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from glee.bench.inputs import invent_frames, invent_image, invent_marks, invent_names
from glee.bench.memory import peak_bytes, reset_peak
from glee.bench.plan import Axis, BenchPlan
from glee.bench.report import Measurement
from glee.bench.stages import Stages
from glee.bench.timing import Call, Timing, measure, time_once
from glee.inference.text import Vocabulary
from glee.model.interfaces import ImageFeatures
from glee.tracking.tracker import Tracker

ENCODER, TEXT, OBJECTS, MASKS = "image encoder", "new names", "prompt to objects", "masks"
WHOLE = "picture to masks"


@dataclass(frozen=True, slots=True)
class Bench:
    """A plan, and the steps of the model that it is for."""

    stages: Stages
    plan: BenchPlan

    def vocabulary(self, count: int) -> Vocabulary:
        """Return invented names, encoded."""
        return self.stages.predictor.vocabulary(invent_names(count))

    def time(self, point: "Point", stage: str, run: Call) -> Measurement:
        """Time one stage at one size of input."""
        return self.time_new(point, stage, lambda: run)

    def time_new(self, point: "Point", stage: str, prepare: Callable[[], Call]) -> Measurement:
        """Time one stage whose call must be prepared anew for each run."""
        timing = measure(prepare, repeat=self.plan.repeat, device=self.stages.predictor.device)
        return Measurement(point.axis, point.label, point.value, stage, timing, point.items)

    def time_names(self, point: "Point", names: list[str]) -> Measurement:
        """Time the encoding of names that were never seen before."""
        stages = self.stages
        return self.time_new(point, TEXT, lambda: partial(stages.new_cache().vocabulary, names))

    def time_detection(
        self, point: "Point", features: ImageFeatures, vocabulary: Vocabulary
    ) -> Measurement:
        """Time finding objects, without masks, by names that are encoded."""
        detect = partial(self.stages.detect, features, vocabulary, masks=False)
        return self.time(point, OBJECTS, detect)


@dataclass(frozen=True, slots=True)
class Point:
    """One size of one axis: how it is written and drawn, and how many items are timed together."""

    axis: Axis
    label: str
    value: float
    items: int = 1


def sweep(axis: Axis, bench: Bench) -> Iterator[Measurement]:
    """Measure one axis of a plan, one stage at a time."""
    match axis:
        case "stages":
            return _stages(bench)
        case "vocabulary":
            return _vocabulary(bench)
        case "resolution":
            return _resolution(bench)
        case "batch":
            return _batch(bench)
        case "marks":
            return _marks(bench)
        case "length":
            return _length(bench)


def _stages(bench: Bench) -> Iterator[Measurement]:
    """Every step of one image, and all of them together."""
    stages, plan = bench.stages, bench.plan
    point = Point("stages", _size(plan.size), 0)
    picture, vocabulary = invent_image(plan.size), bench.vocabulary(plan.names)
    pixels = stages.preprocess(picture)
    features = stages.encode(pixels)
    outputs = stages.detect(features, vocabulary, masks=False)
    finest = stages.finest_level(features, vocabulary)
    yield bench.time(point, "preprocess", partial(stages.preprocess, picture))
    yield bench.time(point, ENCODER, partial(stages.encode, pixels))
    yield bench.time_names(point, invent_names(plan.names))
    yield bench.time_detection(point, features, vocabulary)
    yield bench.time(
        point, MASKS, partial(stages.make_masks, finest, features, outputs, pixels.geometry)
    )
    yield bench.time(point, "postprocess", partial(stages.select, outputs, pixels.geometry))
    yield bench.time(point, WHOLE, partial(stages.whole, picture, vocabulary))


def _vocabulary(bench: Bench) -> Iterator[Measurement]:
    """Names seen for the first time, and the objects among names that are encoded."""
    stages = bench.stages
    features = stages.encode(stages.preprocess(invent_image(bench.plan.size)))
    for count in bench.plan.vocabularies:
        point = Point("vocabulary", str(count), count)
        yield bench.time_names(point, invent_names(count))
        yield bench.time_detection(point, features, bench.vocabulary(count))


def _resolution(bench: Bench) -> Iterator[Measurement]:
    """The two parts of the network, and all steps together, for pictures of several sizes."""
    stages, vocabulary = bench.stages, bench.vocabulary(bench.plan.names)
    for size in bench.plan.resolutions:
        point = Point("resolution", _size(size), size[0] * size[1] / 1e6)
        picture = invent_image(size)
        pixels = stages.preprocess(picture)
        yield bench.time(point, ENCODER, partial(stages.encode, pixels))
        yield bench.time_detection(point, stages.encode(pixels), vocabulary)
        yield bench.time(point, WHOLE, partial(stages.whole, picture, vocabulary))


def _batch(bench: Bench) -> Iterator[Measurement]:
    """The two parts of the network, for several images together."""
    stages, vocabulary = bench.stages, bench.vocabulary(bench.plan.names)
    picture = invent_image(bench.plan.size)
    for count in bench.plan.batches:
        point = Point("batch", str(count), count, items=count)
        pixels = stages.preprocess(picture, copies=count)
        yield bench.time(point, ENCODER, partial(stages.encode, pixels))
        yield bench.time_detection(point, stages.encode(pixels), vocabulary)


def _marks(bench: Bench) -> Iterator[Measurement]:
    """Marked objects of one encoded image: one mask for each."""
    predictor, plan = bench.stages.predictor, bench.plan
    encoded = bench.stages.encoded(invent_image(plan.size), bench.vocabulary(1))
    for count in plan.marks:
        point = Point("marks", str(count), count, items=count)
        marks = invent_marks(plan.size, count)
        yield bench.time(point, "marks to masks", partial(predictor.predict, encoded, marks))


def _length(bench: Bench) -> Iterator[Measurement]:
    """The frames of clips, one after the other: neither time nor memory must grow with them."""
    stages, device = bench.stages, bench.stages.predictor.device
    vocabulary = bench.vocabulary(bench.plan.names)
    Tracker().step(stages.find_all(invent_image(bench.plan.size), vocabulary))  # warm
    for count in bench.plan.lengths:
        reset_peak(device)
        tracker, found, linked = Tracker(), list[float](), list[float]()
        for frame in invent_frames(bench.plan.size, count):
            seconds, objects = time_once(partial(stages.find_all, frame, vocabulary), device)
            found.append(seconds)
            linked.append(time_once(partial(tracker.step, objects), device)[0])
        peak = peak_bytes(device)
        for stage, times in ((WHOLE, found), ("tracking", linked)):
            yield Measurement("length", str(count), count, stage, Timing(tuple(times), peak))


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
