import multiprocessing
import os
import signal
from contextlib import closing
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from glee.data.drawn import NAMES, drawn_clips, drawn_expressions, drawn_images
from glee.data.feed import Feed, Prepared, TrainSource, iterate
from glee.data.schema import BadSampleError
from glee.data.visual_prompts import MarkConfig
from glee.inference.preprocess import normalise
from toy_training import toy_feed, toy_source, toy_sources


def same(one: Prepared, other: Prepared) -> bool:
    """Whether two batches have the same pixels, prompt and truth."""

    def tensors(prepared: Prepared) -> list[Tensor]:
        batch = prepared.batch
        boxes = [truth.boxes_cxcywh for truth in batch.truth]
        return [batch.pixels, *boxes, *(truth.labels for truth in batch.truth)]

    return (
        (one.number, one.source, one.seed) == (other.number, other.source, other.seed)
        and (one.batch.names, one.batch.expressions) == (other.batch.names, other.batch.expressions)
        and all(map(torch.equal, tensors(one), tensors(other)))
    )


def take(feed: Feed, count: int, *, rank: int = 0, ranks: int = 1, start: int = 0) -> list[int]:
    """The numbers of the first batches of a process."""
    with closing(iterate(feed, rank=rank, num_ranks=ranks, start=start, workers=0)) as batches:
        return [next(batches).number for _ in range(count)]


def test_a_number_gives_the_same_batch_whenever_it_is_asked_for() -> None:
    feed, other = toy_feed(toy_sources()), toy_feed(toy_sources())
    backwards = {number: other[number] for number in (5, 4, 3, 2, 1, 0)}

    assert all(same(feed[number], backwards[number]) for number in range(6))
    assert {feed[number].source for number in range(6)} == {0, 1, 2}


def test_another_seed_gives_other_batches() -> None:
    feeds = [toy_feed([toy_source(drawn_images(4), flip=0.5)], seed=seed) for seed in (0, 1)]

    assert not all(same(feeds[0][number], feeds[1][number]) for number in range(4))


def test_processes_take_turns_and_go_on_where_they_were() -> None:
    feed = toy_feed([toy_source(drawn_images(2))])

    assert take(feed, 3, rank=0, ranks=2) == [0, 2, 4]
    assert take(feed, 3, rank=1, ranks=2) == [1, 3, 5]
    assert take(feed, 2, rank=1, ranks=2, start=1) == [3, 5]


def test_worker_processes_give_batches_in_order_and_end_with_them() -> None:
    feed = toy_feed(toy_sources())

    with closing(iterate(feed, rank=0, num_ranks=1, start=2, workers=2)) as batches:
        made = [next(batches) for _ in range(4)]
        workers = multiprocessing.active_children()

    assert all(same(one, feed[number]) for number, one in enumerate(made, start=2))
    assert len(workers) >= 2
    assert not set(multiprocessing.active_children()) & set(workers)


def test_worker_processes_leave_signals_to_their_parent() -> None:
    feed = toy_feed([toy_source(drawn_images(2))])

    with closing(iterate(feed, rank=0, num_ranks=1, start=0, workers=1)) as batches:
        before = set(multiprocessing.active_children())
        next(batches)
        for worker in set(multiprocessing.active_children()) - before:
            os.kill(worker.pid or 0, signal.SIGTERM)
            os.kill(worker.pid or 0, signal.SIGINT)
        numbers = [next(batches).number for _ in range(12)]  # more than were made ahead

    assert numbers == list(range(1, 13))


def test_a_prompt_has_the_names_shown_and_others_up_to_a_number() -> None:
    names = (*NAMES, *(f"thing {number}" for number in range(20)))
    source = toy_source(replace(drawn_images(4), names=names))

    batch = toy_feed([replace(source, num_names=8)])[0].batch

    assert len(batch.names) == 8
    assert set(NAMES) <= set(batch.names) <= set(names)  # each image shows all three


def test_expressions_take_the_place_of_names() -> None:
    batch = toy_feed([toy_source(drawn_expressions(4))])[0].batch

    assert batch.names == ()
    assert len(batch.expressions) == 2
    assert all(text.startswith("the ") for text in batch.expressions)


def test_frames_of_a_clip_are_images_of_one_batch() -> None:
    batch = toy_feed([toy_source(drawn_clips(2), frames=2)])[0].batch

    assert batch.frames == 2
    assert [truth.follows for truth in batch.truth] == [False, True, False, True]


def test_one_object_is_marked_where_a_source_has_marks() -> None:
    marked, plain = (
        toy_feed([toy_source(drawn_images(4), marks=marks)])[0].batch
        for marks in (MarkConfig(chance=1.0), None)
    )

    assert marked.regions is not None
    assert [len(truth) for truth in marked.truth] == [1, 1]
    assert plain.regions is None


def broken_source() -> TrainSource:
    """Four images, of which two cannot be read."""
    samples = drawn_images(4)
    broken = [
        replace(one, frames=(replace(one.frames[0], image=b"no image"),))
        for one in samples.samples[:2]
    ]
    return toy_source(replace(samples, samples=(*broken, *samples.samples[2:])))


def test_other_samples_take_the_place_of_those_that_cannot_be_used_which_are_named() -> None:
    feed = toy_feed([broken_source()])

    prepared = [feed[number] for number in range(2)]  # each sample comes once in two batches

    assert all(len(one.batch.truth) == 2 for one in prepared)
    assert sum(len(one.faults) for one in prepared) >= 2


def test_the_first_unusable_sample_can_be_an_error() -> None:
    source = broken_source()
    feed = Feed([source], toy_feed([source]).resize, normalise, seed=0, fail_fast=True)

    with pytest.raises(BadSampleError):
        [feed[number] for number in range(2)]
