"""The weights that a training begins with: ours, or those of other networks."""

from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open

from glee.model.glee import GLEE
from glee.model.start import load_start_weights
from glee.model.weights import FORMAT, load_model


def begin_from(model: GLEE, files: Sequence[Path]) -> None:
    """Copy weights into a network, file after file; what none of them has stays random.

    files  weight files of this library for the same sizes, or those that `load_start_weights`
           reads: MaskDINO, Swin, EVA-02 and CLIP

    Raises FileNotFoundError without a file, ValueError for one that does not fit.
    """
    for path in files:
        if _is_ours(path):
            other = load_model(path)
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
