"""The parts train together: drawn images and clips are learned by heart."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from glee import Prompts
from glee.config import EarlyFusionConfig, ResizeConfig, lite, tiny
from glee.data.drawn import DrawnSamples, drawn_clips, drawn_expressions, drawn_images
from glee.data.feed import TrainSource
from glee.evaluation.own_data import judge_samples
from glee.inference.predictor import Predictor
from glee.model.build import build_glee
from glee.model.glee import GLEE
from glee.ops.masks import decode_rle
from glee.training.config import (
    CriterionConfig,
    DenoisingConfig,
    MaskPointsConfig,
    MatcherConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainConfig,
)
from glee.training.loop import Run, Trainer, train
from glee.video.names import NameFollower
from toy_training import losses_of, toy_network, toy_source

SIDE = 96

LEARNS = TrainConfig(
    schedule=ScheduleConfig(steps=600, warmup=20, shape="cosine"),
    optimizer=OptimizerConfig(rate=2e-3, backbone=1.0, text=0.0, weight_decay=0.0, clip_norm=1.0),
    criterion=CriterionConfig(
        matcher=MatcherConfig(num_points=256),
        mask_points=MaskPointsConfig(num_points=256),
        cells_per_object=4,
    ),
    denoising=DenoisingConfig(num_queries=10),
    save_every=0,
)


QUICK = replace(LEARNS, criterion=replace(LEARNS.criterion, initial_queries=False))


def learner() -> GLEE:
    config = replace(
        tiny(),
        resize=ResizeConfig(shortest=SIDE, longest=SIDE),
        early_fusion=EarlyFusionConfig(inner_width=64, num_heads=2, dropout=0.0),
    )
    return toy_network(config)


@pytest.fixture
def _one_thread() -> Iterator[None]:
    """A network this small learns no faster on several threads, which only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def learn(
    folder: Path, sources: Sequence[TrainSource], config: TrainConfig, steps: int
) -> Predictor:
    config = replace(config, schedule=replace(config.schedule, steps=steps))
    run = Run(model=learner(), sources=sources, config=config, folder=folder, workers=0)
    started = time.process_time()
    network = train(run)
    print(f"{steps} steps in {time.process_time() - started:.0f} s of processors")
    return Predictor(network)


def overlap_of_expressions(predictor: Predictor, samples: DrawnSamples) -> list[float]:
    """Return the IoU of the best mask of each image's expression."""
    overlaps = []
    for sample in samples.samples:
        frame = sample.frames[0]
        found = predictor.predict(frame.image, Prompts(expression=sample.expressions[0]))
        true = decode_rle(frame.masks, frame.size)[0]
        both, either = (found.masks[0] & true).sum(), (found.masks[0] | true).sum()
        overlaps.append(float(both / either))
    return overlaps


@pytest.mark.slow
@pytest.mark.usefixtures("_one_thread")
def test_tiny_learns_eight_images_their_masks_names_and_expressions_by_heart(
    tmp_path: Path,
) -> None:
    images, described = drawn_images(8, side=SIDE), drawn_expressions(8, side=SIDE)
    sources = [
        toy_source(images, side=SIDE, batch_size=4),
        toy_source(described, side=SIDE, batch_size=4, ratio=0.5),
    ]

    predictor = learn(tmp_path, sources, QUICK, 400)

    scores = judge_samples(predictor, images)
    assert scores["masks"]["AP"] > 0.9
    assert scores["boxes"]["AP"] > 0.75
    assert min(overlap_of_expressions(predictor, described)) > 0.8


def test_tiny_learns_two_images_better_and_better(tmp_path: Path) -> None:
    images = drawn_images(2, side=64)
    run = Run(
        model=toy_network(),
        sources=[toy_source(images, side=64)],
        config=replace(
            LEARNS, schedule=replace(LEARNS.schedule, steps=30), log_every=1, denoising=None
        ),
        folder=tmp_path,
        workers=0,
    )

    train(run)

    losses = losses_of(tmp_path)
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


@pytest.mark.slow
@pytest.mark.usefixtures("_one_thread")
def test_tiny_learns_eight_clips_and_keeps_identities_through_an_occlusion(
    tmp_path: Path,
) -> None:
    clips = drawn_clips(8, side=SIDE)
    sources = [toy_source(clips, side=SIDE, batch_size=2, frames=2)]

    predictor = learn(tmp_path, sources, LEARNS, 600)

    for clip in clips.samples:
        assert followed(predictor, clip, clips.names)


def followed(predictor: Predictor, clip: object, names: tuple[str, ...]) -> bool:
    """Whether each object of a clip has one identity in all frames, before and after the wall."""
    follower = NameFollower(predictor, names)
    seen: dict[int, set[int]] = {}
    hidden = False
    for n in range(len(clip.frames)):
        frame = clip.frames[n]
        found = follower.step(frame.image)
        hidden |= len(frame) < 2
        truth = decode_rle(frame.masks, frame.size)
        for row, identity in enumerate(frame.track_ids):
            if truth[row].sum() < 40:  # a sliver beside the wall
                continue
            both = (found.masks & truth[row]).sum((1, 2))
            either = (found.masks | truth[row]).sum((1, 2))
            best = (both / either.clamp(min=1)).max(0) if len(found) else None
            if best is not None and best.values > 0.5:
                seen.setdefault(identity, set()).add(int(found.track_ids[best.indices]))
    return hidden and all(len(ids) == 1 for ids in seen.values()) and len(seen) == 2


@pytest.mark.slow
def test_full_size_lite_takes_a_step_of_two_images_of_640_pixels(tmp_path: Path) -> None:
    torch.manual_seed(0)
    samples = drawn_images(2, side=640)
    run = Run(
        model=build_glee(lite()),
        sources=[toy_source(samples, side=640)],
        config=TrainConfig(schedule=ScheduleConfig(steps=1, warmup=0), log_every=1),
        folder=tmp_path,
        workers=0,
    )

    trainer = Trainer(run)
    before = trainer.model.heads.mask_features.weight.detach().clone()
    trainer.resume()
    trainer.run_steps()

    (loss,) = losses_of(tmp_path)
    assert np.isfinite(loss)
    assert not torch.equal(trainer.model.heads.mask_features.weight, before)
