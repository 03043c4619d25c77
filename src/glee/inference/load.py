"""From a model's name, file or hub id to a Predictor; downloads and converts what is missing."""

import difflib
import logging
import os
import sys
from importlib import resources
from pathlib import Path
from typing import Literal

import torch

from glee.inference.predictor import Predictor
from glee.model.compact import load_compact
from glee.model.convert import convert_file, convert_state, read_released
from glee.model.fold import fold_frozen_norms
from glee.model.glee import GLEE
from glee.model.weights import load_model, model_from_weights

# The official model zoo (https://github.com/FoundationVision/GLEE, assets/MODEL_ZOO.md).
SPACE = "Junfeng5/GLEE_demo"
RELEASED = {
    "lite": "MODEL_ZOO/GLEE_Lite_joint.pth",
    "lite-pretrain": "MODEL_ZOO/GLEE_Lite_pretrain.pth",
    "lite-scaleup": "MODEL_ZOO/GLEE_Lite_scaleup.pth",
    "lite-vos": "MODEL_ZOO/GLEE_Lite_vos.pth",
    "plus": "MODEL_ZOO/GLEE_Plus_joint.pth",
    "plus-pretrain": "MODEL_ZOO/GLEE_Plus_pretrain.pth",
    "plus-scaleup": "MODEL_ZOO/GLEE_Plus_scaleup.pth",
    "pro": "MODEL_ZOO/GLEE_Pro_joint.pth",
    "pro-pretrain": "MODEL_ZOO/GLEE_Pro_pretrain.pth",
    "pro-scaleup": "MODEL_ZOO/GLEE_Pro_scaleup.pth",
}

HUB_FILE = "model.safetensors"  # what a hub repository holds

PACKAGED = {
    "nano": ("nano.safetensors", "nano_encoders.safetensors", "nano_text.safetensors"),
}
"""Models that the package holds, and the files of each: what is trained further lies apart."""


def load(
    source: str | Path,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Predictor:
    """Return a Predictor with trained weights.

    source  "nano", which the package holds; or a released model: "lite", "plus" or "pro", which
            are trained jointly, also with "-pretrain" or "-scaleup" behind them, and "lite-vos";
            or the path of a weight file, ours (.safetensors) or a released one (.pth); or a
            repository "user/name" of the Hugging Face hub that holds a model.safetensors of ours
    device  where to run; if not given, the machine's accelerator or else the CPU
    dtype   what most of the network computes in: float32, bfloat16, or float16 (not on a CPU)

    A released model is downloaded and converted once; see `cache_folder`. Raises ValueError for
    a name that is none, FileNotFoundError for a file that is neither there nor to be had, and
    ValueError for one that does not fit.
    """
    model = fold_frozen_norms(load_network(source))
    return Predictor(model, device=device or _best_device(), dtype=dtype)


def cache_folder() -> Path:
    """Return where converted weights are kept: $GLEE_HOME, else glee in the user's cache."""
    if home := os.environ.get("GLEE_HOME"):
        return Path(home).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "glee"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "glee"


def cached_file(name: str) -> Path:
    """Return where the converted weights of a released model are, once they are there."""
    return cache_folder() / f"{name}.safetensors"


def packaged_files(name: str) -> list[Path]:
    """Return the files of a model that the package holds."""
    return [Path(str(resources.files("glee") / "weights" / file)) for file in PACKAGED[name]]


def _best_device() -> torch.device:
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")


def kind_of(source: str | Path) -> Literal["packaged", "released", "file", "repository"]:
    """Return what the source of `load` is: a model by name, a file or a repository of the hub.

    A file need not exist. Raises ValueError for what is none of them.
    """
    name = str(source)
    if name in PACKAGED:
        return "packaged"
    if name in RELEASED:
        return "released"
    if isinstance(source, Path) or Path(name).expanduser().is_file() or _looks_like_path(name):
        return "file"
    if name.count("/") == 1 and all(name.split("/")):
        return "repository"
    known = [*PACKAGED, *RELEASED]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise ValueError(
        f"unknown model {name!r}; choose from {', '.join(known)}{hint}, or give the path of a "
        "weight file or a hub repository user/name"
    )


def load_network(source: str | Path) -> GLEE:
    """Return the network of a source of `load` as it was trained, to be trained further."""
    match kind_of(source):
        case "packaged":
            return load_compact(packaged_files(str(source)))
        case "released":
            return load_model(_released(str(source)))
        case "file":
            return _load_file(Path(source).expanduser())
        case _:
            return load_model(_download(str(source), HUB_FILE, "model"))


def _looks_like_path(name: str) -> bool:
    return name.startswith((".", "/", "~")) or name.endswith((".safetensors", ".pth", ".pt"))


def _load_file(path: Path) -> GLEE:
    if path.suffix == ".safetensors":
        return load_model(path)
    conversion = convert_state(read_released(path))
    return model_from_weights(conversion.config, conversion.weights)


def _released(name: str) -> Path:
    """Return the converted weights of a released model, fetching them if they are not there."""
    target = cached_file(name)
    if not target.is_file():
        official = RELEASED[name]
        try:
            source = _download(SPACE, official, "space")
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"the weights of {name!r} are not in {target} and cannot be downloaded "
                f"({error}). Fetch https://huggingface.co/spaces/{SPACE}/resolve/main/{official} "
                f"on any machine and run: glee convert {Path(official).name} {target}"
            ) from None
        convert_file(source, target)
    return target


def _download(repository: str, file: str, kind: Literal["model", "space"]) -> Path:
    """Fetch a file of the hub into the hub's own cache.

    Raises FileNotFoundError, with the hub's reason, if it is not to be had.
    """
    from huggingface_hub import hf_hub_download  # noqa: PLC0415  # 0.3 s, for downloads only
    from huggingface_hub.errors import HfHubHTTPError  # noqa: PLC0415

    log = logging.getLogger("huggingface_hub")
    level = log.level
    log.setLevel(logging.CRITICAL)  # each retry is a line; the reason is told once, below
    try:
        return Path(hf_hub_download(repository, file, repo_type=kind))
    except (OSError, HfHubHTTPError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise FileNotFoundError(f"{kind} {repository}, {file}: {reason}") from None
    finally:
        log.setLevel(level)
