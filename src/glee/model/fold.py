"""Frozen batch norms folded into the convolutions before them, for inference."""

from dataclasses import replace

from torch import Tensor, nn

from glee.config import ResNetConfig
from glee.model.glee import GLEE
from glee.model.layers.conv import FrozenBatchNorm2d, FrozenConv
from glee.model.weights import model_from_weights


def fold_frozen_norms(model: GLEE) -> GLEE:
    """Return a network that computes the same with less work; `model` is left as it is.

    A convolution followed by a fixed scale and shift per channel is a convolution with other
    weights and a bias. The result is a configuration of its own and can be saved; it is meant
    for inference, since its weights would learn at other rates. Networks without frozen norms
    are returned unchanged.
    """
    backbone = model.config.backbone
    if not isinstance(backbone, ResNetConfig) or not backbone.frozen_norm:
        return model
    weights = dict(model.state_dict())
    for name, module in model.named_modules():
        if isinstance(module, FrozenConv) and isinstance(module.norm, FrozenBatchNorm2d):
            for key in [key for key in weights if key.startswith(f"{name}.")]:
                del weights[key]
            weights |= {f"{name}.conv.{k}": v for k, v in _fold(module.conv, module.norm).items()}
    config = replace(model.config, backbone=replace(backbone, frozen_norm=False))
    return model_from_weights(config, weights).train(model.training)


def _fold(conv: nn.Conv2d, norm: FrozenBatchNorm2d) -> dict[str, Tensor]:
    """Return weight and bias of the one convolution that does what both do."""
    scale, shift = norm.scale_and_shift()
    return {"weight": conv.weight.detach() * scale[:, None, None, None], "bias": shift}
