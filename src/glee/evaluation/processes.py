"""Processes that torchrun has started for one run: they wait for each other at two places."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

LONGEST_WAIT = timedelta(days=30)
"""For the slowest share of the work; torchrun ends all processes when one of them fails."""


@contextmanager
def meeting() -> Iterator[Callable[[], None]]:
    """Join the processes of torchrun; gives what returns when all of them have called it.

    Without torchrun it returns at once. Files could not tell the same: those of an earlier start
    look like those of this one.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield lambda: None
        return
    import torch.distributed as dist  # noqa: PLC0415 - only with several processes

    dist.init_process_group("gloo", timeout=LONGEST_WAIT)
    try:
        yield dist.barrier
    finally:
        dist.destroy_process_group()
