"""Frames held back: what those behind them prove, on drawn clips and through whole sessions."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

import glee
from followers import MarkStandIn, StandIn
from glee import Instances, Prompts
from glee.data.shapes import Shape
from glee.evaluation.identity import identity
from glee.evaluation.tracked_video import FrameOverlap, tracked_video
from glee.inference.predictor import EncodedImage, Predictor
from glee.ops.boxes import pairwise_iou
from glee.results import Timings, VideoFrame
from glee.tracking.config import TrackerConfig
from glee.tracking.snapshot import Snapshot
from glee.tracking.tracker import Tracker
from glee.video.lag import HeldFrame, Lag
from shape_clips import RED, SIZE, WIDTH, crossing, detections, line, re_entry
from video_files import drawn_frame

FRAMES = [drawn_frame(i) for i in range(8)]


def with_clutter(found: Instances, generator: torch.Generator) -> Instances:
    """Add an object that is not there, somewhere and of a look of its own."""
    x, y = (torch.rand(2, generator=generator) * torch.tensor([140.0, 100.0])).tolist()
    return Instances(
        boxes=torch.cat([found.boxes, torch.tensor([[x, y, x + 16, y + 16]])]),
        scores=torch.cat([found.scores, torch.tensor([0.6])]),
        labels=torch.cat([found.labels, torch.tensor([0])]),
        names=found.names,
        image_size=SIZE,
        embeddings=torch.cat([found.embeddings, torch.randn(1, WIDTH, generator=generator)]),  # type: ignore[list-item]
    )


def held(index: int, found: Instances) -> HeldFrame:
    ids = frozenset(found.track_ids.tolist()) if found.track_ids is not None else frozenset()
    frame = VideoFrame(
        index=index,
        timestamp=Fraction(index, 24),
        instances=found,
        image=np.zeros((*SIZE, 3), dtype=np.uint8),
        timings=Timings(decode=0, wait=0, network=0),
    )
    return HeldFrame(frame, ids, None)


def let_go_all(lag: Lag, frames: Sequence[Instances]) -> list[Instances]:
    """Pass the frames of a whole clip through a lag."""
    shown = []
    for index, found in enumerate(frames):
        lag.hold(held(index, found))
        if lag.full:
            shown.append(lag.let_go().frame.instances)
    while len(lag):
        shown.append(lag.let_go().frame.instances)
    return shown


def follow(
    shapes: Sequence[Shape], lag: int, *, clutter: bool, config: TrackerConfig
) -> tuple[float, list[Instances]]:
    """Return the IDF1 of a clip, and its objects; with clutter every third frame has one more.

    The last frames have none: what appears there cannot be told from what has just come.
    """
    generator = torch.Generator().manual_seed(3)
    cluttered = range(0, len(shapes[0].places) - lag, 3) if clutter else ()
    tracker, truths, tracked = Tracker(config), [], []
    for index, (truth, found) in enumerate(detections(shapes, noise=0.5, seed=0, masks=False)):
        more = index in cluttered
        truths.append((truth, found.boxes))
        tracked.append(tracker.step(with_clutter(found, generator) if more else found))
    shown = let_go_all(Lag(lag, config), tracked)
    frames = [
        FrameOverlap(
            truth.identities,
            ids_of(one),
            pairwise_iou(boxes, one.boxes).double().numpy(),
        )
        for (truth, boxes), one in zip(truths, shown, strict=True)
    ]
    return identity(tracked_video(frames)).idf1, shown


def ids_of(found: Instances) -> NDArray[np.int64]:
    assert found.track_ids is not None
    ids: NDArray[np.int64] = found.track_ids.numpy()
    return ids


@pytest.mark.parametrize("case", [crossing, re_entry])
def test_objects_that_do_not_last_are_left_out(case: type[list[Shape]]) -> None:
    at_once, cluttered = follow(case(), 0, clutter=True, config=TrackerConfig())
    later, clean = follow(case(), 4, clutter=True, config=TrackerConfig())

    assert at_once < 0.92
    assert later >= 0.98
    assert len({i for one in cluttered for i in ids_of(one).tolist()}) > 10
    assert len({i for one in clean for i in ids_of(one).tolist()}) == len(case())


def test_an_object_is_shown_from_its_first_frame_although_later_ones_prove_it() -> None:
    shapes = [Shape("disc", RED, line((20, 40), (3, 1), 12), 0)]
    careful = TrackerConfig(birth_frames=3)

    _, late = follow(shapes, 0, clutter=False, config=careful)
    _, whole = follow(shapes, 2, clutter=False, config=TrackerConfig(birth_frames=1))

    assert [len(one) for one in late] == [0, 0] + [1] * 10
    assert [len(one) for one in whole] == [1] * 12


def one(ids: Sequence[int], labels: Sequence[int] | None = None) -> Instances:
    """Return objects of a frame by their numbers; names are cat and dog."""
    return Instances(
        boxes=torch.zeros(len(ids), 4),
        scores=torch.ones(len(ids)),
        labels=torch.tensor(labels or [0] * len(ids), dtype=torch.int64),
        names=("cat", "dog"),
        image_size=SIZE,
        track_ids=torch.tensor(list(ids), dtype=torch.int64),
    )


def test_an_object_must_be_seen_in_more_than_half_of_the_frames() -> None:
    frames = [one([7]), one([]), one([7]), one([8]), one([]), one([]), one([])]

    shown = let_go_all(Lag(2, TrackerConfig()), frames)

    assert [ids_of(found).tolist() for found in shown] == [[7], [], [7], [], [], [], []]


def test_frames_at_the_end_are_judged_by_those_that_there_are() -> None:
    shown = let_go_all(Lag(4, TrackerConfig()), [one([]), one([1]), one([1, 2])])

    assert [ids_of(found).tolist() for found in shown] == [[], [1], [1, 2]]


def test_a_name_is_the_one_that_the_object_has_at_the_end_of_the_lag() -> None:
    frames = [one([1], [0]), one([1], [1]), one([1], [1]), one([1], [1])]

    shown = let_go_all(Lag(1, TrackerConfig()), frames)

    assert [found.label_names() for found in shown] == [["dog"]] * 4


def test_what_was_proved_is_forgotten_with_the_track() -> None:
    lag = Lag(1, TrackerConfig(remember_frames=3, coast_frames=3))

    let_go_all(lag, [one([1])] * 3 + [one([2])] * 9)

    assert lag.state() == [[2, 0]]


@pytest.mark.parametrize(
    ("lag", "error", "message"),
    [
        (-1, ValueError, "lag must be at least 0 frames, got -1"),
        (1.5, TypeError, r"lag must be a whole number of frames, got 1\.5"),
        (
            1,
            ValueError,
            "birth_frames of the tracker is 3, but with a lag of 1 an object is seen 2",
        ),
    ],
)
def test_lags_that_make_no_sense_are_refused(
    lag: int, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Lag(lag, TrackerConfig(birth_frames=3))


class Flickering(StandIn):
    """Finds object 1 in each frame, and another one, each time a new one, in every third."""

    def step(self, frame: EncodedImage) -> Instances:
        found = super().step(frame)
        rows = [0] if self.steps % 3 else [0, 0]
        ids = [1] if self.steps % 3 else [1, 100 + self.steps]
        return Instances(
            boxes=found.boxes[rows],
            scores=found.scores[rows],
            labels=found.labels[rows],
            names=found.names,
            image_size=found.image_size,
            track_ids=torch.tensor(ids),
        )


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glee.video.followers.NameFollower", Flickering)
    monkeypatch.setattr("glee.video.followers.MarkFollower", MarkStandIn)


def numbers(frames: Sequence[VideoFrame]) -> list[list[int]]:
    return [ids_of(frame.instances).tolist() for frame in frames]


@pytest.mark.usefixtures("stand_ins")
def test_a_session_with_a_lag_gives_every_frame_in_order(predictor: Predictor) -> None:
    at_once = list(glee.track(predictor, FRAMES, ["bar"], masks=False))
    later = list(glee.track(predictor, FRAMES, ["bar"], masks=False, lag=2))

    assert numbers(at_once) == [[1], [1], [1, 2], [1], [1], [1, 3], [1], [1]]
    assert numbers(later) == [[1]] * 8
    assert [frame.index for frame in later] == list(range(8))


@pytest.mark.usefixtures("stand_ins")
def test_only_as_many_frames_as_the_lag_are_held(predictor: Predictor) -> None:
    with glee.track(predictor, FRAMES, ["bar"], masks=False, lag=3) as session:
        next(session)
        held_back = len(session._lag)
        next(session)

        assert held_back == len(session._lag) == 3


@pytest.mark.usefixtures("stand_ins")
def test_frames_that_are_held_come_before_what_ends_them(predictor: Predictor) -> None:
    def pictures() -> Iterator[NDArray[np.uint8]]:
        yield from FRAMES[:5]
        raise RuntimeError("the program that draws has failed")

    session = glee.track(predictor, pictures(), ["bar"], masks=False, lag=3)

    assert [next(session).index for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(RuntimeError, match="has failed"):
        next(session)


@pytest.mark.usefixtures("stand_ins")
def test_marked_objects_need_no_proof(predictor: Predictor) -> None:
    with glee.track(predictor, FRAMES, at={7: Prompts(points=[(5, 5)])}, lag=4) as session:
        frames = list(session)

    assert numbers(frames)[6:] == [[], [1]]


@pytest.mark.usefixtures("stand_ins")
def test_marks_lie_on_the_frame_that_was_shown(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    marked = []

    def note(self: MarkStandIn, frame: EncodedImage, *rest: object) -> Instances:
        marked.append(frame)
        return mark(self, frame, *rest)  # type: ignore[arg-type]

    mark = MarkStandIn.mark
    monkeypatch.setattr(MarkStandIn, "mark", note)
    with glee.track(predictor, FRAMES, ["bar"], masks=False, lag=2) as session:
        shown = next(session)
        session.mark(Prompts(points=[(5, 5)]))

    expected = predictor.encode(shown.image).features.cells
    assert torch.equal(marked[0].features.cells, expected)


@pytest.mark.usefixtures("stand_ins")
def test_a_session_with_a_lag_goes_on_from_the_state_of_another(predictor: Predictor) -> None:
    whole = list(glee.track(predictor, FRAMES, ["bar"], masks=False, lag=2))
    with glee.track(predictor, FRAMES, ["bar"], masks=False, lag=2) as first:
        begun = [next(first), next(first), next(first)]
        state = first.state()

    second = glee.track(predictor, FRAMES, ["bar"], masks=False, lag=2)
    second.restore(state)
    frames = begun + list(second)

    assert [frame.index for frame in frames] == list(range(8))
    assert numbers(frames) == numbers(whole)


def marked_on_the_way(session: glee.VideoSession, shown: int) -> glee.VideoSession:
    """Mark an object when so many frames were shown."""
    for _ in range(shown):
        next(session)
    session.mark(Prompts(points=[(5, 5)]))
    return session


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize("later", [0, 1, 3, 4])
def test_a_mark_on_the_way_is_part_of_states_of_frames_that_were_held(
    predictor: Predictor, later: int
) -> None:
    def begin() -> glee.VideoSession:
        return glee.track(predictor, FRAMES, ["bar"], masks=False, lag=3)

    first = marked_on_the_way(begin(), 2)  # behind frame 4, which was followed last
    shown = [next(first) for _ in range(later)]
    second = begin()
    second.restore(first.state())
    once_more = begin()
    once_more.restore(second.state())
    expected = numbers(list(first))

    assert numbers(list(second)) == numbers(list(once_more)) == expected
    assert numbers(shown) + expected == [[1]] * 3 + [[1, 3]] * 3


def test_a_state_with_changes_can_be_stored_and_gives_the_same_objects(
    predictor: Predictor, tmp_path: Path
) -> None:
    def begin() -> glee.VideoSession:
        return glee.track(predictor, FRAMES, at={0: Prompts(boxes=[(1, 1, 9, 40)])}, lag=3)

    first = marked_on_the_way(begin(), 1)
    next(first)
    first.set_prompts(["bar"])
    state = first.state()
    save_file(state.tensors, tmp_path / "state.safetensors")  # each by itself
    second = begin()
    second.restore(Snapshot(state.values, load_file(tmp_path / "state.safetensors")))

    rest = list(first)
    assert numbers(list(second)) == numbers(rest)
    assert [len(frame.instances) for frame in rest][:3] == [1, 1, 2]
    assert rest[-1].instances.names == ("bar", "object")
