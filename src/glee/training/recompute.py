"""Activation checkpointing: the image encoder's activations are computed again, not kept."""

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from glee.model.backbones.csp import CspBlock
from glee.model.backbones.efficientnet import InvertedResidual
from glee.model.backbones.eva02 import Eva02Block
from glee.model.backbones.resnet import Bottleneck
from glee.model.backbones.swin import SwinBlock
from glee.model.glee import GLEE

BLOCKS = (Bottleneck, SwinBlock, Eva02Block, CspBlock, InvertedResidual)


def encoder_blocks(model: GLEE) -> list[nn.Module]:
    """Return the repeated blocks of the image encoder, in order."""
    return [module for module in model.backbone.modules() if isinstance(module, BLOCKS)]


def recompute_blocks(model: GLEE) -> None:
    """Let each block of the image encoder compute its activations again in the backward pass.

    Memory for one block instead of for all of them, for about a third more work
    (arXiv:1604.06174). Names of parameters stay as they are.
    """
    for block in encoder_blocks(model):
        block.forward = _recomputed(block.forward)


def _recomputed(forward: Callable[..., Any]) -> Callable[..., Any]:
    def run(*arguments: Any) -> Any:
        return checkpoint(forward, *arguments, use_reentrant=False)

    return run
