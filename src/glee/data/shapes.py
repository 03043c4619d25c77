"""Drawn clips: plain shapes that move, with exact truth, for tests and examples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["disc", "square", "triangle"]

Place = tuple[float, float, float]
"""Centre x, centre y and radius in pixels; a square's radius is half its side."""

BACKGROUND = (90, 110, 90)


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape that moves through a clip.

    kind     its outline
    colour   RGB, 0..255
    places   where it is in each frame, None where it is not
    identity  which object it is; -1 for scenery, which hides others and is no object itself
    """

    kind: Kind
    colour: tuple[int, int, int]
    places: Sequence[Place | None]
    identity: int


@dataclass(frozen=True, slots=True)
class DrawnFrame:
    """A frame of a drawn clip, and what can be seen of each object in it.

    pixels      [H, W, 3] uint8 RGB
    identities  [N] int64, objects of which at least one pixel is seen
    masks       [N, H, W] bool, the pixels that are seen
    """

    pixels: NDArray[np.uint8]
    identities: NDArray[np.int64]
    masks: NDArray[np.bool_]


def draw_clip(shapes: Sequence[Shape], size: tuple[int, int]) -> Iterator[DrawnFrame]:
    """Yield the frames of a clip.

    shapes  later ones hide earlier ones; all have a place, or None, for every frame
    size    (height, width) in pixels
    Raises ValueError if the shapes differ in their number of frames.
    """
    lengths = {len(shape.places) for shape in shapes}
    if len(lengths) != 1:
        raise ValueError(f"shapes must have places for the same frames, got {sorted(lengths)}")
    for frame in range(lengths.pop()):
        yield _draw_frame(shapes, frame, size)


def _draw_frame(shapes: Sequence[Shape], frame: int, size: tuple[int, int]) -> DrawnFrame:
    pixels = np.empty((*size, 3), dtype=np.uint8)
    pixels[:] = BACKGROUND
    owner = np.full(size, -1)
    for number, shape in enumerate(shapes):
        place = shape.places[frame]
        if place is not None:
            covered = _outline(shape.kind, place, size)
            pixels[covered], owner[covered] = shape.colour, number
    seen = [n for n, one in enumerate(shapes) if one.identity >= 0 and (owner == n).any()]
    return DrawnFrame(
        pixels=pixels,
        identities=np.array([shapes[n].identity for n in seen], dtype=np.int64),
        masks=np.array([owner == n for n in seen], dtype=np.bool_).reshape(len(seen), *size),
    )


def _outline(kind: Kind, place: Place, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels [H, W] whose centres lie inside a shape."""
    centre_x, centre_y, radius = place
    y, x = np.ogrid[: size[0], : size[1]]
    x, y = x + 0.5 - centre_x, y + 0.5 - centre_y
    match kind:
        case "disc":
            return np.asarray(x**2 + y**2 <= radius**2)
        case "square":
            return np.asarray(np.maximum(abs(x), abs(y)) <= radius)
        case "triangle":  # the tip is on top; half as wide as high at half its height
            return np.asarray((abs(y) <= radius) & (abs(x) <= (y + radius) / 2))
