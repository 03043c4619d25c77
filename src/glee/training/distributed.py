"""The processes that train together, or the only one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import FSDPModule
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True, slots=True)
class Processes:
    """The group of processes that this one belongs to.

    rank    number of this one
    count   how many there are
    device  what this one computes on
    """

    rank: int
    count: int
    device: torch.device

    @staticmethod
    def current(device: torch.device) -> "Processes":
        """Return the group that is there; join the one that torchrun describes if it is not yet.

        device  of this process; a GPU without a number is the one of its local rank
        """
        if device.type == "cuda" and device.index is None:
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        if not dist.is_initialized() and "WORLD_SIZE" in os.environ:
            if device.type == "cuda":
                torch.cuda.set_device(device)  # NCCL takes the current one
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        if not dist.is_initialized():
            return Processes(0, 1, device)
        return Processes(dist.get_rank(), dist.get_world_size(), device)

    @staticmethod
    def leave() -> None:
        """Leave the group, if this process is in one, when all is done."""
        if dist.is_initialized():
            dist.destroy_process_group()

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def wrap(self, module: nn.Module) -> nn.Module:
        """Return a module whose gradients, one for each parameter, are averaged."""
        return module if self.count == 1 else DistributedDataParallel(module)

    def mean(self, number: float) -> float:
        """Return the mean of a number over the processes."""
        if self.count == 1:
            return number
        total = torch.tensor(float(number), dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return total.item() / self.count

    def any(self, wanted: bool) -> bool:
        """Return whether any process says so, in all of them alike."""
        return self.mean(float(wanted)) > 0

    @contextmanager
    def synchronised(self, module: nn.Module, wanted: bool) -> Iterator[None]:
        """Average gradients over the processes only if wanted: in the last of several batches."""
        if isinstance(module, FSDPModule):
            module.set_requires_gradient_sync(wanted)
        if isinstance(module, DistributedDataParallel) and not wanted:
            with module.no_sync():
                yield
        else:
            yield
