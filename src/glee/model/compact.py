"""Weights in few bytes: half precision and whole numbers, divided over several files."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from glee.config import GleeConfig
from glee.config_json import config_from_dict, config_to_dict
from glee.files import replacing
from glee.model.glee import GLEE
from glee.model.weights import model_from_weights

FORMAT = "glee-compact-1"

SCALE = ".scale"  # ends the name of the scales of a tensor that is stored as whole numbers
LEVELS = 127


def save_compact(
    path: Path,
    config: GleeConfig,
    weights: Mapping[str, Tensor],
    *,
    whole: Sequence[str] = (),
    origin: str = "",
) -> None:
    """Write weights, or some of a network's, in few bytes.

    whole   names, or beginnings of names, of matrices to be stored as whole numbers of 8 bits,
            with a scale for each row; other matrices are stored in 16 bits, vectors in 32
    origin  where the weights come from, kept in the file
    """
    tensors: dict[str, Tensor] = {}
    for name, value in weights.items():
        if value.ndim > 1 and name.startswith(tuple(whole)):
            scale = value.flatten(1).abs().amax(dim=1).clamp(min=1e-12) / LEVELS
            rows = scale.view(-1, *[1] * (value.ndim - 1))
            tensors[name] = (value / rows).round().to(torch.int8).contiguous()
            tensors[name + SCALE] = scale
        else:
            tensors[name] = (value.half() if value.ndim > 1 else value).contiguous()
    metadata = {"format": FORMAT, "config": json.dumps(config_to_dict(config)), "origin": origin}
    with replacing(path) as beside:
        save_file(tensors, beside, metadata)


def load_compact(paths: Sequence[Path]) -> GLEE:
    """Return the network whose weights lie in several files, in evaluation mode, in float32.

    Raises FileNotFoundError for a file that is not there, ValueError if one is damaged, not in
    this format or of another network, or if they do not make up a network.
    """
    configs, weights = [], dict[str, Tensor]()
    for path in paths:
        config, own, _ = _read(path)
        configs.append(config)
        weights |= own
    if any(config != configs[0] for config in configs):
        raise ValueError(f"{', '.join(map(str, paths))} belong to different networks")
    return model_from_weights(configs[0], weights)


def read_origin(path: Path) -> str:
    """Return where the weights of a file come from; raises as `load_compact`."""
    return _read(path)[2]


def _read(path: Path) -> tuple[GleeConfig, dict[str, Tensor], str]:
    if not path.is_file():
        raise FileNotFoundError(f"weights not found: {path}")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError(f"it says {metadata.get('format')!r} for its format")
            config = config_from_dict(GleeConfig, json.loads(metadata["config"]))
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, KeyError) as error:
        raise ValueError(f"{path} is not in the format {FORMAT}, or damaged: {error}") from error
    weights = {
        name: _unpack(value, stored.get(name + SCALE))
        for name, value in stored.items()
        if not name.endswith(SCALE)
    }
    return config, weights, metadata.get("origin", "")


def _unpack(value: Tensor, scale: Tensor | None) -> Tensor:
    if scale is None:
        return value.float()
    return value.float() * scale.view(-1, *[1] * (value.ndim - 1))
