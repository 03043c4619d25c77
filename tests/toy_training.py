"""Small training runs on drawn shapes, and processes of their own to take them in."""

import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from glee.config import GleeConfig, tiny
from glee.data.drawn import drawn_clips, drawn_expressions, drawn_images
from glee.data.feed import Feed, TrainSource
from glee.data.loading import FrameChoice
from glee.data.mixture import Source
from glee.data.schema import Samples
from glee.data.transforms import MultiScale
from glee.data.visual_prompts import MarkConfig
from glee.inference.preprocess import normalise
from glee.model.build import build_glee
from glee.model.glee import GLEE
from glee.model.weights import load_model
from glee.training.config import (
    CriterionConfig,
    DenoisingConfig,
    MaskPointsConfig,
    MatcherConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainConfig,
)
from glee.training.log import read_log
from glee.training.loop import MODEL, Run, train

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["glee.training.loop"])


def toy_network(config: GleeConfig | None = None, *, seed: int = 0) -> GLEE:
    torch.manual_seed(seed)
    return build_glee(config or tiny())


def toy_source(  # noqa: PLR0913
    samples: Samples,
    *,
    side: int = 64,
    batch_size: int = 2,
    ratio: float = 1.0,
    frames: int = 0,
    marks: MarkConfig | None = None,
    flip: float = 0.0,
) -> TrainSource:
    return TrainSource(
        name="drawn",
        samples=samples,
        mix=Source(num_samples=len(samples), ratio=ratio, batch_size=batch_size),
        augment=MultiScale(shortest=(side,), longest=side, crop=0, flip=flip),
        frames=FrameChoice(count=frames, reach=5) if frames else None,
        marks=marks,
    )


def toy_sources() -> list[TrainSource]:
    """Names with marks, expressions and clips."""
    return [
        toy_source(drawn_images(4, side=64), marks=MarkConfig(chance=0.5)),
        toy_source(drawn_expressions(4, side=64)),
        toy_source(drawn_clips(2, side=64), batch_size=1, frames=2),
    ]


def toy_config(steps: int, **changes: Any) -> TrainConfig:
    config = TrainConfig(
        schedule=ScheduleConfig(steps=steps, warmup=2),
        optimizer=OptimizerConfig(rate=1e-3, text=0.0, backbone=1.0, clip_norm=1.0),
        criterion=CriterionConfig(
            matcher=MatcherConfig(num_points=64), mask_points=MaskPointsConfig(num_points=64)
        ),
        denoising=DenoisingConfig(num_queries=10),
        save_every=2,
        log_every=1,
    )
    return replace(config, **changes)


def toy_run(folder: Path, steps: int, **changes: Any) -> Run:
    config = toy_config(steps, **changes)
    return Run(model=toy_network(), sources=toy_sources(), config=config, folder=folder, workers=0)


def toy_feed(sources: Sequence[TrainSource], *, seed: int = 0) -> Feed:
    return Feed(sources, tiny().resize, normalise, seed=seed)


def losses_of(folder: Path) -> list[object]:
    return [line["loss"] for line in read_log(folder) if "loss" in line]


def same_weights(folder: Path, other: Path) -> bool:
    """Whether two runs wrote the same network, bit by bit."""
    own, theirs = (load_model(one / MODEL).state_dict() for one in (folder, other))
    return all(torch.equal(value, theirs[name]) for name, value in own.items())


def train_toy(folder: Path, steps: int, changes: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    train(toy_run(folder, steps, **changes))


def start(work: Callable[..., None], *arguments: Any, alone: bool = True) -> Any:
    """Begin some work in a process of its own, which has none of its own if it is `alone`."""
    process = PROCESSES.Process(target=work, args=arguments, daemon=alone)
    process.start()
    return process
