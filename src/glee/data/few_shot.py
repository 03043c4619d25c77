"""Few-shot data sets: some images, in which each name is shown so many times."""

from collections import Counter

import torch

from glee.data.schema import Samples, Subset


def choose_shots(samples: Samples, shots: int, *, seed: int) -> Subset:
    """Choose images at random until each name has been seen often enough.

    shots  objects of each name, at least, as far as there are so many
    seed   of the order in which images are looked at

    An image is taken if it shows a name that lacks objects, with all that it shows: the protocol
    of GLIP (arXiv:2112.03857, "Object detection in the wild"), whose own lists are not published.
    Raises ValueError for fewer than one shot.
    """
    if shots < 1:
        raise ValueError(f"shots must be at least 1, got {shots}")
    seen: Counter[str] = Counter()
    rows = []
    order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(seed))
    for row in order.tolist():
        shown = Counter(samples[row].frames[0].names)
        if any(seen[name] < shots for name in shown):
            seen += shown
            rows.append(row)
    return Subset(samples, rows)
