"""Peak memory: of the process on a CPU, of the allocator on a GPU."""

import sys
from pathlib import Path

import torch

# Writing 5 here sets the peak of the resident size back (Linux, proc(5)).
CLEAR_REFS = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")


def reset_peak(device: torch.device) -> bool:
    """Let the peak be counted anew from what is used now; return whether this system can."""
    if device.type == "cuda":  # PyTorch's allocator counts on CUDA devices only
        torch.cuda.reset_peak_memory_stats(device)
        return True
    try:
        CLEAR_REFS.write_text("5")
    except OSError:
        return False
    return True


def peak_bytes(device: torch.device) -> int:
    """Return the most memory used since the last reset, or since the start where none is possible.

    On a CUDA device what tensors hold there, elsewhere the resident size of the process.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if STATUS.exists():
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource  # noqa: PLC0415 - Windows has none

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def describe_memory(device: torch.device) -> str:
    """Say in words what `peak_bytes` counts here."""
    if device.type == "cuda":
        return "peak of the tensors on the GPU in each measurement"
    if reset_peak(device):
        return "peak resident size of the process in each measurement"
    return "peak resident size of the process up to each measurement"
