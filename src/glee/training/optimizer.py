"""Which parameters learn, how fast, and how that changes over a run."""

import math
import re
from collections.abc import Iterator

from torch import nn
from torch.optim import AdamW

from glee.training.config import OptimizerConfig, ScheduleConfig

BLOCK = re.compile(r"backbone\.blocks\.(\d+)\.")
START = re.compile(r"backbone\.(patch|position)_embedding")

CELL_PARTS = (
    "neck.levels.",
    "neck.context.",
    "neck.coarser.",
    "neck.looks.",
    "early_fusion.image_norm.",
    "query_selection.",
    "heads.similarity.",
    "text_projection.",
)
"""What cells are made of, and chosen by, before they read a prompt."""


def freeze(model: nn.Module, config: OptimizerConfig) -> None:
    """Let those parts of a network learn whose rate is not 0, and no others."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(parameter.requires_grad and _part_factor(name, config) > 0)


def build_optimizer(model: nn.Module, config: OptimizerConfig) -> AdamW:
    """Return AdamW over all parameters that learn, each group with a `factor` of the rate.

    Parameters of one rate and decay share a group. Raises ValueError if nothing learns.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    depth = 1 + max((int(number) for number in _blocks(model)), default=0)
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        decays = config.decay_vectors or parameter.ndim > 1
        key = (_factor(name, depth, config), config.weight_decay if decays else 0.0)
        groups.setdefault(key, []).append(parameter)
    if not groups:
        raise ValueError("nothing in the network learns; raise the factors of the optimizer")
    return AdamW(
        [
            {
                "params": parameters,
                "lr": config.rate * factor,
                "factor": factor,
                "weight_decay": decay,
            }
            for (factor, decay), parameters in groups.items()
        ],
        lr=config.rate,
        foreach=True,
    )


def set_rate(optimizer: AdamW, config: OptimizerConfig, share: float) -> None:
    """Set the rates of all groups to a share of their full ones."""
    for group in optimizer.param_groups:
        group["lr"] = config.rate * group["factor"] * share


def rate_share(schedule: ScheduleConfig, step: int) -> float:
    """Return the share of the full rate at a step, counted from 0."""
    if step < schedule.warmup:
        return schedule.warmup_start + (1 - schedule.warmup_start) * step / schedule.warmup
    if schedule.shape == "cosine":
        done = min(1.0, (step - schedule.warmup) / max(1, schedule.steps - schedule.warmup))
        return schedule.least + (1 - schedule.least) * (1 + math.cos(math.pi * done)) / 2
    return schedule.drop ** sum(step >= drop for drop in schedule.drops)


def _factor(name: str, depth: int, config: OptimizerConfig) -> float:
    """Return the factor of a parameter's rate, with the decay over the blocks of a ViT."""
    factor = _part_factor(name, config)
    if config.layer_decay < 1:
        # BEiT (arXiv:2106.08254): the embedding of patches is layer 0, block b is layer b + 1.
        if block := BLOCK.match(name):
            factor *= config.layer_decay ** (depth - int(block[1]))
        elif START.match(name):
            factor *= config.layer_decay ** (depth + 1)
    return factor


def _part_factor(name: str, config: OptimizerConfig) -> float:
    if name.startswith("backbone."):
        return config.backbone
    if name.startswith("text_encoder."):
        return config.text
    if name.startswith("glances."):
        return 0.0  # they learn by themselves, from boxes that the network finds
    return config.cells if name.startswith(CELL_PARTS) else 1.0


def _blocks(model: nn.Module) -> Iterator[str]:
    for name, _ in model.named_parameters():
        if block := BLOCK.match(name):
            yield block[1]
