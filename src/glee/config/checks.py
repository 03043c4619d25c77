"""Checks of sizes, with errors that name the field."""

from dataclasses import fields, is_dataclass
from typing import Any


def require_positive(prefix: str, config: Any) -> None:
    """Raise ValueError unless all sizes of a configuration, and of its parts, make sense.

    prefix  what stands before the names of its fields in an error, such as "backbone."

    Whole numbers must be at least 1, others at least 0.
    """
    for f in fields(config):
        name, value = prefix + f.name, getattr(config, f.name)
        if is_dataclass(value):
            require_positive(f"{name}.", value)
        elif f.name != "global_blocks":  # indices, which its class checks
            for number in value if isinstance(value, tuple) else (value,):
                least = {int: 1, float: 0.0}.get(type(number))
                if least is not None and not number >= least:  # NaN is wrong, too
                    raise ValueError(f"{name} ({value}) must be at least {least}")


def require_multiple(name: str, value: int, of: str, divisor: int) -> None:
    """Raise ValueError unless a size is a multiple of another, `of`."""
    if divisor < 1 or value % divisor:
        raise ValueError(f"{name} ({value}) must be a multiple of {of} ({divisor})")
