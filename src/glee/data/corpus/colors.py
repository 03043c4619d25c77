"""Colours: which names of colours the pixels of an object bear, and giving it another one."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

PALETTE: Mapping[str, tuple[int, int, int]] = {
    "red": (205, 30, 35),
    "orange": (240, 130, 20),
    "yellow": (240, 215, 40),
    "green": (45, 150, 55),
    "blue": (35, 80, 205),
    "purple": (125, 50, 165),
    "pink": (240, 130, 180),
    "brown": (120, 75, 40),
    "white": (240, 240, 240),
    "grey": (135, 135, 135),
    "black": (28, 28, 28),
}
"""Names of colours, and a typical one of each."""

ALIKE: Mapping[str, tuple[str, ...]] = {
    "red": ("orange", "pink", "brown"),
    "orange": ("red", "yellow", "brown"),
    "yellow": ("orange", "brown"),
    "green": (),
    "blue": ("purple",),
    "purple": ("blue", "pink"),
    "pink": ("red", "purple"),
    "brown": ("red", "orange", "yellow", "black"),
    "white": ("grey",),
    "grey": ("white", "black"),
    "black": ("grey", "brown"),
}
"""Colours that people may take for another."""

CLEAR_SHARE = 0.6
"""An object is called by a colour that this share of its pixels bear."""

TRACE_SHARE = 0.15
"""And is clearly not of a colour that less than this share bear; alike and unclear ones are
counted half."""

UNCLEAR = "unclear"

_HUES = (
    (14, "red"),
    (40, "orange"),
    (68, "yellow"),
    (160, "green"),
    (190, UNCLEAR),
    (252, "blue"),
    (295, "purple"),
    (342, "pink"),
    (361, "red"),
)
"""Hues in degrees up to which pixels bear a colour."""

_NAMES = (*PALETTE, UNCLEAR)
_MOST_PIXELS = 1500
DARK, LIGHT, BRIGHT = 0.2, 0.8, 0.62
GREYISH, COLORFUL, PALE = 0.14, 0.28, 0.55


def measure_colors(pixels: NDArray[np.uint8]) -> dict[str, float]:
    """Return the share of each colour, 0..1, in pixels [P, 3] of an object.

    What lies between two colours is `UNCLEAR`.
    """
    if not len(pixels):
        return {}
    pixels = pixels[:: 1 + len(pixels) // _MOST_PIXELS]
    numbers = np.bincount(_classify(pixels), minlength=len(_NAMES)) / len(pixels)
    return {name: float(share) for name, share in zip(_NAMES, numbers, strict=True) if share}


def has_color(shares: Mapping[str, float], color: str) -> bool | None:
    """Return whether an object is of a colour; None where people may disagree."""
    own = shares.get(color, 0.0)
    if own >= CLEAR_SHARE:
        return True
    near = sum(shares.get(other, 0.0) for other in (*ALIKE[color], UNCLEAR))
    return False if own + near / 2 < TRACE_SHARE else None


def tint(pixels: NDArray[np.uint8], color: str, *, strength: float = 0.85) -> NDArray[np.uint8]:
    """Give RGBA pixels [h, w, 4] a colour of the palette, and keep their light and shade."""
    light = pixels[..., :3].mean(axis=2, keepdims=True, dtype=np.float32) / 255
    solid = pixels[..., 3] > 0
    middle = light[solid].mean() if solid.any() else 0.5
    shade = np.clip(1 + 0.8 * (light - middle), 0.35, 1.5)
    colored = np.clip(np.array(PALETTE[color], dtype=np.float32) * shade, 0, 255)
    changed = pixels.copy()
    changed[..., :3] = (1 - strength) * pixels[..., :3] + strength * colored
    return changed


def _classify(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the row in `_NAMES` of each of the pixels [P, 3]."""
    rgb = pixels.astype(np.float64) / 255
    value, low = rgb.max(1), rgb.min(1)
    spread = value - low
    saturation = spread / np.maximum(value, 1e-6)
    red, green, blue = rgb.T
    safe = np.maximum(spread, 1e-6)
    hue = np.where(
        value == red,
        (green - blue) / safe % 6,
        np.where(value == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    limits = np.array([limit for limit, _ in _HUES]) / 60
    of_hue = np.array([_NAMES.index(name) for _, name in _HUES])
    named = of_hue[np.searchsorted(limits, hue, side="right").clip(max=len(_HUES) - 1)]
    warm = np.isin(named, [_NAMES.index("red"), _NAMES.index("orange")])
    found = np.select(
        [
            value < DARK,
            (saturation < GREYISH) & (value > LIGHT),
            saturation < GREYISH,
            saturation < COLORFUL,
            (named == _NAMES.index("orange")) & (value < BRIGHT),
            warm & (named == _NAMES.index("red")) & (saturation < PALE) & (value > BRIGHT),
            warm & (saturation < PALE),
            (named == _NAMES.index("yellow")) & (value < BRIGHT),
        ],
        [
            _NAMES.index("black"),
            _NAMES.index("white"),
            _NAMES.index("grey"),
            _NAMES.index(UNCLEAR),
            _NAMES.index("brown"),
            _NAMES.index("pink"),
            _NAMES.index(UNCLEAR),
            _NAMES.index(UNCLEAR),
        ],
        default=named,
    )
    return found.astype(np.int64)
