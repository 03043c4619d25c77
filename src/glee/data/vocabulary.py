"""Which names go into the prompt of a training batch: those it shows, and some it does not."""

from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor

from glee.data.scene import Scene
from glee.data.schema import RandomAccess, Supervision

SHUFFLED = 2**17
"""Names of an open vocabulary up to which all are tried, in random order."""

TRIES = 4
"""Draws for each negative from a larger one, of which some may come twice."""


def choose_names(
    scenes: Sequence[Scene], pool: RandomAccess[str], count: int, generator: torch.Generator
) -> tuple[str, ...]:
    """Return the names of a prompt for all images of a batch.

    scenes  the images
    pool    names that negatives may be drawn from, such as all names of the data set
    count   how many names there should be

    All of a pool that is not larger is taken, in its order. Otherwise all names that the images
    show come first, also if there are more of them than `count`: none is dropped, since its
    objects would then be taught to be nothing. The rest are drawn from names that at least one of
    the images is known not to show beyond what is annotated; there may be fewer than asked for. Up
    to half of them are names that an image says to be absent, which are the hard ones: looked for
    and not found, or near to what is shown.
    """
    shown = tuple(dict.fromkeys(name for scene in scenes for name in scene.names))
    if len(pool) <= count:
        every = dict.fromkeys(pool[n] for n in range(len(pool)))
        return tuple(every | dict.fromkeys(shown))
    supervisions = [scene.supervision for scene in scenes]
    wanted = max(0, count - len(shown))
    return shown + tuple(_draw_negatives(supervisions, set(shown), pool, wanted, generator))


def known_names(supervision: Supervision, names: Sequence[str]) -> Tensor | None:
    """Return for which names of a prompt an image teaches absence, [K] bool; None for all."""
    known = [supervision.teaches_absence(name) for name in names]
    return None if all(known) else torch.tensor(known, dtype=torch.bool)


def _draw_negatives(
    supervisions: Sequence[Supervision],
    shown: set[str],
    pool: RandomAccess[str],
    count: int,
    generator: torch.Generator,
) -> list[str]:
    """Draw distinct names that none of the images shows, each taught by at least one of them."""
    found: dict[str, None] = {}
    if any(own.exhaustive is None for own in supervisions):
        if len(pool) <= SHUFFLED:
            rows = torch.randperm(len(pool), generator=generator)
        else:
            rows = torch.randint(len(pool), (TRIES * count,), generator=generator)
        candidates = (pool[row] for row in rows.tolist())
    else:
        every = sorted(frozenset().union(*(own.absent | _covered(own) for own in supervisions)))
        order = torch.randperm(len(every), generator=generator).tolist()
        candidates = (every[row] for row in order)
    verified = sorted(frozenset().union(*(own.absent for own in supervisions)) - shown)
    first = torch.randperm(len(verified), generator=generator).tolist()[: count // 2]
    for name in chain((verified[row] for row in first), candidates):
        if len(found) == count:
            break
        if name not in shown and any(own.teaches_absence(name) for own in supervisions):
            found[name] = None
    return list(found)


def _covered(supervision: Supervision) -> frozenset[str]:
    return supervision.exhaustive or frozenset()
