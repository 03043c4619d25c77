import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import glee
from followers import MarkStandIn, StandIn
from glee import Prompts
from glee.inference.predictor import Predictor
from glee.model.text.clip import encode_texts
from glee.tracking.snapshot import Snapshot
from glee.video.live import LiveSource
from glee.video.memory import MemoryLimitError, process_bytes
from glee.video.pyav import VideoError
from video_files import bar_of, drawn_frame, write_video

FRAMES = [drawn_frame(i) for i in range(8)]


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glee.video.followers.NameFollower", StandIn)
    monkeypatch.setattr("glee.video.followers.ExpressionFollower", StandIn)
    monkeypatch.setattr("glee.video.followers.MarkFollower", MarkStandIn)


def ids_of(frame: glee.VideoFrame) -> list[int]:
    assert frame.instances.track_ids is not None
    return frame.instances.track_ids.tolist()


def test_every_frame_comes_once_with_its_picture_time_and_objects(
    predictor: Predictor, tmp_path: Path
) -> None:
    path = write_video(tmp_path / "clip.mp4", FRAMES)

    frames = list(glee.track(predictor, path, ["bar"]))

    assert [frame.index for frame in frames] == list(range(8))
    assert [bar_of(frame.image) for frame in frames] == list(range(8))
    assert [float(frame.timestamp) for frame in frames] == pytest.approx([i / 24 for i in range(8)])
    assert [ids_of(frame) for frame in frames] == [[1], [1, 2]] + [[1, 2, 3]] * 6
    assert all(frame.instances.names == ("bar",) for frame in frames)
    assert all(frame.timings.network > 0 for frame in frames)


def counted(made: list[int], wait: threading.Event | None = None) -> Iterator[NDArray[np.uint8]]:
    """Yield pictures and note their numbers; from the second on only after an event."""
    for index in range(100):
        if index and wait is not None:
            assert wait.wait(timeout=10)
        made.append(index)
        yield drawn_frame(index)


def test_the_first_result_comes_before_the_second_frame_is_read(predictor: Predictor) -> None:
    made: list[int] = []

    with glee.track(predictor, counted(made), ["bar"]) as session:
        first = next(session)

        assert first.index == 0
        assert made == [0]


def test_frames_are_read_ahead_while_the_consumer_is_busy_but_only_a_few(
    predictor: Predictor,
) -> None:
    made: list[int] = []
    with glee.track(predictor, counted(made), ["bar"]) as session:
        next(session)
        next(session)
        threading.Event().wait(0.3)  # a slow consumer

        # One frame was taken, four wait, and one more was made that found no room.
        assert len(made) == 7


def test_a_session_that_is_dropped_stops_reading(predictor: Predictor) -> None:
    session = glee.track(predictor, counted([]), ["bar"])
    next(session)
    next(session)
    assert session._ahead is not None
    thread = session._ahead._thread

    del session

    thread.join(timeout=5)
    assert not thread.is_alive()


def test_a_source_that_fails_gives_its_frames_first(predictor: Predictor) -> None:
    def pictures() -> Iterator[NDArray[np.uint8]]:
        yield from FRAMES[:3]
        raise RuntimeError("the program that draws has failed")

    session = glee.track(predictor, pictures(), ["bar"])

    assert [next(session).index for _ in range(3)] == [0, 1, 2]
    with pytest.raises(RuntimeError, match="has failed"):
        next(session)
    with pytest.raises(StopIteration):
        next(session)


def test_steps_and_a_start_leave_frames_out_and_prompts_bring_them_back(
    predictor: Predictor,
) -> None:
    marks = {5: Prompts(points=[(30, 20)])}

    frames = list(glee.track(predictor, FRAMES, ["bar"], at=marks, start=1, every=3))

    assert [frame.index for frame in frames] == [1, 4, 5, 7]


def test_frames_come_backward_from_the_start(predictor: Predictor) -> None:
    marks = Prompts(boxes=[(8, 0, 20, 40)])

    frames = list(glee.track(predictor, FRAMES, marks, start=4, backward=True))

    assert [frame.index for frame in frames] == [4, 3, 2, 1, 0]
    assert [ids_of(frame) for frame in frames] == [[1]] * 5


def test_objects_marked_on_any_frame_are_followed_from_there_on(predictor: Predictor) -> None:
    at = {2: Prompts(points=[(10, 20)]), 4: Prompts(boxes=[(0, 0, 9, 9), (20, 0, 30, 30)])}

    frames = list(glee.track(predictor, FRAMES, at=at))

    assert [ids_of(frame) for frame in frames[1:5]] == [[], [1], [1], [1, 2, 3]]


def test_frames_before_the_first_prompt_do_not_pass_the_network(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = []
    encode = Predictor.encode

    def count(self: Predictor, image: NDArray[np.uint8]) -> glee.EncodedImage:
        encoded.append(bar_of(image))
        return encode(self, image)

    monkeypatch.setattr(Predictor, "encode", count)

    list(glee.track(predictor, FRAMES, at={5: Prompts(points=[(10, 20)])}))

    assert encoded == [5, 6, 7]


def test_marks_beside_names_get_numbers_of_their_own(predictor: Predictor) -> None:
    at = {1: Prompts(points=[(10, 20)])}

    frames = list(glee.track(predictor, FRAMES[:4], ["bar"], at=at))

    # On frame 1 the mark is read, and becomes number 2, before names are looked for.
    assert [ids_of(frame) for frame in frames] == [[1], [1, 3, 2], [1, 3, 4, 2], [1, 3, 4, 2]]
    assert frames[3].instances.names == ("bar", "object")
    assert frames[3].instances.label_names() == ["bar", "bar", "bar", "object"]
    assert frames[3].instances.masks is not None
    assert frames[3].instances.masks.shape == (4, 48, 64)


def test_text_is_changed_in_the_middle_of_a_stream(predictor: Predictor) -> None:
    session = glee.track(predictor, FRAMES, ["bar"], at={3: Prompts(categories=["line"])})
    names = []
    for frame in session:
        names.append(frame.instances.names)
        if frame.index == 5:
            session.set_prompts(Prompts(expression="the bar that moves"))

    assert names == [("bar",)] * 3 + [("line",)] * 3 + [("the bar that moves",)] * 2


def test_what_is_found_after_a_change_of_kind_gets_numbers_that_nothing_had(
    predictor: Predictor,
) -> None:
    with glee.track(predictor, FRAMES, ["bar"]) as session:
        shown = [ids_of(next(session))]
        for prompts in (Prompts(expression="the bar"), Prompts(categories=["bar"])):
            session.set_prompts(prompts)
            shown.append(ids_of(next(session)))
        state = session.state()

    again = glee.track(predictor, FRAMES, ["bar"])
    again.restore(state)

    assert shown == [[1], [2], [3]]
    assert ids_of(next(again)) == [3, 4]


def test_names_of_marks_that_were_refused_do_not_bind_later_ones(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the real follower
    small = [np.ones((20, 20), dtype=bool)]
    with glee.track(predictor, FRAMES, ["bar"], threshold=0.99) as session:
        next(session)
        with pytest.raises(ValueError, match="a mask is"):
            session.mark(Prompts(categories=["cat"], masks=small))

        found = session.mark(Prompts(categories=["dog"], boxes=[(5, 5, 20, 20)]))

    assert found.names == ("dog",)


def test_marks_are_added_corrected_and_removed_while_it_runs(predictor: Predictor) -> None:
    session = glee.track(predictor, FRAMES)
    assert ids_of(next(session)) == []

    added = session.mark(Prompts(points=[(5, 5), (30, 30)]))
    assert added.track_ids is not None
    assert added.track_ids.tolist() == [1, 2]
    second = next(session)
    assert ids_of(second) == [1, 2]

    corrected = session.mark(Prompts(points=[(6, 6)]), on=second, track_ids=[2])
    assert corrected.track_ids is not None
    assert corrected.track_ids.tolist() == [2]
    session.remove(1)
    assert ids_of(next(session)) == [2]
    session.close()


def test_mistakes_with_marks_are_explained(predictor: Predictor) -> None:
    mark = Prompts(points=[(5, 5)])
    with glee.track(predictor, FRAMES, ["bar"]) as session:
        with pytest.raises(ValueError, match="no frame was returned yet"):
            session.mark(mark)
        next(session)
        with pytest.raises(ValueError, match="no points, boxes, scribbles or masks"):
            session.mark(Prompts(categories=["dog"]))
        with pytest.raises(ValueError, match="track 1 is no marked object"):
            session.remove(1)
        with pytest.raises(ValueError, match="prompts holds marks"):
            session.set_prompts(mark)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"every": 0}, "every must be at least 1, got 0"),
        ({"start": -1}, "start must be at least 0"),
        ({"start": 8}, r"start is 8, but .* has 8 frames \(0 to 7\)"),
        ({"max_memory_mb": 0}, "max_memory_mb must be above 0"),
        ({"threshold": 2.0}, "threshold must lie in"),
        ({"frame_rate": 0}, "frame_rate must be above 0"),
        ({"at": {8: Prompts(points=[(5, 5)])}}, r"frame 8, but .* has 8 frames \(0 to 7\)"),
        ({"at": {-1: Prompts(points=[(5, 5)])}}, "numbers of frames from 0, got -1"),
        ({"at": {0: Prompts(points=[(5, 5)])}, "start": 2}, "frame 0, but frames are read from 2"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_any_frame(
    predictor: Predictor, wrong: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        glee.track(predictor, FRAMES, ["bar"], **wrong)  # type: ignore[arg-type]


def test_a_prompt_on_a_frame_behind_the_end_of_a_stream_is_an_error(predictor: Predictor) -> None:
    session = glee.track(predictor, iter(FRAMES), at={9: Prompts(points=[(5, 5)])})

    with pytest.raises(ValueError, match="prompts for frame 9, but the iterator of frames ended"):
        list(session)


def test_a_start_behind_the_end_of_a_video_that_does_not_tell_its_length_is_an_error(
    predictor: Predictor, tmp_path: Path
) -> None:
    path = write_video(tmp_path / "clip.mkv", FRAMES)

    with pytest.raises(ValueError, match=r"start is 9, but video .* ended before it"):
        list(glee.track(predictor, path, ["bar"], start=9))


@pytest.mark.parametrize("source", [FRAMES, "clip.mp4"], ids=["pictures", "file"])
def test_a_run_that_was_stopped_behind_its_last_frame_goes_on_to_its_end(
    predictor: Predictor, source: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "clip.mp4", FRAMES)
    with glee.track(predictor, source, ["bar"]) as first:  # type: ignore[arg-type]
        states = [first.state() for _ in first]

    second = glee.track(predictor, source, ["bar"])  # type: ignore[arg-type]
    second.restore(states[-1])

    assert list(second) == []


def test_a_mask_of_another_size_is_refused_on_its_frame(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the real follower
    marks = Prompts(masks=[np.ones((20, 20), dtype=bool)])

    with pytest.raises(ValueError, match=r"\[20, 20\] but the image is \[48, 64\]"):
        next(glee.track(predictor, FRAMES, marks))


def test_a_list_of_names_is_encoded_once_for_all_frames(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the real follower
    encoded: list[str] = []

    def count(encoder: object, tokenizer: object, names: list[str]) -> list[torch.Tensor]:
        encoded.extend(names)
        return encode_texts(encoder, tokenizer, names)  # type: ignore[arg-type]

    monkeypatch.setattr("glee.inference.text.encode_texts", count)

    frames = list(glee.track(predictor, FRAMES[:4], ["quay", "jetty"], threshold=0.0))

    assert encoded == ["quay", "jetty"]
    assert all(len(frame.instances) for frame in frames)
    assert len({i for frame in frames for i in ids_of(frame)}) < sum(map(len, map(ids_of, frames)))


def test_a_session_goes_on_from_the_state_of_another(predictor: Predictor) -> None:
    at = {0: Prompts(points=[(5, 5)]), 6: Prompts(categories=["line"])}
    whole = list(glee.track(predictor, FRAMES, ["bar"], at=at, every=2))
    with glee.track(predictor, FRAMES, ["bar"], at=at, every=2) as first:
        begun = [next(first), next(first)]
        state = first.state()

    second = glee.track(predictor, FRAMES, ["bar"], at=at, every=2)
    second.restore(state)
    frames = begun + list(second)

    assert [frame.index for frame in frames] == [frame.index for frame in whole] == [0, 2, 4, 6]
    assert [ids_of(frame) for frame in frames] == [ids_of(frame) for frame in whole]
    assert frames[-1].instances.names == ("line", "object")


def test_a_session_that_has_not_gone_on_yet_has_the_state_that_it_took(
    predictor: Predictor,
) -> None:
    with glee.track(predictor, FRAMES, ["bar"]) as first:
        next(first)
        state = first.state()

    second, third = (glee.track(predictor, FRAMES, ["bar"]) for _ in range(2))
    second.restore(state)
    third.restore(second.state())

    assert next(third).index == 1


def test_the_state_of_something_else_is_refused(predictor: Predictor) -> None:
    session = glee.track(predictor, FRAMES, ["bar"])

    with pytest.raises(ValueError, match="state of a session lacks followers, lag, last, text"):
        session.restore(Snapshot({"frame": 3}, {}))


def test_a_limit_of_memory_that_is_too_small_says_what_is_needed(predictor: Predictor) -> None:
    held = (process_bytes() or 0) / 1e6

    with pytest.raises(MemoryLimitError, match=r"max_memory_mb is .*, but the process holds"):
        list(glee.track(predictor, FRAMES, ["bar"], max_memory_mb=held / 2))


def test_a_live_source_says_how_many_frames_a_slow_consumer_lost(predictor: Predictor) -> None:
    camera = LiveSource(
        "testsrc=size=64x48:rate=100,trim=end_frame=40,realtime", name="camera 0", form="lavfi"
    )
    frames = []
    for frame in glee.track(predictor, camera, ["bar"]):
        frames.append(frame)
        threading.Event().wait(0.1)

    lost = sum(frame.dropped for frame in frames)
    assert lost > 10
    assert frames[-1].index == 39
    assert lost + len(frames) == 40


def test_an_unplugged_camera_ends_a_session_after_its_frames(predictor: Predictor) -> None:
    camera = LiveSource(
        "testsrc=size=64x48:rate=100,trim=end_frame=2", name="camera 0", form="lavfi", endless=True
    )
    session = glee.track(predictor, camera, ["bar"])

    assert [next(session).index for _ in range(2)] == [0, 1]
    with pytest.raises(VideoError, match="unplugged"):
        next(session)
