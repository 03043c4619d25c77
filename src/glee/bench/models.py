"""Models to be measured: as `glee.load` gives them, or presets with random weights."""

import difflib

import torch

from glee.config import lite, nano, plus, pro, tiny
from glee.inference.load import load
from glee.inference.predictor import Predictor
from glee.model.build import build_glee
from glee.model.fold import fold_frozen_norms
from glee.model.glee import GLEE

PRESETS = {"nano": nano, "lite": lite, "plus": plus, "pro": pro, "tiny": tiny}

UNTRAINED = "tiny"  # the preset of which no weights exist


def open_model(
    source: str,
    *,
    random_weights: bool = False,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Predictor:
    """Return a predictor to be measured.

    source          what `glee.load` takes, or "tiny"; with `random_weights` a preset
    random_weights  build the network without its weights, which take as long as trained ones

    Raises ValueError for a name that is none, and as `glee.load` does.
    """
    if not (random_weights or source == UNTRAINED):
        return load(source, device=device, dtype=dtype)
    if source not in PRESETS:
        near = difflib.get_close_matches(source, PRESETS, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(f"unknown preset {source!r}; choose from {', '.join(PRESETS)}{hint}")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_glee(PRESETS[source]()).eval()
        _spread(network)
    best = torch.accelerator.current_accelerator(check_available=True)
    return Predictor(fold_frozen_norms(network), device=device or best or "cpu", dtype=dtype)


def _spread(network: GLEE) -> None:
    """Let boxes move and names score differently, which those of a new network do not."""
    for parameter in network.heads.box.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    width = network.config.width
    torch.nn.init.normal_(network.text_projection.weight, std=width**-0.5)
    torch.nn.init.normal_(network.heads.similarity.weight, std=1 / width)
