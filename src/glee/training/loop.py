"""The training loop: batches in, a trained network out, resumable at every step."""

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing

import torch
from torch import nn

from glee.data.feed import Feed, Prepared, iterate
from glee.data.left_out import require_sound
from glee.data.report import Report
from glee.inference.preprocess import normalise
from glee.model.glee import GLEE
from glee.model.weights import model_from_weights, save_weights
from glee.training.best import Best
from glee.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from glee.training.curves import leave_curves
from glee.training.distributed import Processes
from glee.training.ema import Averages, copy_into
from glee.training.interruption import interruptible
from glee.training.log import Log
from glee.training.lora import plain_weights
from glee.training.optimizer import build_optimizer, freeze, rate_share, set_rate
from glee.training.pictures import save_picture
from glee.training.recompute import recompute_blocks
from glee.training.run import Evaluate, Run
from glee.training.sharding import optimizer_parts, parts_like, shard, whole
from glee.training.step import TrainingStep, count_objects
from glee.training.texts import build_texts

__all__ = ["MODEL", "Evaluate", "Run", "Trainer", "train"]

MODEL = "model.safetensors"

LEAST_SAMPLES = 200
"""Samples before their share of bad ones says anything."""


def train(run: Run) -> GLEE:
    """Train a network until its last step, going on from the last checkpoint of its folder.

    Ctrl-C and SIGTERM end it after the step at hand, with a checkpoint.
    Returns a network with what was learned, averaged if averages are kept, in evaluation mode; it
    is also written to `model.safetensors` in the folder, and what of the data could not be used to
    `left_out.txt`. Raises KeyboardInterrupt if it was interrupted, FloatingPointError if the
    training has diverged, and ValueError if too much of the data is bad or the checkpoint is that
    of another run.
    """
    trainer = Trainer(run)
    trainer.resume()
    trainer.run_steps()
    return trainer.finish()


class Trainer:
    """The state of a run: network, optimizer, averages and the number of steps done."""

    def __init__(self, run: Run) -> None:
        self.run, self.config = run, run.config
        self.reading = {
            source.name: require_sound(
                source.samples, source.name, most=run.bad_share, fail_fast=run.fail_fast
            )
            for source in run.sources
        }
        self.processes = Processes.current(run.device)
        self.device = self.processes.device
        self.model = run.model.to(self.device).train()
        freeze(self.model, self.config.optimizer)
        if not self.config.optimizer.backbone:
            # Convolutions read this layout faster. One that learns is left as it was built.
            # torch's annotations do not know `to` with a layout alone.
            self.model.backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.config.activation_checkpointing:
            recompute_blocks(self.model)
        texts = build_texts(self.model, self.config)
        teacher = None if run.teacher is None else run.teacher.to(self.device)
        step = TrainingStep(self.model, texts, self.config, teacher=teacher)
        step.touches_all = self.processes.count > 1
        sharded = run.shard and self.processes.count > 1
        self.step_module: nn.Module = (
            shard(step, self.device) if sharded else self.processes.wrap(step)
        )
        self.optimizer = build_optimizer(self.model, self.config.optimizer)
        self.learning = {n: p for n, p in self.model.named_parameters() if p.requires_grad}
        self.averages = Averages(self.learning, self.config.ema)
        self.scaler = torch.amp.GradScaler(
            self.device.type, enabled=self.config.precision == "float16"
        )
        self.step = 0
        self.report = Report(fail_fast=run.fail_fast)
        self.log = Log(run.folder, main=self.processes.is_main, board=run.tensorboard)
        self.best = Best(run.folder, run.best_by)

    def resume(self) -> None:
        """Go on from the last checkpoint of the folder, if there is one."""
        found = load_checkpoint(self.run.folder, self.run.describe)
        if found is not None:
            copy_into(self.learning, parts_like(found.weights, self.learning))
            copy_into(self.averages.values, parts_like(found.averaged, self.learning))
            self.optimizer.load_state_dict(optimizer_parts(self.optimizer, found.optimizer))
            self.scaler.load_state_dict(dict(found.scaler))
            self.step = found.step
        self.log.begin(self.step)
        if self.processes.is_main:
            self.best.resume()
        if found is None and self.run.at_start is not None:
            self._offer(self.snapshot(), self.run.at_start)

    def run_steps(self) -> None:
        """Take all steps that are left."""
        last = self.config.schedule.steps
        stop = last if self.run.until is None else min(last, self.run.until)
        if self.step < stop:
            with (
                interruptible() as interrupted,
                self.log.progress(self.step, stop) as progress,
                closing(self._batches()) as batches,
            ):
                while self.step < stop:
                    self._take_step(batches)
                    progress.update()
                    self._after_step()
                    late = time.monotonic() >= self.run.deadline
                    if self.processes.any(interrupted() or late):
                        break
                self.save()
                if not _is_time(self.step, self.config.log_every):
                    self._log()  # a piece of a run may be shorter than what a line is the mean of
                if self.processes.is_main:
                    leave_curves(self.run.folder)
        self.log.left_out({**self.reading, f"in training up to step {self.step}": self.report})
        self.log.end()
        if self.step < last:
            raise KeyboardInterrupt(f"stopped after step {self.step}; run again to go on")

    def finish(self) -> GLEE:
        """Write the network and return a copy of it, in evaluation mode.

        If the best network is wanted, it is that one in the main process.
        """
        model = self.snapshot()
        if self.processes.is_main:
            model = self.best.load() or model
            step = self.step if self.best.step is None else self.best.step
            origin = f"trained for {step} steps"
            weights = {name: value.cpu() for name, value in model.state_dict().items()}
            save_weights(self.run.folder / MODEL, model.config, weights, origin=origin)
        return model.to(self.device)

    def snapshot(self) -> GLEE:
        """Return a copy of the network as it is now, with averaged weights if these are kept.

        If the network is sharded all processes must ask for it.
        """
        with self.averages.lent():
            weights = {
                name: whole(value.detach()).clone()
                for name, value in plain_weights(self.model).items()
            }
        return model_from_weights(self.model.config, weights)

    def save(self) -> None:
        """Write a checkpoint."""
        checkpoint = Checkpoint(
            step=self.step,
            weights=whole({n: p.detach() for n, p in self.learning.items()}),
            averaged=whole(self.averages.values),
            optimizer=whole(self.optimizer.state_dict()),
            scaler=self.scaler.state_dict(),
            run=self.run.describe,
        )
        if self.processes.is_main:
            save_checkpoint(self.run.folder, checkpoint)

    def _batches(self) -> Generator[Prepared, None, None]:
        """Return the batches of this process from the present step on."""
        feed = Feed(
            self.run.sources,
            self.model.config.resize,
            normalise,
            seed=self.config.seed,
            fail_fast=self.run.fail_fast,
        )
        return iterate(
            feed,
            rank=self.processes.rank,
            num_ranks=self.processes.count,
            start=self.step * self.config.accumulate,
            workers=self.run.workers,
        )

    def _take_step(self, batches: Iterator[Prepared]) -> None:
        """Add up the gradients of a few batches and change the weights."""
        set_rate(self.optimizer, self.config.optimizer, rate_share(self.config.schedule, self.step))
        for part in range(self.config.accumulate):
            prepared = next(batches)
            self._count_faults(prepared)
            self._learn(prepared, last=part == self.config.accumulate - 1)
        parameters = list(self.learning.values())
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(parameters, self.config.optimizer.clip_norm, foreach=True)
        self.log.note("gradient_norm", whole(norm))
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.averages.update(self.step)

    def _learn(self, prepared: Prepared, *, last: bool) -> None:
        """Add the gradients of a batch, the last one of its step or not."""
        batch = prepared.batch.to(self.device)
        # Dropout draws from the global generator: a resumed run must draw the same.
        torch.manual_seed(prepared.seed)
        num_objects = self.processes.mean(count_objects(batch.truth))
        with self.processes.synchronised(self.step_module, last):
            total, losses, outputs = self.step_module(batch, prepared.seed, num_objects)
            self.scaler.scale(total / self.config.accumulate).backward()
        if not total.isfinite():
            raise FloatingPointError(
                f"the losses of step {self.step} are not finite, the training has diverged; "
                "lower optimizer.rate or raise schedule.warmup"
            )
        self.log.add(self.run.sources[prepared.source].name, len(batch.truth), losses)
        # The weights are those before the step, which the picture is named by.
        is_time = last and _is_time(self.step, self.config.picture_every)
        if is_time and self.processes.is_main and outputs is not None:
            save_picture(self.run.folder, self.step, batch, outputs)

    def _after_step(self) -> None:
        """Log, judge and save, where it is time to."""
        config, step = self.config, self.step
        if _is_time(step, config.log_every):
            self._log()
        judged = _is_time(step, config.validate_every) or step == config.schedule.steps
        if self.run.evaluate is not None and config.validate_every and judged:
            model = self.snapshot()
            if self.processes.is_main:
                self._offer(model, self.run.evaluate(model))
        if _is_time(step, config.save_every):
            self.save()

    def _log(self) -> None:
        group = self.optimizer.param_groups[0]
        self.log.write(self.step, group["lr"] / group["factor"])

    def _offer(self, model: GLEE, numbers: Mapping[str, float]) -> None:
        """Keep what was found of the network as it is now, and the network if it is the best."""
        if self.processes.is_main:
            self.best.offer(model, numbers, self.step)
            self.log.evaluation(self.step, numbers)

    def _count_faults(self, prepared: Prepared) -> None:
        self.report.total += len(prepared.batch.truth) + len(prepared.faults)
        for fault in prepared.faults:
            name = self.run.sources[prepared.source].name
            self.report.add(f"unusable samples of {name}", fault)
        if self.report.total > LEAST_SAMPLES:
            self.report.require_share(self.run.bad_share)


def _is_time(step: int, every: int) -> bool:
    return every > 0 and step % every == 0
