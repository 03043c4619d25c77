"""Opening batches: bad samples are replaced, and all follows from the seed of the batch."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from glee.data.loading import FrameChoice, open_batch
from glee.data.mixture import Draw
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
