"""From a recipe and a folder of data sets to a run."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

import torch

from glee.config_json import config_to_dict
from glee.data.schema import Samples
from glee.files import require_folder
from glee.inference.devices import require_device
from glee.model.build import build_glee
from glee.model.glee import GLEE
from glee.training.checkpoint import fingerprint
from glee.training.config import ScheduleConfig, TrainConfig
from glee.training.optimizer import freeze
from glee.training.recipe import Recipe
from glee.training.run import BEST_BY, Evaluate, Judge, Run
from glee.training.start import begin_from


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What is decided for each run of a recipe.

    start        files with the weights to begin with, see begin_from
    steps        of the whole run, with its schedule stretched; None for those of the recipe
    accumulate   batches that each step adds up; None for those of the recipe
    precision    what most of the network computes in; None for that of the recipe, or float32 on
                 a CPU
    until        stop before this step, as if interrupted; None to finish
    minutes      stop after the step at hand when so many have passed since the launch, as if
                 interrupted; None to finish
    device       what to train on
    workers      processes that prepare batches
    shard        divide the network among the processes
    tensorboard  write for TensorBoard, too
    bad_share    the largest share of a source's entries, and of samples, that may be bad
    fail_fast    stop at the first bad one
    """

    start: Sequence[Path] = ()
    steps: int | None = None
    accumulate: int | None = None
    precision: str | None = None
    until: int | None = None
    minutes: float | None = None
    device: str = "cpu"
    workers: int = 2
    shard: bool = False
    tensorboard: bool = False
    bad_share: float = 0.05
    fail_fast: bool = False


def launch(
    recipe: Recipe, root: Path, folder: Path, options: Launch, judge: Judge | None = None
) -> Run:
    """Return the run of a recipe, for `train`.

    root    the folder of all data sets
    folder  for checkpoints, logs and the trained network
    judge   gives "AP boxes", as glee.evaluation.own_data.judge_network does, for recipes that keep
            the best network; without it the last one is kept

    Raises FileNotFoundError that names data that are missing, or a file of weights, and ValueError
    for a device that is not here, minutes that are none, or a folder that is a file.
    """
    deadline = _deadline(options.minutes)
    device = require_device(options.device)
    require_folder(folder)
    sources = recipe.open(root)
    evaluate = _evaluation(recipe, root, judge)
    config = _adapt(recipe.config, options)
    torch.manual_seed(config.seed)
    model = build_glee(recipe.model)
    begin_from(model, options.start)
    return Run(
        model=model,
        sources=sources,
        config=config,
        folder=folder,
        describe=_describe(recipe, config, options, model),
        evaluate=evaluate,
        best_by=None if evaluate is None else BEST_BY,
        teacher=None if recipe.teach is None else recipe.teach(root),
        workers=options.workers,
        device=device,
        until=options.until,
        deadline=deadline,
        shard=options.shard,
        tensorboard=options.tensorboard,
        bad_share=options.bad_share,
        fail_fast=options.fail_fast,
    )


def stretch(schedule: ScheduleConfig, steps: int) -> ScheduleConfig:
    """Return a schedule of other length, in which the rate falls at the same shares of the run."""
    share = steps / schedule.steps
    return replace(
        schedule,
        steps=steps,
        warmup=min(schedule.warmup, steps // 10),
        drops=tuple(round(drop * share) for drop in schedule.drops),
    )


def _deadline(minutes: float | None) -> float:
    """Return the time on the monotonic clock when so many minutes have passed from now on."""
    if minutes is None:
        return inf
    if not 0 < minutes < inf:
        raise ValueError(f"minutes must be more than 0, got {minutes}")
    return time.monotonic() + 60 * minutes


def _evaluation(recipe: Recipe, root: Path, judge: Judge | None) -> Evaluate | None:
    """Return what judges a network on the samples that a recipe sets apart, if it does."""
    if recipe.judged is None or judge is None:
        return None
    samples: Samples = recipe.judged(root)
    names = [samples.names[n] for n in range(len(samples.names))]
    return lambda model: judge(model, samples, names)


def _adapt(config: TrainConfig, options: Launch) -> TrainConfig:
    if options.steps is not None:
        every = config.validate_every * options.steps // config.schedule.steps
        config = replace(
            config,
            schedule=stretch(config.schedule, options.steps),
            validate_every=max(1, every) if config.validate_every else 0,
        )
    if options.accumulate is not None:
        config = replace(config, accumulate=options.accumulate)
    match options.precision:
        case "float32" | "bfloat16" | "float16" as precision:
            return replace(config, precision=precision)
        case None:
            # CPUs compute float16 slowly, if at all.
            on_cpu = torch.device(options.device).type == "cpu"
            return replace(config, precision="float32") if on_cpu else config
    raise ValueError(f"precision must be float32, bfloat16 or float16, got {options.precision!r}")


def _describe(recipe: Recipe, config: TrainConfig, options: Launch, model: GLEE) -> str:
    """Return what makes a run what it is, as JSON.

    Checkpoints hold what learns. What does not is known again by its fingerprint, so that a run
    does not go on with the encoders of another one, on another machine for example.
    """
    freeze(model, config.optimizer)
    learning = {name for name, value in model.named_parameters() if value.requires_grad}
    frozen = {name: v for name, v in model.state_dict().items() if name not in learning}
    return json.dumps(
        {
            "model": config_to_dict(recipe.model),
            "config": config_to_dict(config),
            "start": [path.name for path in options.start],
            "frozen": fingerprint(frozen),
        }
    )
