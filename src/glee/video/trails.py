"""Trails: where each object was in the last frames, drawn as a line in its colour."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from glee.colors import track_color
from glee.draw import copy_rgb, draw_names, draw_shapes
from glee.results import Instances

LENGTH = 40  # frames
FORGET = 40  # frames without the object after which its trail is gone
THICKNESS = 0.003  # as a share of the picture's mean side


def draw_tracks(
    image: NDArray[np.uint8],
    found: Instances,
    trails: "Trails",
    mask_boxes: Tensor | None = None,
) -> Image.Image:
    """Draw one more frame's objects and their trails on a copy of it, names above all else.

    found       on the CPU
    mask_boxes  [N, 4] tightest boxes around the masks, if they are known: saves finding them
    """
    picture = copy_rgb(image)
    draw_shapes(picture, found, mask_boxes)
    trails.draw(picture, found)
    draw_names(picture, found)
    return picture


class Trails:
    """The last places of each track; at most `LENGTH` each, and none of those that are gone.

    A trail begins anew where its object jumps by more than its size.

    state  of earlier trails to go on with
    """

    def __init__(self, state: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self._points: dict[int, list[tuple[float, float]]] = {}
        self._unseen: dict[int, int] = {}
        for track, trail in (state or {}).items():
            self._points[int(track)] = [(x, y) for x, y in trail["points"]]
            self._unseen[int(track)] = int(trail["unseen"])

    def draw(self, picture: Image.Image, found: Instances) -> None:
        """Add the places of one more frame, and draw the trails of its objects on its picture."""
        ids = [] if found.track_ids is None else found.track_ids.tolist()
        self._unseen = {track: count + 1 for track, count in self._unseen.items()}
        for track, (x1, y1, x2, y2) in zip(ids, found.boxes.tolist(), strict=True):
            trail = self._points.setdefault(track, [])
            place = (round((x1 + x2) / 2, 1), round((y1 + y2) / 2, 1))
            if trail and math.dist(trail[-1], place) > max(x2 - x1, y2 - y1):
                trail.clear()  # a cut, or it was hidden and is elsewhere: no way that it took
            trail.append(place)
            del trail[:-LENGTH]
            self._unseen[track] = 0
        for track in [track for track, count in self._unseen.items() if count > FORGET]:
            del self._points[track], self._unseen[track]
        pen = ImageDraw.Draw(picture)
        width = max(1, round(THICKNESS * sum(picture.size) / 2))
        for track in ids:
            if len(self._points[track]) > 1:
                pen.line(self._points[track], fill=track_color(track), width=width, joint="curve")

    def state(self) -> dict[str, dict[str, Any]]:
        """Return the trails, and for how many frames each was not seen, as plain JSON values."""
        return {
            str(track): {"points": [list(point) for point in points], "unseen": self._unseen[track]}
            for track, points in self._points.items()
        }
