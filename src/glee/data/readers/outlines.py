"""Scalabel's outlines, of straight lines and Bezier curves, as polygons."""

from collections.abc import Mapping
from typing import Any

import numpy as np

LINE, CURVE = "L", "C"

STEPS = 8
"""Straight pieces that a curve becomes; BDD100K's are a few dozen pixels long."""


def trace_outline(part: Mapping[str, Any]) -> list[float]:
    """Return a polygon [x, y, x, y, ...] of an entry of `poly2d`.

    An entry has `vertices`, a list of [x, y], and `types`, a letter for each: L ends a straight
    line; three C are the two control points and the end of a cubic Bezier curve, as in the
    official conversion.
    Raises TypeError for what is no such entry, also where three C are not all there.
    """
    vertices, types = part["vertices"], part["types"]
    points = np.asarray(vertices, dtype=np.float64).reshape(-1, 2)
    if len(points) != len(types) or set(types) - {LINE, CURVE}:
        raise TypeError(f"types must have L or C for each of {len(points)} vertices, got {types!r}")
    traced = list(points[:1])
    number = 1
    while number < len(points):
        if types[number] == LINE:
            traced.append(points[number])
            number += 1
            continue
        if types[number : number + 3] != 3 * CURVE:
            raise TypeError(f"types must have C in threes, got {types!r}")
        share = np.linspace(0, 1, STEPS + 1)[1:, None]
        first, second, end = points[number : number + 3]
        traced.extend(
            (1 - share) ** 3 * traced[-1]
            + 3 * (1 - share) ** 2 * share * first
            + 3 * (1 - share) * share**2 * second
            + share**3 * end
        )
        number += 3
    return [float(value) for point in traced for value in point]
