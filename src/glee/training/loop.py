"""The training loop: batches in, a trained network out, resumable at every step."""

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import torch
from torch import Tensor, nn

from glee.data.feed import Feed, Prepared, TrainSource, iterate
from glee.data.report import Report
from glee.inference.preprocess import normalise
from glee.model.glee import GLEE
from glee.model.text.build import build_tokenizer
from glee.model.weights import save_weights
from glee.training.cell_distillation import DenseTeacher
from glee.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from glee.training.config import TrainConfig
from glee.training.distillation import frozen_copy
from glee.training.distributed import Processes
from glee.training.log import Log
from glee.training.optimizer import build_optimizer, freeze, rate_share, set_rate
from glee.training.step import TrainingStep, count_objects
from glee.training.texts import FrozenTexts, TrainedTexts

Evaluate = Callable[[GLEE], Mapping[str, float]]
"""Judges a network, in evaluation mode, by numbers with names."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """What is trained, on what, and where it is kept.

    model     the network, which is changed
    sources   what it learns from
    config    how
    folder    for checkpoints, logs and pictures
    describe  what the run is, as JSON; a checkpoint goes on with the same run only
    evaluate  called every `config.validate_every` steps; None for never
    teacher   a detector that teaches all cells, see TrainingStep
    workers   processes that prepare batches
    device    what the network is trained on
    until     stop before this step, as if interrupted; None to finish
    bad_share  the largest share of samples that may turn out unusable
    fail_fast  stop at the first unusable sample
    """

    model: GLEE
    sources: Sequence[TrainSource]
    config: TrainConfig
    folder: Path
    describe: str = "{}"
    evaluate: Evaluate | None = None
    teacher: DenseTeacher | None = None
    workers: int = 2
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    until: int | None = None
    bad_share: float = 0.05
    fail_fast: bool = False


def train(run: Run) -> GLEE:
    """Train a network until its last step, going on from the last checkpoint of its folder.

    Ctrl-C and SIGTERM end it after the step at hand, with a checkpoint.
    Returns the network, with averaged weights if these are kept, in evaluation mode; it is also
    written to `model.safetensors` in the folder. Raises KeyboardInterrupt if it was interrupted,
    FloatingPointError if the training has diverged, and ValueError if too many samples are bad
    or the checkpoint is that of another run.
    """
    trainer = Trainer(run)
    trainer.resume()
    trainer.run_steps()
    return trainer.finish()


class Trainer:
    """The state of a run: network, optimizer, averages and the number of steps done."""

    def __init__(self, run: Run) -> None:
        self.run, self.config = run, run.config
        self.processes = Processes.current(run.device)
        self.model = run.model.to(run.device).train()
        freeze(self.model, self.config.optimizer)
        self.optimizer = build_optimizer(self.model, self.config.optimizer)
        self.learning = {n: p for n, p in self.model.named_parameters() if p.requires_grad}
        self.averaged: dict[str, Tensor] = {}
        if self.config.ema:
            self.averaged = {n: p.detach().clone() for n, p in self.learning.items()}
        self.step_module = self.processes.wrap(
            TrainingStep(self.model, self._texts(), self.config, run.teacher)
        )
        self.scaler = torch.amp.GradScaler(
            run.device.type, enabled=self.config.precision == "float16"
        )
        self.step = 0
        self.report = Report(fail_fast=run.fail_fast)
        self.log = Log(run.folder, main=self.processes.is_main)

    def resume(self) -> None:
        """Go on from the last checkpoint of the folder, if there is one."""
        found = load_checkpoint(self.run.folder, self.run.describe)
        if found is None:
            return
        _copy_into(self.learning, found.weights)
        _copy_into(self.averaged, found.averaged)
        self.optimizer.load_state_dict(dict(found.optimizer))
        self.scaler.load_state_dict(dict(found.scaler))
        self.step = found.step

    def run_steps(self) -> None:
        """Take all steps that are left."""
        last = self.config.schedule.steps
        stop = last if self.run.until is None else min(last, self.run.until)
        if self.step >= stop:
            return
        feed = Feed(
            self.run.sources,
            self.model.config.resize,
            normalise,
            seed=self.config.seed,
            fail_fast=self.run.fail_fast,
        )
        batches = iterate(
            feed,
            rank=self.processes.rank,
            num_ranks=self.processes.count,
            start=self.step * self.config.accumulate,
            workers=self.run.workers,
        )
        with _interruptible() as interrupted, self.log.progress(self.step, stop) as progress:
            while self.step < stop:
                self._take_step(batches)
                progress.update()
                self._after_step()
                if self.processes.any(interrupted()):
                    break
        self.save()
        if self.step < stop:
            raise KeyboardInterrupt(f"stopped after step {self.step}; run again to go on")

    def finish(self) -> GLEE:
        """Write the network and return it, in evaluation mode."""
        _copy_into(self.learning, self.averaged)
        if self.processes.is_main:
            origin = f"trained for {self.step} steps"
            weights = {n: v.detach().cpu() for n, v in self.model.state_dict().items()}
            path = self.run.folder / "model.safetensors"
            save_weights(path, self.model.config, weights, origin=origin)
        return self.model.eval()

    def save(self) -> None:
        """Write a checkpoint."""
        if self.processes.is_main:
            checkpoint = Checkpoint(
                step=self.step,
                weights={n: p.detach() for n, p in self.learning.items()},
                averaged=self.averaged,
                optimizer=self.optimizer.state_dict(),
                scaler=self.scaler.state_dict(),
                run=self.run.describe,
            )
            save_checkpoint(self.run.folder, checkpoint)

    def _texts(self) -> FrozenTexts | TrainedTexts:
        tokenizer = build_tokenizer(self.model.config.text)
        if not self.config.optimizer.text:
            return FrozenTexts(self.model, tokenizer)
        teacher = None
        if self.config.criterion.distillation:
            teacher = frozen_copy(self.model.text_encoder)
        return TrainedTexts(self.model, tokenizer, teacher)

    def _take_step(self, batches: Iterator[Prepared]) -> None:
        """Add up the gradients of a few batches and change the weights."""
        set_rate(self.optimizer, self.config.optimizer, rate_share(self.config.schedule, self.step))
        for part in range(self.config.accumulate):
            prepared = next(batches)
            self._count_faults(prepared)
            batch = prepared.batch.to(self.run.device)
            # Dropout draws from the global generator: a resumed run must draw the same.
            torch.manual_seed(prepared.seed)
            with self.processes.synchronised(self.step_module, part == self.config.accumulate - 1):
                total, losses, _ = self.step_module(
                    batch, prepared.seed, self.processes.mean(count_objects(batch.truth))
                )
                self.scaler.scale(total / self.config.accumulate).backward()
            if not total.isfinite():
                raise FloatingPointError(
                    f"the losses of step {self.step} are not finite, the training has diverged; "
                    "lower optimizer.rate or raise schedule.warmup"
                )
            self.log.add(self.run.sources[prepared.source].name, len(batch.truth), losses)
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(
            list(self.learning.values()), self.config.optimizer.clip_norm, foreach=True
        )
        self.log.note("gradient_norm", norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        if self.averaged:
            _average(self.averaged, self.learning, self.config.ema, self.step)

    def _after_step(self) -> None:
        """Log, judge and save, where it is time to."""
        config, step = self.config, self.step
        if config.log_every and step % config.log_every == 0:
            self.log.write(step, self.optimizer.param_groups[0]["lr"])
        if config.validate_every and step % config.validate_every == 0:
            self._evaluate()
        if config.save_every and step % config.save_every == 0:
            self.save()

    def _evaluate(self) -> None:
        if self.run.evaluate is None or not self.processes.is_main:
            return
        with self._averaged_weights():
            self.model.eval()
            self.log.evaluation(self.step, self.run.evaluate(self.model))
            self.model.train()

    @contextmanager
    def _averaged_weights(self) -> Iterator[None]:
        """Lend the network its averaged weights."""
        own = {n: p.detach().clone() for n, p in self.learning.items()} if self.averaged else {}
        _copy_into(self.learning, self.averaged)
        try:
            yield
        finally:
            _copy_into(self.learning, own)

    def _count_faults(self, prepared: Prepared) -> None:
        self.report.total += len(prepared.batch.truth) + len(prepared.faults)
        for fault in prepared.faults:
            name = self.run.sources[prepared.source].name
            self.report.add(f"unusable samples of {name}", fault)
        if self.report.total > LEAST_SAMPLES:
            self.report.require_share(self.run.bad_share)


LEAST_SAMPLES = 200
"""Samples before their share of bad ones says anything."""


@torch.no_grad()
def _average(
    averaged: Mapping[str, Tensor], current: Mapping[str, Tensor], keep: float, step: int
) -> None:
    """Move averages towards the current weights; the first steps count more."""
    share = min(keep, (1 + step) / (10 + step))
    old = list(averaged.values())
    torch._foreach_lerp_(old, [current[name] for name in averaged], 1 - share)


@torch.no_grad()
def _copy_into(parameters: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    for name, value in values.items():
        parameters[name].copy_(value)


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Give a function that says whether Ctrl-C or SIGTERM came; a second one acts at once."""
    caught: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        caught.append(number)
        if len(caught) > 1:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(caught)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
