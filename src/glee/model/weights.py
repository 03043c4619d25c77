"""Weights on disk: safetensors with the configuration inside."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from glee.config import GleeConfig
from glee.config_json import config_from_dict, config_to_dict
from glee.files import replacing
from glee.model.build import sketch_glee
from glee.model.glee import GLEE

FORMAT = "glee-1"

TRAINING = "training."  # begins the names of what only training reads


def save_weights(
    path: Path,
    config: GleeConfig,
    weights: Mapping[str, Tensor],
    *,
    training: Mapping[str, Tensor] | None = None,
    origin: str = "",
) -> None:
    """Write weights and configuration; an interruption leaves no half-written file behind.

    training  tensors that only training reads, stored beside the weights
    origin    where the weights come from, kept in the file
    """
    metadata = {"format": FORMAT, "config": json.dumps(config_to_dict(config)), "origin": origin}
    tensors = dict(weights) | {TRAINING + n: v for n, v in (training or {}).items()}
    with replacing(path) as beside:
        save_file({name: value.contiguous() for name, value in tensors.items()}, beside, metadata)


def save_model(path: Path, model: GLEE, *, origin: str = "") -> None:
    """Write a network; loading the file gives the same network, bit by bit.

    Raises ValueError if its weights are not float32, which could not be loaded.
    """
    weights = model.state_dict()
    check_fit(model.config, weights)
    save_weights(path, model.config, weights, origin=origin)


def read_config(path: Path) -> tuple[GleeConfig, str]:
    """Return the configuration inside a weight file, and where its weights come from.

    Raises FileNotFoundError if there is no such file, ValueError if it is not ours.
    """
    if not path.is_file():
        raise FileNotFoundError(f"weights not found: {path}")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{path} is no safetensors file, or is cut short: {error}") from error
    if metadata.get("format") != FORMAT:
        raise ValueError(
            f"{path} is not in the format of this library ({FORMAT}); it says "
            f"{metadata.get('format')!r}. Released .pth files are converted by: "
            "glee convert OFFICIAL.pth OUT.safetensors"
        )
    try:
        return config_from_dict(GleeConfig, json.loads(metadata["config"])), metadata["origin"]
    except (ValueError, KeyError) as error:
        raise ValueError(f"the configuration inside {path} cannot be read: {error}") from error


def load_model(path: Path) -> GLEE:
    """Read a network, in evaluation mode, on the CPU.

    Raises FileNotFoundError if there is no such file, ValueError if it is not ours or if its
    tensors do not fit its configuration.
    """
    config, _ = read_config(path)
    weights = _read_tensors(path)
    return model_from_weights(
        config, {n: value for n, value in weights.items() if not n.startswith(TRAINING)}
    )


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is cut short or damaged: {error}") from error


def model_from_weights(config: GleeConfig, weights: Mapping[str, Tensor]) -> GLEE:
    """Return the network of a configuration with given weights, in evaluation mode.

    Raises ValueError that lists names, shapes and types if they do not fit.
    """
    check_fit(config, weights)
    model = sketch_glee(config)
    model.load_state_dict(weights, assign=True)
    return model.eval()


def check_fit(config: GleeConfig, weights: Mapping[str, Tensor]) -> None:
    """Compare weights with what the network of a configuration needs.

    Raises ValueError that lists missing and unexpected names, shapes that differ, and types other
    than float32.
    """
    needed = sketch_glee(config).state_dict()
    missing, unexpected = needed.keys() - weights.keys(), weights.keys() - needed.keys()
    common = sorted(needed.keys() & weights.keys())
    misshapen = [
        f"{name} {list(weights[name].shape)} instead of {list(needed[name].shape)}"
        for name in common
        if weights[name].shape != needed[name].shape
    ]
    mistyped = [
        f"{name} {weights[name].dtype} instead of torch.float32"
        for name in common
        if weights[name].dtype != torch.float32  # as all parameters and statistics are stored
    ]
    problems = [
        f"{kind}: {list_names(names)}"
        for kind, names in (
            ("missing", sorted(missing)),
            ("unexpected", sorted(unexpected)),
            ("of another shape", misshapen),
            ("of another type", mistyped),
        )
        if names
    ]
    if problems:
        raise ValueError("weights do not fit the network; " + "; ".join(problems))


def list_names(names: list[str], most: int = 20) -> str:
    """Join names, the first ones of a long list."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
