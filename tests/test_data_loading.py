"""Opening batches: bad samples are replaced, and all follows from the seed of the batch."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glee.data.loading import FrameChoice, open_batch
from glee.data.mixture import Draw
from glee.data.readers.videos import VideoIndex
from glee.data.readers.ytvis import read_ytvis
from glee.data.report import Report
from glee.data.schema import BadSampleError, Frame, Sample
from glee.data.transforms import MultiScale

SMALL = MultiScale(shortest=(16, 24, 32), crop=0)


@dataclass(frozen=True)
class Shades:
    """Ten clips of five frames; each frame is of one shade of grey. Some have no file."""

    missing: frozenset[int] = frozenset()
    names: tuple[str, ...] = ("dog",)

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> Sample:
        shades = [np.full((8, 12, 3), 10 * index + n, np.uint8) for n in range(5)]
        missing = index in self.missing
        frames = [
            Frame(
                image=Path(f"gone{index}.jpg") if missing else shade,
                size=(8, 12),
                boxes=np.zeros((0, 4), np.float32),
                names=(),
            )
            for shade in shades
        ]
        return Sample(key=str(index), frames=frames)


def shades_of(samples: Shades, seed: int, **options: object) -> list[list[int]]:
    opened = open_batch(samples, Draw(0, (3, 4), seed), SMALL, **options)  # type: ignore[arg-type]
    return [[int(scene.pixels[0, 0, 0]) for scene in clip] for clip in opened.clips]


def test_the_samples_drawn_are_opened() -> None:
    assert shades_of(Shades(), 0) == [[30], [40]]


def test_frames_of_a_clip_come_together() -> None:
    pairs = shades_of(Shades(), 0, frames=FrameChoice(count=2, reach=2))

    assert [pair[0] // 10 for pair in pairs] == [3, 4]
    assert all(0 < pair[1] - pair[0] <= 2 for pair in pairs)


def test_another_sample_takes_the_place_of_a_bad_one() -> None:
    opened = open_batch(Shades(frozenset({3, 5, 6, 7})), Draw(0, (3, 4), 1), SMALL)

    values = [int(clip[0].pixels[0, 0, 0]) for clip in opened.clips]
    assert len(values) == 2
    assert not {30, 50, 60, 70} & set(values)
    assert "gone3.jpg" in opened.faults[0]


def clips(folder: Path) -> VideoIndex:
    """Two clips of two frames, one of which lacks the second frame's file."""
    videos = [
        {"id": n, "height": 8, "width": 12, "file_names": [f"{n}/0.png", f"{n}/1.png"]}
        for n in (1, 2)
    ]
    tracks = [
        {"id": n, "video_id": n, "category_id": 1, "bboxes": [[0, 0, 4, 4], [1, 1, 4, 4]]}
        for n in (1, 2)
    ]
    data = {"videos": videos, "annotations": tracks, "categories": [{"id": 1, "name": "dog"}]}
    (folder / "clips.json").write_text(json.dumps(data))
    for file in ("1/0.png", "2/0.png", "2/1.png"):
        (folder / file).parent.mkdir(exist_ok=True)
        Image.new("RGB", (12, 8)).save(folder / file)
    return read_ytvis(folder / "clips.json", folder)


def test_a_clip_with_a_missing_frame_is_replaced_and_the_frame_named(tmp_path: Path) -> None:
    samples, frames = clips(tmp_path), FrameChoice(count=2)

    opened = open_batch(samples, Draw(0, (0,), 0), SMALL, frames=frames)

    assert len(opened.clips[0]) == 2
    assert all(str(tmp_path / "1" / "1.png") in fault for fault in opened.faults)
    assert opened.faults
    with pytest.raises(BadSampleError, match=r"1\.png"):
        open_batch(samples, Draw(0, (0,), 0), SMALL, frames=frames, fail_fast=True)


def test_reports_of_two_parts_are_joined() -> None:
    first, second = Report(total=10), Report(total=20)
    for number in range(4):
        first.add("missing image", f"a{number}")
        second.add("missing image", f"b{number}")
    second.add("box of zero area", "b9")

    first.join(second)

    assert (first.total, first.share) == (30, 0.3)
    assert first.counts == {"missing image": 8, "box of zero area": 1}
    assert first.examples["missing image"] == ["a0", "a1", "a2", "a3", "b0"]


def test_the_seed_decides_on_everything() -> None:
    bad = Shades(frozenset({3}))

    assert shades_of(bad, 5) == shades_of(bad, 5)
    assert len({str(shades_of(bad, seed)) for seed in range(20)}) > 3


def test_a_source_of_bad_samples_stops_the_run() -> None:
    with pytest.raises(ValueError, match=r"20 samples in a row.*gone\d\.jpg.*check the paths"):
        open_batch(Shades(frozenset(range(10))), Draw(0, (3,), 0), SMALL)


def test_the_first_bad_sample_stops_the_run_on_request() -> None:
    with pytest.raises(BadSampleError, match=r"gone3\.jpg"):
        open_batch(Shades(frozenset({3})), Draw(0, (3,), 0), SMALL, fail_fast=True)
