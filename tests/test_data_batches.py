"""From samples to batches: which, with which names, and how they are joined."""

import dataclasses
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from glee.config import ResizeConfig
from glee.data import vocabulary
from glee.data.clips import choose_frames
from glee.data.collate import collate
from glee.data.mixture import Mixture, Source
from glee.data.scene import Scene
from glee.data.schema import Supervision
from glee.data.vocabulary import choose_names, known_names

POOL = tuple(f"name {n}" for n in range(500))


def scene(*names: str, size: tuple[int, int] = (40, 60), **changes: Any) -> Scene:
    count = len(names)
    own = Scene(
        pixels=np.full((*size, 3), 100, np.uint8),
        boxes=torch.tensor([[6.0, 10, 12, 20]]).repeat(count, 1),
        names=names,
        masks=torch.ones(count, *size, dtype=torch.bool),
        supervision=Supervision(masks=True),
    )
    return dataclasses.replace(own, **changes)


def covering(**fields: Any) -> Supervision:
    return Supervision(**{name: frozenset(value) for name, value in fields.items()})


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_shown_names_come_first_and_negatives_fill_up() -> None:
    names = choose_names([scene("a", "b"), scene("b", "c")], POOL, 100, seeded())

    assert names[:3] == ("a", "b", "c")
    assert (len(names), len(set(names))) == (100, 100)
    assert set(names[3:]) <= set(POOL)


def test_no_shown_name_is_dropped_even_if_there_are_too_many() -> None:
    shown = [f"thing {n}" for n in range(30)]

    assert choose_names([scene(*shown)], POOL, 20, seeded()) == tuple(shown)


def test_a_small_pool_is_taken_whole_in_its_order() -> None:
    names = choose_names([scene("c", "new")], ("a", "b", "c"), 80, seeded())

    assert names == ("a", "b", "c", "new")


def test_the_seed_decides_on_negatives() -> None:
    first, again, other = (choose_names([scene("a")], POOL, 50, seeded(n)) for n in (1, 1, 2))

    assert first == again
    assert first != other


def test_negatives_are_names_that_some_image_teaches() -> None:
    scenes = [
        scene("name 1", supervision=covering(exhaustive=["name 1", "name 2"], absent=["name 3"])),
        scene(supervision=covering(exhaustive=["name 4", "name 5"], partial=["name 5"])),
    ]

    names = choose_names(scenes, POOL, 100, seeded())

    assert set(names) == {"name 1", "name 2", "name 3", "name 4"}


def test_half_of_the_negatives_are_names_said_to_be_absent() -> None:
    absent = POOL[:30]
    scenes = [scene("a", supervision=covering(exhaustive=POOL, absent=absent))]

    names = choose_names(scenes, POOL, 21, seeded())

    assert len(names) == 21
    assert 10 <= len(set(names) & set(absent)) <= 14


def test_a_partly_annotated_name_is_no_negative_of_an_open_vocabulary() -> None:
    partial = covering(partial=POOL[:400])

    names = choose_names([scene(supervision=partial)], POOL, 20, seeded())

    assert len(names) == 20
    assert set(names) <= set(POOL[400:])


def test_negatives_come_from_millions_of_phrases_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "SHUFFLED", 100)

    names = choose_names([scene("a")], POOL, 50, seeded())

    assert (len(names), len(set(names))) == (50, 50)


def test_negatives_are_drawn_evenly() -> None:
    closed = covering(exhaustive=POOL)
    scenes = [scene(supervision=closed)]

    drawn = [name for n in range(200) for name in choose_names(scenes, POOL, 50, seeded(n))]

    counts = [drawn.count(name) for name in POOL]  # 20 each on average
    assert (min(counts) > 3, max(counts) < 45) == (True, True)


def test_known_names_follow_the_supervision() -> None:
    own = covering(exhaustive=["a", "b"], absent=["c"], partial=["b"])

    known = known_names(own, ("a", "b", "c", "d"))

    assert known is not None
    assert known.tolist() == [True, False, True, False]
    assert known_names(Supervision(), ("a", "d")) is None


RATIOS = (1.5, 2.5, 0.05, 0.1, 5.0)


def mixture(seed: int = 0, sizes: tuple[int, ...] = (2, 2, 1, 4, 2)) -> Mixture:
    rows = zip(RATIOS, sizes, strict=True)
    sources = [Source(num_samples=1000, ratio=r, batch_size=size) for r, size in rows]
    return Mixture(sources, seed=seed)


@pytest.mark.parametrize("seed", range(2))
def test_the_shares_of_samples_follow_the_ratios(seed: int) -> None:
    own = mixture(seed)
    counts = np.zeros(len(RATIOS))

    for draw in islice(own.batches(), 20_000):
        counts[draw.source] += len(draw.rows)

    np.testing.assert_allclose(counts / counts.sum(), np.array(RATIOS) / sum(RATIOS), rtol=0.02)


def test_the_batches_of_all_processes_are_those_of_one() -> None:
    alone = list(islice(mixture().batches(), 12))
    shared = [list(islice(mixture().batches(rank=n, num_ranks=3), 4)) for n in range(3)]

    assert [draw for step in zip(*shared, strict=True) for draw in step] == alone


def test_training_goes_on_with_the_very_next_batch() -> None:
    whole = list(islice(mixture().batches(rank=1, num_ranks=2), 10))

    assert list(islice(mixture().batches(rank=1, num_ranks=2, start=6), 4)) == whole[6:]


def test_another_seed_gives_other_batches() -> None:
    first, second = (list(islice(mixture(seed).batches(), 20)) for seed in (0, 1))

    assert [draw.rows for draw in first] != [draw.rows for draw in second]
    assert len({draw.seed for draw in first + second}) == 40


def test_all_samples_come_equally_often() -> None:
    only = Mixture([Source(num_samples=50, ratio=1, batch_size=4)], seed=0)

    rows = [row for draw in islice(only.batches(), 2500) for row in draw.rows]

    counts = np.bincount(rows, minlength=50)  # 200 each on average
    assert (counts.min() > 140, counts.max() < 260) == (True, True)


def test_the_samples_of_a_batch_are_of_one_group() -> None:
    portrait = np.arange(30) % 3 == 0
    only = Mixture([Source(num_samples=30, ratio=1, batch_size=4, groups=portrait)], seed=0)

    drawn = [portrait[list(draw.rows)] for draw in islice(only.batches(), 200)]

    assert {len(set(flags.tolist())) for flags in drawn} == {1}
    assert 0.2 < np.mean(drawn) < 0.5


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_samples": 0, "ratio": 1}, "without samples"),
        ({"num_samples": 1, "ratio": 0}, "ratio must be more than 0"),
        ({"num_samples": 1, "ratio": 1, "groups": np.zeros(2, bool)}, "2 entries for 1"),
    ],
)
def test_a_source_that_makes_no_sense_is_refused(fields: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Source(**fields)


def test_a_mixture_of_nothing_and_a_process_too_many_are_refused() -> None:
    with pytest.raises(ValueError, match="sources is empty"):
        Mixture([], seed=0)
    with pytest.raises(ValueError, match=r"rank must lie in 0\.\.1, got 2"):
        next(mixture().batches(rank=2, num_ranks=2))


def halve(pixels: Tensor) -> Tensor:
    return pixels / 2


PLAIN = ResizeConfig(shortest=32, longest=64, divisor=32)
SQUARE = ResizeConfig(shortest=64, longest=64, divisor=32, square=True)


def test_images_are_padded_to_the_largest_and_the_truth_with_them() -> None:
    batch = collate([[scene("b")], [scene(size=(50, 30))]], ("a", "b"), PLAIN, halve)

    truth = batch.truth[0]
    assert batch.pixels.shape == (2, 3, 64, 64)
    assert (batch.pixels[0, :, :40, :60] == 50).all()
    assert (batch.pixels[0].sum(), batch.sizes) == (3 * 50 * 40 * 60, ((40, 60), (50, 30)))
    assert truth.labels.tolist() == [1]
    torch.testing.assert_close(
        truth.boxes_cxcywh, torch.tensor([[9 / 64, 15 / 64, 6 / 64, 10 / 64]])
    )
    assert truth.masks is not None
    assert (truth.masks.shape, truth.masks.sum()) == ((1, 64, 64), 40 * 60)


def test_a_square_is_padded_with_grey_before_normalising() -> None:
    batch = collate([[scene()]], (), SQUARE, halve)

    assert batch.pixels.shape == (1, 3, 64, 64)
    assert (batch.pixels[0, :, 40:] == 64).all()


def test_an_image_without_objects_has_empty_truth_of_the_right_shape() -> None:
    batch = collate([[scene(masks=None)]], ("a",), PLAIN, halve)

    truth = batch.truth[0]
    assert truth.masks is not None
    assert (truth.boxes_cxcywh.shape, truth.masks.shape) == ((0, 4), (0, 64, 64))


def test_masks_are_left_out_where_they_are_not_to_be_learned_from() -> None:
    rough = scene("a", supervision=Supervision(boxes=False))

    truth = collate([[rough]], ("a",), PLAIN, halve).truth[0]

    assert truth.masks is None
    assert not truth.learn_boxes


def test_frames_of_a_clip_follow_each_other() -> None:
    frame = scene("a", track_ids=torch.tensor([7]))

    batch = collate([[frame, frame], [frame, frame]], ("a",), PLAIN, halve)

    assert batch.frames == 2
    assert [truth.follows for truth in batch.truth] == [False, True, False, True]
    assert all(truth.track_ids is frame.track_ids for truth in batch.truth)


def test_expressions_take_the_place_of_names() -> None:
    lost = covering(partial=["object"])
    scenes = [scene("object", expression="a"), scene("object", expression="b", supervision=lost)]

    batch = collate([[one] for one in scenes], ("x", "y"), PLAIN, halve)

    assert (batch.expressions, batch.names) == (("a", "b"), ())
    assert [truth.labels.tolist() for truth in batch.truth] == [[0], [0]]
    assert batch.truth[0].exhaustive is None
    assert batch.truth[1].exhaustive is not None
    assert batch.truth[1].exhaustive.tolist() == [False]


@pytest.mark.parametrize(
    ("clips", "config", "message"),
    [
        ([], PLAIN, "at least one clip"),
        ([[scene()], [scene(), scene()]], PLAIN, r"\[1, 2\] frames"),
        ([[scene()], [scene(expression="a")]], PLAIN, "1 of 2 images have an expression"),
        ([[scene("c")]], PLAIN, "names lacks 'c'"),
        ([[scene(size=(10, 65))]], SQUARE, "10x65 pixels is too large"),
    ],
)
def test_what_cannot_be_joined_is_refused(clips: Any, config: ResizeConfig, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        collate(clips, ("a",), config, halve)


def test_frames_are_drawn_near_each_other_in_order() -> None:
    drawn = [choose_frames(30, 3, reach=4, generator=seeded(n)) for n in range(200)]

    assert all(one == sorted(one) and len(one) == 3 for one in drawn)
    assert max(one[-1] - one[0] for one in drawn) in (7, 8)
    assert {n for one in drawn for n in one} == set(range(30))


def test_a_pair_of_frames_never_is_one_frame_twice() -> None:
    drawn = [choose_frames(6, 2, reach=5, generator=seeded(n)) for n in range(50)]

    assert all(first < second for first, second in drawn)


def test_a_clip_of_one_frame_gives_it_again() -> None:
    assert choose_frames(1, 2, reach=5, generator=seeded()) == [0, 0]


def test_frames_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="length, count and reach must be at least 1"):
        choose_frames(0, 2, reach=5, generator=seeded())
