"""Facts: what this machine offers, and what a weight file holds."""

import platform
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from glee.config_json import config_to_dict
from glee.inference.load import (
    HUB_FILE,
    PACKAGED,
    RELEASED,
    cache_folder,
    cached_file,
    kind_of,
    packaged_files,
)
from glee.model.compact import load_compact, read_origin
from glee.model.convert import convert_state, read_released
from glee.model.glee import GLEE
from glee.model.weights import load_model, model_from_weights, read_config

MISSING = "to be downloaded"


def describe_machine() -> dict[str, Any]:
    """Return versions, devices and the models that are ready to be loaded, for JSON."""
    devices = {"cpu": f"{platform.machine()}, {torch.get_num_threads()} threads"}
    for index in range(torch.cuda.device_count()):
        gpu = torch.cuda.get_device_properties(index)
        devices[f"cuda:{index}"] = f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB"
    if torch.backends.mps.is_available():
        devices["mps"] = platform.processor()
    return {
        "glee": version("glee-vision"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "devices": devices,
        "cache": str(cache_folder()),
        "models": dict.fromkeys(PACKAGED, "ready")
        | {name: "ready" if cached_file(name).is_file() else MISSING for name in RELEASED},
    }


def describe_weights(source: str | Path) -> dict[str, Any]:
    """Return what weights hold, as JSON values; nothing is downloaded.

    source  what `glee.load` takes: a released model's name, a weight file, ours or a released
            one, or a repository of the hub
    Returns the file, its origin or what conversion would leave out, numbers of parameters,
    dtypes, and the configuration; or only that a model is to be downloaded.
    Raises FileNotFoundError if there is no such file, ValueError for a name that is none or a
    file that is damaged.
    """
    path = find_weights(source)
    if path is None:
        return {"model": str(source), "weights": MISSING}
    facts: dict[str, Any] = {"file": str(path)}
    if kind_of(source) == "packaged":
        facts["origin"] = read_origin(path)
        model = load_compact(packaged_files(str(source)))
    elif path.suffix == ".safetensors":
        facts["origin"] = read_config(path)[1] or "unknown"
        model = load_model(path)
    else:
        conversion = convert_state(read_released(path))
        facts["left out"] = dict(Counter(conversion.ignored.values()))
        model = model_from_weights(conversion.config, conversion.weights)
    return facts | {
        "parameters": _count_parameters(model),
        "dtypes": dict(Counter(str(value.dtype) for value in model.state_dict().values())),
        "config": config_to_dict(model.config),
    }


def find_weights(source: str | Path) -> Path | None:
    """Return the file that `glee.load` would read, or None if it would download it.

    Of a packaged model it is the one that is trained.

    Raises ValueError for what is neither a released model, nor the path of a weight file, nor of
    the form user/name. A path need not exist.
    """
    match kind_of(source):
        case "packaged":
            return packaged_files(str(source))[0]
        case "released":
            target = cached_file(str(source))
            return target if target.is_file() else None
        case "file":
            return Path(source).expanduser()
        case _:
            from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415  # 0.3 s

            file = try_to_load_from_cache(str(source), HUB_FILE)
            return Path(file) if isinstance(file, str) else None


def _count_parameters(model: GLEE) -> dict[str, int]:
    """Count numbers that are trained, all and by part of the network; no buffers."""
    numbers: Counter[str] = Counter()
    for name, value in model.named_parameters():
        numbers[name.split(".")[0]] += value.numel()
    return {"all": numbers.total()} | dict(numbers)
