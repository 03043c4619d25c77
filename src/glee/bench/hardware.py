"""What the numbers were measured on: processor, memory, versions, model."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from glee.bench.memory import describe_memory
from glee.inference.predictor import Predictor

CPU_INFO = Path("/proc/cpuinfo")


def describe_setting(predictor: Predictor, model: str) -> dict[str, Any]:
    """Return the hardware, the versions and the model, as JSON values by name.

    model  what to call it
    """
    network, device = predictor.model, predictor.device
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return {
        "model": model,
        "image encoder": network.config.backbone.kind,
        "parameters": parameters,
        "device": _device_name(device),
        "dtype": str(predictor.dtype).removeprefix("torch."),
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "memory in GB": _memory_in_gb(),
        "load before": _load(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {
            "python": platform.python_version(),
            "glee": version("glee-vision"),
            "torch": torch.__version__,
            "numpy": version("numpy"),
            "cuda": torch.version.cuda,
        },
        "memory": describe_memory(device),
    }


def _device_name(device: torch.device) -> str:
    if device.type != "cuda":
        return str(device)
    gpu = torch.cuda.get_device_properties(device)
    return f"{device}, {gpu.name}, {gpu.total_memory / 2**30:.0f} GiB"


def _processor() -> str:
    """Return the processor's name as the system gives it."""
    if CPU_INFO.exists():
        for line in CPU_INFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _load() -> float | None:
    """Return how many processes wanted to run in the last minute; many make all times longer."""
    try:
        return round(os.getloadavg()[0], 1)
    except (AttributeError, OSError):  # Windows does not count
        return None


def _memory_in_gb() -> float | None:
    """Return the size of the main memory in 10^9 bytes, None where the system does not say."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (AttributeError, ValueError, OSError):
        return None
