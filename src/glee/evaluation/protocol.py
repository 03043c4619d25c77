"""Protocol: how predictions for a benchmark are made; every choice is a switch that is reported."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from glee.evaluation.result import Setting

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """The choices of all benchmarks; each reads some of them.

    scoring            "pair": probability of a name times mask quality, for every pair of object
                       and name; "object": each object with its best name, by probability alone
    max_objects        so many of the best objects, or pairs, of an image
    shortest           pixels of the shorter side of what the network sees; 0 for the model's own.
                       Networks with a square input do not read it
    name_overrides     ask by the names that the paper's authors have put in place of the data
                       set's own (ODinW)
    max_tracks         so many of the best tracks of a video
    released_boxes     the boxes of videos as in the released code, which forgets the padding
    nms                boxes of a frame that overlap a surer one more than this are dropped (TAO)
    min_pixels         tracks without more pixels than this of the network's own grid are absent
                       from a frame (TAO)
    consistency        how much resembling the object of the frame before counts beside the
                       probability (referring video segmentation)
    inclusive          an overlap of exactly the threshold counts as found (RefCOCO)
    max_clicks         so many clicks at most (interactive segmentation)
    """

    scoring: str = "pair"
    max_objects: int = 100
    shortest: int = 0
    name_overrides: bool = True
    max_tracks: int = 30
    released_boxes: bool = False
    nms: float = 0.5
    min_pixels: int = 5
    consistency: float = 1.0
    inclusive: bool = False
    max_clicks: int = 20

    def __post_init__(self) -> None:
        if self.scoring not in ("pair", "object"):
            raise ValueError(f"scoring must be pair or object, got {self.scoring!r}")
        for name in ("max_objects", "max_tracks", "max_clicks"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("shortest", "min_pixels", "nms", "consistency"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(
                    f"{name} must be finite and not negative, got {getattr(self, name)}"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was chosen for one benchmark.

    paper   the paper's protocol
    chosen  the one that is followed
    read    the names of the switches that the benchmark reads
    """

    paper: Protocol
    chosen: Protocol
    read: tuple[str, ...]

    def settings(self) -> dict[str, Setting]:
        """Return every switch that is read with its value."""
        return {name: getattr(self.chosen, name) for name in self.read}

    def deviations(self) -> tuple[str, ...]:
        """Return in words where the chosen protocol differs from the paper's."""
        return tuple(
            f"{name} is {getattr(self.chosen, name)}, in the paper's protocol "
            f"{getattr(self.paper, name)}"
            for name in self.read
            if getattr(self.chosen, name) != getattr(self.paper, name)
        )


def choose(paper: Protocol, read: tuple[str, ...], switches: Mapping[str, str]) -> Choice:
    """Follow the paper's protocol but for some switches, given as text.

    Raises ValueError for a switch that the benchmark does not read and for a value that is none.
    """
    values: dict[str, Any] = {}
    for name, text in switches.items():
        if name not in read:
            raise ValueError(
                f"this benchmark has no switch {name!r}; it has {', '.join(read) or 'none'}"
            )
        values[name] = _parse(name, text, type(getattr(paper, name)))
    return Choice(paper=paper, chosen=replace(paper, **values), read=read)


def _parse(name: str, text: str, kind: type) -> Setting:
    """Read the value of a switch."""
    if kind is bool:
        if text.lower() not in (*_TRUE, *_FALSE):
            raise ValueError(f"{name} must be true or false, got {text!r}")
        return text.lower() in _TRUE
    try:
        value: Setting = kind(text)
    except ValueError:
        kinds = {int: "a whole number", float: "a number"}
        raise ValueError(f"{name} must be {kinds[kind]}, got {text!r}") from None
    return value
