"""glee info: what a weight file holds, or what this machine offers."""

import argparse
import json
import platform
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import glee

if TYPE_CHECKING:
    from torch import Tensor


def build_parser(name: str, summary: str) -> argparse.ArgumentParser:
    """Return the parser of this command's arguments."""
    parser = argparse.ArgumentParser(
        prog=name,
        description=f"{summary.capitalize()}.",
        epilog="example: glee info lite.safetensors",
    )
    parser.add_argument(
        "checkpoint",
        nargs="?",
        type=Path,
        help="weight file (.safetensors) or released checkpoint (.pth); without it, the machine",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def run(options: argparse.Namespace) -> int:
    """Print the facts."""
    facts = describe_machine() if options.checkpoint is None else describe(options.checkpoint)
    if options.json:
        print(json.dumps(facts, indent=2))
    else:
        _print_tree(facts)
    return 0


def describe_machine() -> dict[str, Any]:
    """Return versions, devices and the models that are ready to be loaded."""
    import torch  # noqa: PLC0415  # a second, not to be waited for by --help

    from glee.inference.load import RELEASED, cache_folder  # noqa: PLC0415

    devices = {"cpu": f"{platform.machine()}, {torch.get_num_threads()} threads"}
    for index in range(torch.cuda.device_count()):
        gpu = torch.cuda.get_device_properties(index)
        devices[f"cuda:{index}"] = f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB"
    if torch.backends.mps.is_available():
        devices["mps"] = platform.processor()
    folder = cache_folder()
    return {
        "glee": glee.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "devices": devices,
        "cache": str(folder),
        "models": {
            name: "ready" if (folder / f"{name}.safetensors").is_file() else "to be downloaded"
            for name in RELEASED
        },
    }


def describe(path: Path) -> dict[str, Any]:
    """Return what a weight file or a released checkpoint holds."""
    from glee.config import config_to_dict  # noqa: PLC0415
    from glee.model.convert import convert_state, read_released  # noqa: PLC0415
    from glee.model.weights import load_model, read_config  # noqa: PLC0415

    facts: dict[str, Any] = {"file": str(path)}
    if path.suffix == ".safetensors":
        config, origin = read_config(path)
        weights: Mapping[str, Tensor] = load_model(path).state_dict()
        facts["origin"] = origin or "unknown"
    else:
        conversion = convert_state(read_released(path))
        config, weights = conversion.config, conversion.weights
        facts["left out"] = dict(Counter(conversion.ignored.values()))
    numbers: Counter[str] = Counter()
    for name, value in weights.items():
        numbers[name.split(".")[0]] += value.numel()
    return facts | {
        "parameters": {"all": numbers.total()} | dict(numbers),
        "dtypes": dict(Counter(str(value.dtype) for value in weights.values())),
        "config": config_to_dict(config),
    }


def _print_tree(facts: dict[str, Any], indent: str = "") -> None:
    for name, value in facts.items():
        match value:
            case dict():
                print(f"{indent}{name}")
                _print_tree(value, indent + "  ")
            case int() if not isinstance(value, bool):
                print(f"{indent}{name:24} {value:,}")
            case _:
                print(f"{indent}{name:24} {value}")
