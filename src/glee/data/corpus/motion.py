"""Motion: how objects move through a clip, and how the camera looks at them."""

import math
from dataclasses import dataclass
from typing import Literal

from numpy.random import Generator

from glee.data.corpus.draws import chance, log_uniform
from glee.data.corpus.layers import Pose, Size

Point = tuple[float, float]
"""(x, y) in pixels of the canvas as it is seen without pan and zoom."""

Path = Literal["still", "stroll", "cross", "enter", "leave", "return"]

PATHS: tuple[tuple[Path, float], ...] = (
    ("still", 0.15),
    ("stroll", 0.3),
    ("cross", 0.25),
    ("enter", 0.1),
    ("leave", 0.1),
    ("return", 0.1),
)
"""Sorts of paths, and how often each comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """The way of one object: a curve of three points, with growth, spin and sway.

    points    where it starts, what pulls it aside on the way, and where it ends
    sides     length of the longer side of its picture at the start and at the end
    angles    by which it is turned at the start and at the end, in degrees
    sway      how far it swings up and down, in pixels, and how often
    mirrored  whether left and right are exchanged
    """

    points: tuple[Point, Point, Point]
    sides: tuple[float, float]
    angles: tuple[float, float]
    sway: tuple[float, float]
    mirrored: bool

    def at(self, share: float) -> Pose:
        """Return its pose when a share 0..1 of the clip is over."""
        weights = ((1 - share) ** 2, 2 * share * (1 - share), share**2)
        x, y = (
            sum(weight * point[axis] for weight, point in zip(weights, self.points, strict=True))
            for axis in (0, 1)
        )
        y += self.sway[0] * math.sin(2 * math.pi * self.sway[1] * share)
        first, last = self.sides
        return Pose(
            center=(x, y),
            side=first * (last / first) ** share,
            angle=self.angles[0] + share * (self.angles[1] - self.angles[0]),
            mirrored=self.mirrored,
        )

    def backwards(self, shift: Point) -> "Motion":
        """Return the same way from its end to its start, moved aside: the two will meet."""
        first, middle, last = (
            (x + shift[0], y + shift[1]) for x, y in (self.points[2], *self.points[1::-1])
        )
        return Motion(
            points=(first, middle, last),
            sides=self.sides,
            angles=self.angles,
            sway=self.sway,
            mirrored=not self.mirrored,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """What part of the world the canvas shows.

    centers  of the part at the start and at the end
    zooms    at the start and at the end; 1 shows it as it is
    shake    how far the hand trembles, in pixels, and with which phase
    """

    centers: tuple[Point, Point]
    zooms: tuple[float, float]
    shake: tuple[float, float]

    def view(self, share: float) -> tuple[Point, float]:
        """Return center and zoom when a share 0..1 of the clip is over."""
        eased = share * share * (3 - 2 * share)
        strength, phase = self.shake
        tremble = (math.sin(phase + 37 * share), math.sin(2 * phase + 29 * share))
        x, y = (
            start + eased * (end - start) + strength * off
            for start, end, off in zip(*self.centers, tremble, strict=True)
        )
        return (x, y), self.zooms[0] * (self.zooms[1] / self.zooms[0]) ** eased

    def sees(self, pose: Pose, share: float, size: Size) -> Pose:
        """Return a pose of the world as it appears on a canvas of (height, width)."""
        (x, y), zoom = self.view(share)
        return Pose(
            center=(
                (pose.center[0] - x) * zoom + size[1] / 2,
                (pose.center[1] - y) * zoom + size[0] / 2,
            ),
            side=pose.side * zoom,
            angle=pose.angle,
            mirrored=pose.mirrored,
        )

    def window(self, share: float, size: Size) -> tuple[float, float, float, float]:
        """Return what a canvas of (height, width) shows of the world, xyxy."""
        (x, y), zoom = self.view(share)
        across, down = size[1] / zoom / 2, size[0] / zoom / 2
        return x - across, y - down, x + across, y + down


def draw_camera(size: Size, rng: Generator) -> Camera:
    """Return a camera that rests, pans or zooms in front of a canvas of (height, width)."""
    height, width = size
    middle = (width / 2, height / 2)
    start, end, zooms = middle, middle, (1.0, 1.0)
    if chance(rng, 0.6):
        reach = 0.3 * min(size)
        start = (middle[0] + rng.uniform(-reach, reach), middle[1] + rng.uniform(-reach, reach) / 2)
        end = (2 * middle[0] - start[0], 2 * middle[1] - start[1])
    if chance(rng, 0.35):
        zooms = (log_uniform(rng, 0.75, 1.35), log_uniform(rng, 0.75, 1.35))
    shake = (rng.uniform(0, 3), rng.uniform(0, 6)) if chance(rng, 0.4) else (0.0, 0.0)
    return Camera(centers=(start, end), zooms=zooms, shake=shake)


def draw_motion(pose: Pose, size: Size, rng: Generator) -> Motion:
    """Return a motion of an object of the size and looks of a pose, on (height, width)."""
    names, shares = zip(*PATHS, strict=True)
    path = names[int(rng.choice(len(names), p=shares))]
    start, middle, end = _points(path, pose.side, size, rng)
    growth = log_uniform(rng, 0.6, 1.7) if chance(rng, 0.5) else 1.0
    spin = float(rng.normal(0, 30)) if chance(rng, 0.3) else 0.0
    sway = (
        (rng.uniform(0, 0.1) * pose.side, rng.uniform(0.5, 2)) if chance(rng, 0.3) else (0.0, 1.0)
    )
    return Motion(
        points=(start, middle, end),
        sides=(pose.side, pose.side * growth),
        angles=(pose.angle, pose.angle + spin),
        sway=sway,
        mirrored=pose.mirrored,
    )


def _points(path: Path, side: float, size: Size, rng: Generator) -> tuple[Point, Point, Point]:
    start, end = _inside(size, rng), _inside(size, rng)
    outside = _outside(side, size, rng)
    match path:
        case "still":
            return start, start, start
        case "cross":
            left, right = (0.1 * size[1], start[1]), (0.9 * size[1], end[1])
            start, end = (left, right) if chance(rng, 0.5) else (right, left)
        case "enter":
            start = outside
        case "leave":
            end = outside
        case "return":
            # Halfway it is half the way from the mean of both ends to the point that pulls.
            pull = tuple(2 * outside[n] - (start[n] + end[n]) / 2 for n in (0, 1))
            return start, (pull[0], pull[1]), end
        case "stroll":
            pass
    aside = rng.normal(0, 0.12 * min(size), 2)
    return start, ((start[0] + end[0]) / 2 + aside[0], (start[1] + end[1]) / 2 + aside[1]), end


def _inside(size: Size, rng: Generator) -> Point:
    return rng.uniform(0.15, 0.85) * size[1], rng.uniform(0.2, 0.85) * size[0]


def _outside(side: float, size: Size, rng: Generator) -> Point:
    """Return a point to the left or right from which nothing of an object is seen."""
    beyond = side * rng.uniform(0.75, 1.1) + 0.35 * size[1]
    x = -beyond if chance(rng, 0.5) else size[1] + beyond
    return x, rng.uniform(0.2, 0.8) * size[0]
