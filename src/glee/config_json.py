"""Configurations as plain JSON values and back, every value checked against its annotation."""

import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeVar

# Metadata of a field that weight files written before it came do not have; it must have the
# default that makes the network what it was: `field(default=..., metadata=ADDED_LATER)`.
ADDED_LATER: Mapping[str, bool] = {"added_later": True}

# Fields of weight files written before they went, with the value that makes the network what it is
# without them.
REMOVED: Mapping[str, Any] = {"coarse_priors": False}


def config_to_dict(config: Any) -> dict[str, Any]:
    """Turn a configuration into plain JSON values."""
    return {
        f.name: config_to_dict(value) if is_dataclass(value := getattr(config, f.name)) else value
        for f in fields(config)
    }


_Config = TypeVar("_Config")


def config_from_dict(kind: type[_Config], values: Mapping[str, Any]) -> _Config:
    """Build a configuration of class `kind` from plain JSON values.

    Raises ValueError for unknown and for missing names (a default would be a guess about stored
    weights, unless the field is marked as ADDED_LATER) and for values of another type.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{kind.__name__} must be an object with fields, got {values!r}")
    values = {
        name: value
        for name, value in values.items()
        if name not in REMOVED or value != REMOVED[name]
    }
    hints = typing.get_type_hints(kind)
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]  # always a dataclass here
    added = {name for name, f in known.items() if f.metadata == ADDED_LATER}
    wrong = sorted((values.keys() ^ known.keys()) - (added - values.keys()))
    if wrong:
        raise ValueError(
            f"{kind.__name__} has the fields {', '.join(known)}; unknown or missing: "
            f"{', '.join(wrong)}"
        )
    return kind(**{name: _parse(name, hints[name], value) for name, value in values.items()})


def _parse(name: str, hint: Any, value: Any) -> Any:
    """Check one value against its annotation, converting lists to tuples and dicts to configs."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        members = [member for member in typing.get_args(hint) if member is not types.NoneType]
        if value is None and len(members) < len(typing.get_args(hint)):
            return None
        hint = members[0] if len(members) == 1 else _member_of_kind(name, members, value)
    if is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise ValueError(f"{name} must be an object with fields, got {value!r}")
        return config_from_dict(typing.cast(type[Any], hint), value)
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{name} must be a list, got {value!r}")
        item = typing.get_args(hint)[0]
        return tuple(_parse(name, item, entry) for entry in value)
    return _parse_scalar(name, hint, value)


def _parse_scalar(name: str, hint: Any, value: Any) -> Any:
    if typing.get_origin(hint) is Literal:
        if value not in typing.get_args(hint):
            raise ValueError(f"{name} must be one of {typing.get_args(hint)}, got {value!r}")
        return value
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise ValueError(f"{name} must be {hint.__name__}, got {value!r}")
    return value


def _member_of_kind(name: str, members: list[Any], value: Any) -> Any:
    """Choose a configuration class by the value's `kind`."""
    kinds = {member().kind: member for member in members}
    kind = value.get("kind") if isinstance(value, Mapping) else None
    if not isinstance(kind, str) or kind not in kinds:
        raise ValueError(f"{name}.kind must be one of {', '.join(kinds)}, got {kind!r}")
    return kinds[kind]
