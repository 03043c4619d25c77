"""The weights that a training begins with: ours, or those of other networks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from glee.config import GleeConfig
from glee.model.build import build_glee
from glee.model.glee import GLEE
from glee.model.start import StartWeights, load_start_weights
from glee.model.weights import FORMAT, load_model, save_model


@dataclass(frozen=True, slots=True)
class Begun:
    """What a network begins with.

    files   what each file gave, in the order they were read; later ones go over earlier ones
    random  parameters that none of them has
    """

    files: tuple[StartWeights, ...]
    random: tuple[str, ...]


def begin_from(model: GLEE, files: Sequence[Path]) -> None:
    """Copy weights into a network, file after file; what none of them has stays random.

    files  weight files of this library for the same sizes, of which a second look is left out, or
           those that `load_start_weights` reads: MaskDINO, Swin, EVA-02 and CLIP

    Raises FileNotFoundError without a file, ValueError for one that does not fit.
    """
    for path in files:
        if _is_ours(path):
            other = load_model(path)
            other.drop_glances()
            if other.config != model.config:
                raise ValueError(
                    f"{path} is of a network of other sizes; give what was trained with the same "
                    "model, or weights of MaskDINO, Swin, EVA-02 or CLIP"
                )
            model.load_state_dict(other.state_dict())
        else:
            load_start_weights(model, path)


def _is_ours(path: Path) -> bool:
    if not path.is_file() or path.suffix != ".safetensors":
        return False
    try:
        with safe_open(path, "pt") as file:
            return (file.metadata() or {}).get("format") == FORMAT
    except SafetensorError:
        return False


def write_start(config: GleeConfig, files: Sequence[Path], target: Path, *, seed: int = 0) -> Begun:
    """Write a network to begin training with, as a weight file of this library.

    config  sizes of the network
    files   as `load_start_weights` reads them: MaskDINO, Swin, EVA-02 and CLIP
    target  the file to write
    seed    of what none of the files has

    Raises FileNotFoundError without a file, ValueError without any or for one that does not fit.
    """
    if not files:
        raise ValueError("files is empty; give weights of MaskDINO, Swin, EVA-02 or CLIP")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build_glee(config)
    begun = [load_start_weights(model, path) for path in files]
    save_model(target, model, origin=f"start of a training, from {_list(files)}")
    random = [name for name in begun[0].fresh if all(name in one.fresh for one in begun)]
    return Begun(tuple(begun), tuple(random))


def _list(files: Sequence[Path]) -> str:
    return ", ".join(path.name for path in files)
