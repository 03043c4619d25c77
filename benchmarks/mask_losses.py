"""Measure time and memory of matching and mask losses, against making the maps of all queries.

    python benchmarks/mask_losses.py [--objects 8] [--size 640 640] [--maps matched|all]

Features and queries are random; sizes are those of GLEE-Lite: 300 queries in 11 sets, 256
channels at a quarter of the image's size, 12544 points. `--maps all` does what the original does:
it makes the maps of all queries of each set and reads them. Run each in a fresh process, since
the peak is that of the whole process.
"""

import argparse
import platform
import resource
import sys
import time

import torch
from torch import Tensor

from glee.data.targets import Targets
from glee.model.interfaces import ObjectOutputs
from glee.model.mask_maps import mask_logits
from glee.ops.points import sample_maps, sample_masks
from glee.training.config import FocalConfig, MaskPointsConfig, MatcherConfig
from glee.training.losses import cross_entropy, dice_loss
from glee.training.mask_losses import choose_points, masks_at_points
from glee.training.matching import Assignment, mask_costs, match
from glee.training.randomness import SeededRandomness

SETS, QUERIES, WIDTH, NAMES = 11, 300, 256, 80


def invent(objects: int, size: tuple[int, int]) -> tuple[list[ObjectOutputs], Tensor, Targets]:
    """Return predictions of all sets, mask features and objects of one image."""
    generator = torch.Generator().manual_seed(0)
    height, width = size
    sets = [
        ObjectOutputs(
            logits=torch.randn(1, QUERIES, NAMES, generator=generator),
            confidence=torch.zeros(1, QUERIES),
            boxes_cxcywh=torch.rand(1, QUERIES, 4, generator=generator),
            kernels=torch.randn(1, QUERIES, WIDTH, generator=generator).requires_grad_(),
            kernel_bias=torch.zeros(1, QUERIES, requires_grad=True),
            embeddings=torch.zeros(1, QUERIES, 1),
        )
        for _ in range(SETS)
    ]
    features = torch.randn(1, WIDTH, height // 4, width // 4, generator=generator)
    masks = torch.randint(2, (objects, height, width), generator=generator).bool()
    targets = Targets(
        labels=torch.randint(NAMES, (objects,), generator=generator),
        boxes_cxcywh=torch.rand(objects, 4, generator=generator),
        masks=masks,
    )
    return sets, features.requires_grad_(), targets


def lose_with_all_maps(sets: list[ObjectOutputs], features: Tensor, targets: Targets) -> Tensor:
    """Compute costs and losses of masks from the maps of all queries."""
    chance, total = SeededRandomness(torch.Generator().manual_seed(1)), features.new_zeros(())
    config, rows = MaskPointsConfig(), torch.arange(len(targets))
    masks = targets.masks if targets.masks is not None else torch.zeros(0)
    for predicted in sets:
        maps = mask_logits(predicted, features)
        with torch.no_grad():
            points = chance.points(1, config.num_points)
            truth = sample_masks(masks, rows, points.expand(len(rows), -1, -1))
            mask_costs(sample_maps(maps, points)[0], truth)
        own = maps[0, : len(rows)]
        points = choose_points(own.detach(), config, chance)
        logits, truth = sample_maps(own[:, None], points)[:, 0], sample_masks(masks, rows, points)
        total = total + cross_entropy(logits, truth).sum() + dice_loss(logits, truth).sum()
    return total


def lose(sets: list[ObjectOutputs], features: Tensor, targets: Targets) -> Tensor:
    """Compute the same, and the other costs of matching, as this library does."""
    chance, total = SeededRandomness(torch.Generator().manual_seed(1)), features.new_zeros(())
    match(sets, features, [targets], MatcherConfig(), FocalConfig(), chance)
    rows = torch.arange(len(targets))
    for predicted in sets:
        logits, truth = masks_at_points(
            predicted, features, [Assignment(rows, rows)], [targets], MaskPointsConfig(), chance
        )
        total = total + cross_entropy(logits, truth).sum() + dice_loss(logits, truth).sum()
    return total


def main() -> None:
    """Run one forward and backward pass and print its time and memory."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--objects", type=int, default=8)
    parser.add_argument("--size", type=int, nargs=2, default=(640, 640), metavar=("H", "W"))
    parser.add_argument("--maps", choices=("matched", "all"), default="matched")
    options = parser.parse_args()
    sets, features, targets = invent(options.objects, (options.size[0], options.size[1]))
    unit = 1e9 if sys.platform == "darwin" else 1e6
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    start = time.perf_counter()
    total = (lose if options.maps == "matched" else lose_with_all_maps)(sets, features, targets)
    forward = time.perf_counter() - start
    total.backward()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit - before
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.machine()}")
    print(
        f"{options.maps} maps, {options.objects} objects, {options.size[0]}x{options.size[1]}: "
        f"forward {forward:.2f} s, with backward {seconds:.2f} s, {peak:.2f} GB"
    )


if __name__ == "__main__":
    main()
