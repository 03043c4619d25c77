"""FSDP2: each process keeps its part of the weights, of the gradients and of the optimizer."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer

from glee.training.step import TrainingStep


def shard(step: TrainingStep, device: torch.device) -> TrainingStep:
    """Divide the parameters of a step's network among the processes.

    All of them are one group, gathered once a step: how often and in what order parts of the
    network are used depends on the prompt, which differs between processes, and groups gathered
    in another order wait for each other for ever.
    """
    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    fully_shard(step, mesh=mesh, reshard_after_forward=False)
    return step


def whole(value: Any) -> Any:
    """Return nested values with all tensors whole, in all processes; all must ask for them."""
    match value:
        case DTensor():
            return value.full_tensor()
        case dict():
            return {key: whole(one) for key, one in value.items()}
        case list() | tuple():
            return [whole(one) for one in value]
    return value


def parts_like(values: Mapping[str, Tensor], parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Divide whole tensors as the parameters of the same names are divided."""
    return {name: _part_like(value, parameters[name]) for name, value in values.items()}


def optimizer_parts(optimizer: Optimizer, state: Mapping[str, Any]) -> dict[str, Any]:
    """Divide a whole state of an optimizer as its parameters are divided."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    divided = {
        number: {
            name: _part_like(value, parameters[number])
            if isinstance(value, Tensor) and value.shape == parameters[number].shape
            else value
            for name, value in own.items()
        }
        for number, own in state["state"].items()
    }
    return {**state, "state": divided}


def _part_like(value: Tensor, parameter: Tensor) -> Tensor:
    if not isinstance(parameter, DTensor):
        return value
    return distribute_tensor(
        value.to(parameter.device), parameter.device_mesh, parameter.placements
    )
