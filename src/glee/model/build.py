"""From a configuration to a network."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from glee.config import GleeConfig
from glee.model.backbones.build import build_backbone
from glee.model.glee import GLEE
from glee.model.text.build import build_text_encoder

DRAWS = (Tensor.normal_, Tensor.uniform_)


def build_glee(config: GleeConfig) -> GLEE:
    """Return the network of a configuration, with initial weights."""
    return GLEE(config, build_backbone(config.backbone), build_text_encoder(config.text))


def sketch_glee(config: GleeConfig) -> GLEE:
    """Return the network of a configuration on the meta device: shapes and types, no weights."""
    with torch.device("meta"), _NoDraws():
        return build_glee(config)


class _NoDraws(TorchFunctionMode):
    """Leaves tensors as they are instead of filling them.

    On the meta device there is nothing to fill, but torch imports its compiler to do so, which
    takes longer than all else that loading a small network does.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in DRAWS or getattr(func, "__module__", None) == nn.init.__name__:
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return func(*args, **kwargs)
