"""Checkpoints: everything that a run needs to go on at the exact step."""

import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch

from glee.files import replacing

FORMAT = "glee-training-1"

LAST = "last.pt"


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The state of a run between two steps.

    step       how many steps were done
    weights    those that learn, by name; the others are those that the run started from
    averaged   their averages, empty if none are kept
    optimizer  state of the optimizer
    scaler     state of the scaling of losses, empty without
    run        what the run is, as text; a checkpoint goes on with the same run only
    """

    step: int
    weights: Mapping[str, torch.Tensor]
    averaged: Mapping[str, torch.Tensor]
    optimizer: Mapping[str, Any]
    scaler: Mapping[str, Any]
    run: str


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint in the place of the last one; an interruption leaves that one whole."""
    path = folder / LAST
    with replacing(path) as beside:
        torch.save(
            {
                "format": FORMAT,
                "step": checkpoint.step,
                "weights": dict(checkpoint.weights),
                "averaged": dict(checkpoint.averaged),
                "optimizer": dict(checkpoint.optimizer),
                "scaler": dict(checkpoint.scaler),
                "run": checkpoint.run,
            },
            beside,
        )
    return path


def load_checkpoint(folder: Path, run: str) -> Checkpoint | None:
    """Read the last checkpoint of a run; None if it has none yet.

    Raises ValueError if the file is damaged, or belongs to another run.
    """
    path = folder / LAST
    if not path.is_file():
        return None
    try:
        read = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise ValueError(f"{path} is no checkpoint, or is damaged: {error}") from error
    if not isinstance(read, dict) or read.pop("format", None) != FORMAT:
        raise ValueError(f"{path} is no checkpoint of this library ({FORMAT})")
    if read["run"] != run:
        raise ValueError(
            f"{path} belongs to another run; give another folder, or the options it was made "
            f"with. They differ in: {_difference(read['run'], run)}"
        )
    return Checkpoint(**read)


def fingerprint(weights: Mapping[str, torch.Tensor]) -> str:
    """Return what weights are known again by, for `Checkpoint.run`."""
    digest = blake2b(digest_size=8)
    for name, value in weights.items():
        digest.update(name.encode())
        content = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(content.numpy().data)
    return digest.hexdigest()


def _difference(theirs: str, ours: str) -> str:
    """Name what two runs, as JSON objects, do not share."""
    before, now = json.loads(theirs), json.loads(ours)
    names = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    return ", ".join(f"{n} ({before.get(n)!r}, now {now.get(n)!r})" for n in names)[:1000]
