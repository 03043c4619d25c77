"""What a network can run on: the types of its weights and of its numbers, and devices."""

import torch

from glee.model.glee import GLEE


def require_float32(model: GLEE) -> None:
    """Raise ValueError for a network with weights of another type."""
    others = {str(p.dtype) for p in model.parameters()} - {"torch.float32"}
    if others:
        raise ValueError(
            f"the network has weights in {', '.join(sorted(others))}; give it in float32, and "
            "dtype=torch.bfloat16 to compute in less"
        )


def require_device(device: torch.device | str) -> torch.device:
    """Return the device of a name; raise ValueError if this machine lacks it."""
    try:
        wanted = torch.device(device)
        torch.empty(0, device=wanted)
    # Each backend says in its own way that it is not there.
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        best = torch.accelerator.current_accelerator(check_available=True)
        there = "cpu" if best is None else f"cpu, {best}"
        raise ValueError(
            f"device {str(device)!r} is not available here; there is: {there}"
        ) from error
    return wanted


def require_dtype(dtype: torch.dtype, device: torch.device) -> None:
    """Raise ValueError for numbers that a network cannot compute in on a device."""
    if dtype not in (torch.float32, torch.bfloat16, torch.float16):
        raise ValueError(f"dtype must be torch.float32, bfloat16 or float16, got {dtype}")
    if dtype is torch.float16 and device.type == "cpu":
        raise ValueError(
            "dtype torch.float16 is not for a CPU; use torch.bfloat16, which is as small, or "
            "torch.float32"
        )
