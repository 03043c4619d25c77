import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from glee.config import EarlyFusionConfig, tiny
from glee.data.collate import Batch
from glee.data.drawn import drawn_images
from glee.training.distributed import Processes
from glee.training.loop import train
from glee.training.optimizer import freeze
from glee.training.sharding import shard, whole
from glee.training.step import TrainingStep, count_objects
from glee.training.texts import build_texts
from toy_training import (
    losses_of,
    same_weights,
    start,
    toy_config,
    toy_feed,
    toy_network,
    toy_run,
    toy_source,
)

CPU = torch.device("cpu")


class SameForAll:
    """Nothing at random: what is drawn for an image does not depend on the others."""

    def points(self, rows: int, count: int) -> Tensor:
        return torch.rand(count, 2, generator=torch.Generator().manual_seed(0)).repeat(rows, 1, 1)

    def label_chances(self, count: int) -> Tensor:
        return torch.ones(count)

    def labels(self, count: int, num_labels: int) -> Tensor:
        return torch.zeros(count, dtype=torch.int64)

    def box_shifts(self, count: int) -> Tensor:
        return torch.zeros(count, 4)

    def queries(self, count: int, num_queries: int) -> Tensor:
        return torch.arange(min(count, num_queries))


def join(folder: Path, rank: int) -> None:
    torch.set_num_threads(1)
    meeting = f"file://{folder / 'meeting'}"
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=2)


def toy_step() -> TrainingStep:
    config = toy_config(1)
    model = toy_network(
        replace(tiny(), early_fusion=EarlyFusionConfig(inner_width=64, num_heads=2, dropout=0.0))
    ).train()
    freeze(model, config.optimizer)
    return TrainingStep(model, build_texts(model, config), config, draw=lambda _: SameForAll())


def toy_batch() -> Batch:
    return toy_feed([toy_source(drawn_images(4, side=64), batch_size=4)])[0].batch


def half(batch: Batch, rank: int) -> Batch:
    rows = slice(2 * rank, 2 * rank + 2)
    return replace(
        batch, pixels=batch.pixels[rows], sizes=batch.sizes[rows], truth=batch.truth[rows]
    )


def compute_gradients(module: torch.nn.Module, step: TrainingStep, batch: Batch) -> dict[str, Any]:
    num_objects = Processes.current(CPU).mean(count_objects(batch.truth))
    module(batch, 0, num_objects)[0].backward()
    learning = {n: p for n, p in step.model.named_parameters() if p.requires_grad}
    return {
        n: torch.zeros_like(p) if p.grad is None else whole(p.grad) for n, p in learning.items()
    }


def learn_half(rank: int, folder: Path, sharded: bool) -> None:
    join(folder, rank)
    step = toy_step()
    step.touches_all = True
    module = shard(step, CPU) if sharded else Processes.current(CPU).wrap(step)
    gradients = compute_gradients(module, step, half(toy_batch(), rank))
    if rank == 0:
        torch.save(gradients, folder / "gradients.pt")
    dist.destroy_process_group()


@pytest.mark.parametrize("sharded", [False, True], ids=["ddp", "fsdp2"])
def test_two_processes_with_half_the_batch_have_the_gradients_of_one(
    sharded: bool, tmp_path: Path
) -> None:
    step = toy_step()
    alone = compute_gradients(step, step, toy_batch())

    both = [start(learn_half, rank, tmp_path, sharded) for rank in range(2)]
    for process in both:
        process.join(300)

    shared = torch.load(tmp_path / "gradients.pt", weights_only=True)
    assert shared.keys() == alone.keys()
    error = sum(float((shared[name] - own).square().sum()) for name, own in alone.items())
    size = sum(float(own.square().sum()) for own in alone.values())
    assert (error / size) ** 0.5 < 1e-6


def train_half(rank: int, folder: Path, changes: dict[str, Any]) -> None:
    join(folder, rank)
    try:
        train(replace(toy_run(folder, 4, ema=0.9), **changes))
    except KeyboardInterrupt:
        pass
    finally:
        dist.destroy_process_group()


def train_both(folder: Path, **changes: Any) -> list[object]:
    folder.mkdir(exist_ok=True)
    (folder / "meeting").unlink(missing_ok=True)
    processes = [start(train_half, rank, folder, changes) for rank in range(2)]
    for process in processes:
        process.join(600)
        assert process.exitcode == 0
    return losses_of(folder)


def test_sharded_training_learns_what_whole_copies_learn_and_goes_on_from_its_checkpoints(
    tmp_path: Path,
) -> None:
    copies = train_both(tmp_path / "copies")

    sharded = train_both(tmp_path / "sharded", shard=True)
    train_both(tmp_path / "stopped", shard=True, until=2)
    resumed = train_both(tmp_path / "stopped", shard=True)

    assert sharded == pytest.approx(copies, rel=1e-3)
    assert resumed == sharded
    assert same_weights(tmp_path / "stopped", tmp_path / "sharded")


def count_both(rank: int, folder: Path) -> None:
    join(folder, rank)
    processes = Processes.current(CPU)
    empty, three = (
        toy_batch().truth[0].take(torch.zeros(0, dtype=torch.int64)),
        toy_batch().truth[0],
    )
    counted = processes.mean(count_objects((empty,) if rank else (three, three)))
    said = processes.any(rank == 1)
    (folder / str(rank)).write_text(f"{counted} {said}")
    dist.destroy_process_group()


def test_losses_are_divided_by_the_mean_number_of_objects_none_counted_below_one(
    tmp_path: Path,
) -> None:
    for process in [start(count_both, rank, tmp_path) for rank in range(2)]:
        process.join(300)

    # Six objects in two images of one process; none in the other, which count as one.
    assert (tmp_path / "0").read_text() == "3.5 True"
    assert (tmp_path / "1").read_text() == "3.5 True"


def test_sharding_refuses_float16(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be sharded"):
        replace(toy_run(tmp_path, 1, precision="float16"), shard=True)


def test_one_process_is_its_own_group() -> None:
    assert "WORLD_SIZE" not in os.environ
    assert Processes.current(CPU) == Processes(0, 1, CPU)
