"""Compose: objects arranged on a backdrop, such that what is annotated can be seen."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from glee.data.corpus.backdrop import Backdrop
from glee.data.corpus.colors import tint
from glee.data.corpus.draws import chance, log_uniform
from glee.data.corpus.layers import Layer, Pose, Size, place, seen_masks, seen_pixels
from glee.data.corpus.looks import paint, photograph, relight
from glee.data.corpus.packs import Cutout
from glee.data.corpus.pictures import Pictures
from glee.data.schema import Frame

SHORTEST, LONGEST = 256, 416
"""Range of the sides of a canvas, in pixels."""

SIDES = (0.08, 0.9)
"""Range of the longer side of an object, in shorter sides of the canvas."""

SHORTEST_SIDE = 20.0
"""Length in pixels that no picture's longer side falls below."""

SOFTENED_SIDE = 48
"""Objects smaller than this keep their border as it is."""

UPSCALE = 2.0
"""By how much a picture may be enlarged."""

SEEN_SHARE = 0.3
"""Of an object of which less than this is seen, hidden or outside, nothing is shown at all."""

SEEN_PIXELS = 40
"""And of which fewer pixels than this are seen."""


@dataclass(frozen=True, slots=True, eq=False)
class Arrangement:
    """Cut-outs as they lie on a canvas, the last one on top.

    size    (height, width) of the canvas
    rows    the cut-outs
    layers  where they lie
    """

    size: Size
    rows: tuple[Cutout, ...]
    layers: tuple[Layer, ...]

    def take(self, kept: Sequence[int]) -> "Arrangement":
        """Return the same canvas with some of the objects."""
        rows, layers = (self.rows[n] for n in kept), (self.layers[n] for n in kept)
        return Arrangement(self.size, tuple(rows), tuple(layers))


def draw_size(rng: Generator) -> Size:
    """Return a (height, width) of a canvas, of any format that photos have."""
    longest = int(rng.integers(SHORTEST + 32, LONGEST + 1))
    shortest = max(SHORTEST, round(longest * rng.uniform(0.56, 1.0)))
    return (shortest, longest) if chance(rng, 0.6) else (longest, shortest)


def draw_pose(picture_size: tuple[int, int], size: Size, rng: Generator, *, crowd: int) -> Pose:
    """Return a random pose on a canvas.

    picture_size  (width, height) of the picture
    crowd         how many objects there are; many of them are smaller
    """
    low, high = SIDES
    high *= min(1.0, (2 / crowd) ** 0.4)
    # Evenly by doublings, as in photos, but not so many tiny ones that little else is learnt.
    share = log_uniform(rng, low, high) if chance(rng, 0.5) else rng.uniform(3 * low, high)
    side = min(max(min(size) * share, SHORTEST_SIDE), UPSCALE * max(picture_size))
    reach = side / 4  # at most a quarter of it may lie outside, to each side
    center = (
        rng.uniform(min(reach, size[1] / 2), max(size[1] - reach, size[1] / 2)),
        rng.uniform(min(reach, size[0] / 2), max(size[0] - reach, size[0] / 2)),
    )
    angle = float(rng.normal(0, 9)) if chance(rng, 0.4) else 0.0
    return Pose(center=center, side=side, angle=angle, mirrored=chance(rng, 0.5))


def arrange(
    pictures: Pictures,
    rows: Sequence[Cutout],
    size: Size,
    rng: Generator,
    *,
    tints: Sequence[str | None] | None = None,
) -> Arrangement:
    """Place cut-outs at random, mostly the large ones behind, and drop those that are hidden.

    tints  colours to give them, None for their own
    """
    layers = []
    for number, row in enumerate(rows):
        picture = pictures.cutout(row)
        pose = draw_pose(picture.size, size, rng, crowd=len(rows))
        soften = rng.uniform(0.5, 1.1) if chance(rng, 0.6) and pose.side > SOFTENED_SIDE else 0.0
        layer = place(picture, pose, size, soften=soften)
        pixels = relight(layer.pixels, rng)
        color = tints[number] if tints is not None else None
        layers.append(replace(layer, pixels=pixels if color is None else tint(pixels, color)))
    order = list(range(len(rows)))
    if chance(rng, 0.75):
        order.sort(key=lambda n: -layers[n].area)
    return drop_hidden(Arrangement(size, tuple(rows), tuple(layers)).take(order))


def drop_hidden(arrangement: Arrangement) -> Arrangement:
    """Take away, one after the other, the objects of which too little is seen."""
    while arrangement.rows:
        shares = _seen_shares(arrangement)
        worst = int(np.argmin(shares))
        if shares[worst] >= SEEN_SHARE:
            break
        arrangement = arrangement.take([n for n in range(len(shares)) if n != worst])
    return arrangement


def _seen_shares(arrangement: Arrangement) -> NDArray[np.float64]:
    """Return which share of each object is seen, 0 where that is too few pixels."""
    seen = seen_pixels(arrangement.layers, arrangement.size)
    areas = np.array([max(1, layer.area) for layer in arrangement.layers])
    return np.where(seen < SEEN_PIXELS, 0.0, seen / areas)


def finish(
    arrangement: Arrangement, backdrop: Backdrop, labels: Sequence[str], rng: Generator
) -> Frame:
    """Return the arrangement as an annotated image.

    labels  what the objects are called, in their order
    """
    canvas = paint(backdrop.picture, arrangement.layers, rng, shadows=chance(rng, 0.35))
    masks, boxes = seen_masks(arrangement.layers, arrangement.size)
    return Frame(
        image=photograph(canvas, rng),
        size=arrangement.size,
        boxes=boxes,
        names=tuple(labels),
        masks=masks,
    )
