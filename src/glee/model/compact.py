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

    The first file says what network it is; the others may have been written for an earlier one
    that shares their part.
    Raises FileNotFoundError for a file that is not there, ValueError if one is damaged, not in
    this format, or if they do not make up that network.
    """
    metadata, weights = _read(paths[0])
    try:
        config = config_from_dict(GleeConfig, json.loads(metadata["config"]))
    except (ValueError, KeyError) as error:
        raise ValueError(f"{paths[0]} is of an unknown network: {error}") from error
    for path in paths[1:]:
        weights |= _read(path)[1]
    return model_from_weights(config, weights)


def read_compact(path: Path) -> dict[str, Tensor]:
    """Return the weights of one file, in float32; raises as `load_compact`."""
    return _read(path)[1]


def read_origin(path: Path) -> str:
    """Return where the weights of a file come from; raises as `load_compact`."""
    return _read(path)[0].get("origin", "")


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return what a file says about itself, and its weights."""
    if not path.is_file():
        raise FileNotFoundError(f"weights not found: {path}")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError(f"it says {metadata.get('format')!r} for its format")
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, KeyError) as error:
        raise ValueError(f"{path} is not in the format {FORMAT}, or damaged: {error}") from error
    weights = {
        name: _unpack(value, stored.get(name + SCALE))
        for name, value in stored.items()
        if not name.endswith(SCALE)
    }
    return metadata, weights


def _unpack(value: Tensor, scale: Tensor | None) -> Tensor:
    if scale is None:
        return value.float()
    return value.float() * scale.view(-1, *[1] * (value.ndim - 1))
