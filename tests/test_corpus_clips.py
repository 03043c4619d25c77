"""Clips: the same object keeps its track and its name, out of sight too."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from glee.data.corpus.clips import ClipSamples
from glee.data.corpus.motion import Camera, Motion
from glee.data.corpus.packs import is_held_out
from glee.data.schema import Frame, Sample
from mini_packs import make_packs


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_packs(tmp_path_factory.mktemp("packs"))


@pytest.fixture(scope="module")
def clips(root: Path) -> list[list[Frame]]:
    samples = ClipSamples(root, seed=4)
    return [frames_of(samples[n]) for n in range(10)]


def frames_of(sample: Sample) -> list[Frame]:
    return [sample.frames[n] for n in range(len(sample.frames))]


def test_clips_have_eight_to_sixteen_frames_of_one_size(clips: list[list[Frame]]) -> None:
    for frames in clips:
        assert 8 <= len(frames) <= 16
        assert len({frame.size for frame in frames}) == 1


def test_a_track_has_one_name_in_all_frames(clips: list[list[Frame]]) -> None:
    for frames in clips:
        names: dict[int, str] = {}
        for frame in frames:
            assert frame.track_ids is not None
            assert len(set(frame.track_ids)) == len(frame)
            for track, name in zip(frame.track_ids, frame.names, strict=True):
                assert names.setdefault(track, name) == name


def test_some_objects_leave_and_come_back_with_their_track(
    clips: list[list[Frame]],
) -> None:
    def leaves_and_comes_back(frames: list[Frame], track: int) -> bool:
        there = "".join("x" if track in (frame.track_ids or ()) else "." for frame in frames)
        return "." in there.strip(".")

    assert any(leaves_and_comes_back(frames, track) for frames in clips for track in range(1, 7))


def test_masks_do_not_overlap_and_are_never_empty(clips: list[list[Frame]]) -> None:
    for frame in (frame for frames in clips for frame in frames):
        masks = frame.decode_masks()
        assert masks is not None
        if len(masks):
            assert masks.sum(0).max() <= 1
            assert masks.flatten(1).any(1).all()


def test_a_frame_is_the_same_whichever_frames_were_asked_for_before(root: Path) -> None:
    sample = ClipSamples(root, seed=9)[2]
    other = pickle.loads(pickle.dumps(ClipSamples(root, seed=9)))[2]

    before = sample.frames[5]
    for n in range(len(other.frames)):
        other.frames[n]
    after = other.frames[5]

    np.testing.assert_array_equal(before.image, after.image)
    assert before.masks == after.masks


def test_objects_move_between_frames(clips: list[list[Frame]]) -> None:
    moved = [
        frames[0].masks != frames[-1].masks and bool(len(frames[0]) + len(frames[-1]))
        for frames in clips
    ]

    assert np.mean(moved) > 0.7


def test_held_out_words_never_enter_clips(root: Path) -> None:
    samples = ClipSamples(root)

    names = [
        name for n in range(10) for frame in frames_of(samples[n])[::4] for name in frame.names
    ]

    assert not [name for name in (*names, *samples.names) if is_held_out(name)]


def test_a_motion_starts_and_ends_where_it_says() -> None:
    motion = Motion(
        points=((10, 20), (50, 90), (110, 40)),
        sides=(30, 60),
        angles=(0, 20),
        sway=(0, 1),
        mirrored=False,
    )

    first, last = motion.at(0), motion.at(1)

    assert (first.center, first.side, first.angle) == ((10, 20), 30, 0)
    assert (last.center, last.side, last.angle) == ((110, 40), 60, 20)
    assert motion.backwards((0, 0)).at(0).center == last.center


def test_a_camera_that_pans_moves_what_rests() -> None:
    camera = Camera(centers=((50, 40), (60, 40)), zooms=(1, 2), shake=(0, 0))
    still = Motion(
        points=((60, 40),) * 3, sides=(10, 10), angles=(0, 0), sway=(0, 1), mirrored=False
    )

    first, last = (camera.sees(still.at(n), n, (80, 100)) for n in (0, 1))

    assert (first.center, first.side) == ((60, 40), 10)
    assert (last.center, last.side) == ((50, 40), 20)
    assert camera.window(1, (80, 100)) == (35, 20, 85, 60)
