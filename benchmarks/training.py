"""Measure training: time of a step by module, steps per second and peak memory.

    python benchmarks/training.py [--model lite] [--size 640 640] [--batch 2] [--steps 1]
        [--device cpu] [--precision float32] [--recompute] [--busy]

Images are noise with eight boxes and masks each, and eighty names; weights are random, and the text
encoder learns beside its frozen copy, as in stage 2. The time of a module is that of its forward
passes; the backward pass, matching with losses, and the optimizer are told as wholes. A step that
does not count comes first; on a CPU, where a step of Lite takes a minute, it is one of a small
image. Run each model in a fresh process, since the peak of a CPU is that of the whole process. On a
machine that has other work to do, `--busy` with OMP_NUM_THREADS=1 counts the seconds that one core
computes.
"""

import argparse
import platform
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from glee.config import GleeConfig, lite, nano, plus, pro, tiny
from glee.data.collate import Batch
from glee.data.targets import Targets
from glee.model.build import build_glee
from glee.training.config import OptimizerConfig, ScheduleConfig, TrainConfig
from glee.training.optimizer import build_optimizer, freeze
from glee.training.recompute import recompute_blocks
from glee.training.step import TrainingStep
from glee.training.texts import build_texts

PRESETS = {"nano": nano, "lite": lite, "plus": plus, "pro": pro, "tiny": tiny}
OBJECTS, NAMES = 8, 80

STEP = "whole step"

SMALL = (128, 128)
"""Pixels of an image that only prepares libraries and the optimizer's state."""


class Clock:
    """Adds up seconds by name: those that pass, or if `busy` those that processors compute."""

    def __init__(self, device: torch.device, *, busy: bool = False) -> None:
        self.device, self.busy = device, busy
        self.seconds: dict[str, float] = defaultdict(float)

    def now(self) -> float:
        """Return the time when all work so far is done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.process_time() if self.busy else time.perf_counter()

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add the time that something takes."""
        start = self.now()
        yield
        self.seconds[name] += self.now() - start

    def watch(self, name: str, module: nn.Module) -> None:
        """Add the time of each forward pass of a module."""
        starts: list[float] = []
        module.register_forward_pre_hook(lambda *_: starts.append(self.now()))

        def end(*_: object) -> None:
            self.seconds[name] += self.now() - starts.pop()

        module.register_forward_hook(end)


def invent(batch: int, size: tuple[int, int]) -> Batch:
    """Return noise with objects."""
    generator = torch.Generator().manual_seed(0)
    truth = []
    for _ in range(batch):
        centres = 0.2 + 0.6 * torch.rand(OBJECTS, 2, generator=generator)
        sides = 0.1 + 0.2 * torch.rand(OBJECTS, 2, generator=generator)
        masks = torch.zeros(OBJECTS, *size, dtype=torch.bool)
        for mask, (x, y), (w, h) in zip(masks, centres.tolist(), sides.tolist(), strict=True):
            rows = slice(int((y - h / 2) * size[0]), int((y + h / 2) * size[0]))
            mask[rows, int((x - w / 2) * size[1]) : int((x + w / 2) * size[1])] = True
        truth.append(
            Targets(
                labels=torch.randint(NAMES, (OBJECTS,), generator=generator),
                boxes_cxcywh=torch.cat([centres, sides], dim=1),
                masks=masks,
            )
        )
    return Batch(
        pixels=torch.randn(batch, 3, *size, generator=generator),
        sizes=(size,) * batch,
        names=tuple(f"thing {n}" for n in range(NAMES)),
        expressions=(),
        truth=tuple(truth),
        frames=1,
    )


def measure(config: GleeConfig, batch: Batch, options: argparse.Namespace) -> Clock:
    """Train a few steps after one that does not count."""
    device = torch.device(options.device)
    settings = TrainConfig(
        schedule=ScheduleConfig(steps=options.steps),
        optimizer=OptimizerConfig(),
        precision=options.precision,
    )
    torch.manual_seed(0)
    model = build_glee(config).to(device).train()
    freeze(model, settings.optimizer)
    if options.recompute:
        recompute_blocks(model)
    step = TrainingStep(model, build_texts(model, settings), settings)
    optimizer = build_optimizer(model, settings.optimizer)
    clock, batch = Clock(device, busy=options.busy), batch.to(device)
    for name, module in model.named_children():
        clock.watch(f"  {name}", module)
    first = invent(1, SMALL).to(device) if device.type == "cpu" else batch
    for number in range(options.steps + 1):
        if number == 1:
            clock.seconds.clear()
        with clock.measure(STEP):
            with clock.measure("forward pass and losses"):
                total, _, _ = step(batch if number else first, number)
            with clock.measure("backward pass"):
                total.backward()
            with clock.measure("optimizer"):
                nn.utils.clip_grad_norm_(model.parameters(), settings.optimizer.clip_norm)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
        print(
            f"step {number} of {options.steps}: {clock.seconds[STEP]:.1f} s so far", file=sys.stderr
        )
    return clock


def peak_memory(device: torch.device) -> float:
    """Return the most memory that was in use, in GB."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def describe(device: torch.device) -> str:
    """Name the hardware."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    processor = platform.processor() or platform.machine()
    return f"{processor}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", choices=PRESETS, default="lite")
    parser.add_argument("--size", type=int, nargs=2, default=(640, 640))
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--precision", choices=("float32", "bfloat16", "float16"), default="float32"
    )
    parser.add_argument("--recompute", action="store_true", help="activation checkpointing")
    parser.add_argument("--busy", action="store_true", help="count seconds that are computed")
    options = parser.parse_args()
    device, size = torch.device(options.device), (options.size[0], options.size[1])
    clock = measure(PRESETS[options.model](), invent(options.batch, size), options)
    print(f"{options.model}, batch {options.batch} of {size[0]}x{size[1]}, {options.precision}")
    print(describe(device))
    for name, seconds in clock.seconds.items():
        print(f"{name:28} {seconds / options.steps:9.3f} s")
    print(f"{'steps per second':28} {options.steps / clock.seconds[STEP]:9.3f}")
    print(f"{'peak memory':28} {peak_memory(device):9.2f} GB")


if __name__ == "__main__":
    main()
