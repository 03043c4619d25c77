"""Invented inputs: pictures, names and marks, the same in every run."""

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from glee.prompts import Prompts

SYLLABLES = ("ka", "lo", "mi", "ne", "ru", "sta", "ver", "po", "zen", "gra")
ADJECTIVES = ("red", "old", "tiny", "wooden", "striped", "broken", "round", "wet", "pale", "tall")

SPEED = 3  # pixels a frame by which the picture of a clip moves


def invent_names(count: int) -> list[str]:
    """Return distinct names such as "wooden kalomi", which CLIP splits into about five tokens.

    Raises ValueError if there are not so many.
    """
    words = itertools.product(ADJECTIVES, itertools.product(SYLLABLES, repeat=3))
    names = [f"{adjective} {''.join(parts)}" for adjective, parts in words]
    if count > len(names):
        raise ValueError(f"names must be at most {len(names)}, got {count}")
    return names[:count]


def invent_image(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a picture [H, W, 3] of bright rectangles on noise; size is (height, width)."""
    random = np.random.default_rng(0)
    height, width = size
    picture = random.integers(0, 120, (height, width, 3), dtype=np.uint8)
    for _ in range(12):
        top, left = random.integers(0, height), random.integers(0, width)
        bottom, right = top + height // 5 + 1, left + width // 6 + 1
        picture[top:bottom, left:right] = random.integers(0, 255, 3, dtype=np.uint8)
    return picture


def invent_frames(size: tuple[int, int], count: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames of a clip, made one by one: a picture that moves to the right."""
    picture = invent_image(size)
    for number in range(count):
        yield np.roll(picture, number * SPEED, axis=1)


def invent_marks(size: tuple[int, int], count: int) -> Prompts:
    """Return boxes around `count` objects of an image of (height, width), of a few sizes."""
    height, width = size
    shares = np.random.default_rng(1).uniform(0, 1, (count, 4))
    corners = 0.7 * shares[:, :2] * (width, height)
    sides = (0.1 + 0.2 * shares[:, 2:]) * (width, height)
    return Prompts(boxes=np.concatenate([corners, corners + sides], axis=1).tolist())
