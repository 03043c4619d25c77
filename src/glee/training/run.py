"""Run: what is trained, on what, and where it is kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

import torch

from glee.data.feed import TrainSource
from glee.data.schema import Samples
from glee.model.glee import GLEE
from glee.training.cell_distillation import DenseTeacher
from glee.training.config import TrainConfig

Evaluate = Callable[[GLEE], Mapping[str, float]]
"""Judges a network, in evaluation mode, by numbers with names."""

Judge = Callable[[GLEE, Samples, Sequence[str]], Mapping[str, float]]
"""Says how well a network finds the objects of some names, such as glee.evaluation.own_data's."""

BEST_BY = "AP boxes"
"""The number of a judge that says which network is the best."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """What is trained, on what, and where it is kept.

    model        the network, which is changed
    sources      what it learns from
    config       how
    folder       for checkpoints, logs and pictures
    describe     what the run is, as JSON; a checkpoint goes on with the same run only
    evaluate     called every `config.validate_every` steps, and after the last one, with a copy;
                 None for never
    best_by      which of the numbers of `evaluate` says which network is best, so that this one
                 is what the run gives; None for the last one
    at_start     what `evaluate` gives for the network as it is now, which then may be the best one
                 too; None if that is not asked
    teacher      a detector that teaches all cells, see TrainingStep; None for none
    workers      processes that prepare batches
    device       what the network is trained on
    until        stop before this step, as if interrupted; None to finish
    deadline     stop after the step during which `time.monotonic()` comes here, as if interrupted;
                 inf to finish
    shard        divide weights, gradients and optimizer among the processes, instead of keeping
                 all of them in each
    tensorboard  write for TensorBoard, too
    bad_share    the largest share of entries of a source, and of samples opened, that may be bad
    fail_fast    stop at the first bad one

    Raises ValueError for float16 with `shard`, and for `best_by` without evaluations.
    """

    model: GLEE
    sources: Sequence[TrainSource]
    config: TrainConfig
    folder: Path
    describe: str = "{}"
    evaluate: Evaluate | None = None
    best_by: str | None = None
    at_start: Mapping[str, float] | None = None
    teacher: DenseTeacher | None = None
    workers: int = 2
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    until: int | None = None
    deadline: float = inf
    shard: bool = False
    tensorboard: bool = False
    bad_share: float = 0.05
    fail_fast: bool = False

    def __post_init__(self) -> None:
        if self.best_by is not None and not (self.evaluate and self.config.validate_every):
            raise ValueError(
                f"best_by is {self.best_by!r}, but nothing is evaluated; give evaluate and "
                "config.validate_every"
            )
        if self.shard and self.config.precision == "float16":
            raise ValueError(
                'precision "float16" cannot be sharded, each process would scale its losses in '
                'its own way; use "bfloat16"'
            )
