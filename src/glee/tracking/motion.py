"""Motion: where the box of an object is expected, and how well another box agrees with that.

A place is a box as [centre x, centre y, log width, log height] in pixels, so that sizes change by
factors.
"""

import torch
from torch import Tensor

from glee.ops.boxes import xyxy_to_cxcywh

# Velocities fade while an object is not seen: by these factors in each frame.
_KEEP_SPEED, _KEEP_GROWTH = 0.97, 0.7

# Once an object has been seen often, so much of a surprise enters its place and its velocity.
_PLACE_GAIN, _SPEED_GAIN = 0.6, 0.25

# How far an object may be from where it is expected, in its own sizes: at first, and more for
# every frame without it. And how much its size may differ, as logarithm.
_REACH, _REACH_PER_FRAME, _SIZE_REACH = 0.3, 0.05, 0.7

# An object that is further off than so many of its sizes has jumped, or the camera has.
_JUMP = 2.0


def to_places(xyxy: Tensor) -> Tensor:
    """Turn boxes [N, 4] into places [N, 4]; no side is less than a pixel."""
    cxcywh = xyxy_to_cxcywh(xyxy)
    return torch.cat([cxcywh[:, :2], cxcywh[:, 2:].clamp(min=1).log()], dim=1)


def expect(places: Tensor, velocity: Tensor, frames: Tensor) -> Tensor:
    """Return where objects should be after some frames.

    places    [N, 4]
    velocity  [N, 4]  change of the place in a frame
    frames    [N]     how many later, at least 1
    Returns places [N, 4].
    """
    speed, growth = (_fading_sum(keep, frames) for keep in (_KEEP_SPEED, _KEEP_GROWTH))
    return places + velocity * torch.stack([speed, speed, growth, growth], dim=1)


def _fading_sum(keep: float, frames: Tensor) -> Tensor:
    """Return 1 + keep + keep**2 + ..., so many terms."""
    return (1 - keep**frames) / (1 - keep)


def correct(
    expected: Tensor, velocity: Tensor, seen: Tensor, frames: Tensor, steady: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return places and velocities of objects, given where they were seen.

    expected  [N, 4]  places, see `expect`
    velocity  [N, 4]
    seen      [N, 4]  places
    frames    [N]     since they were last seen
    steady    [N]     how often in a row each was seen near where it was expected, at least once
    Returns places and velocities [N, 4], and `steady` [N] anew; it is 1 for objects that turned up
    elsewhere, whose motion is not known any more.

    A g-h filter whose gains fall as those of a growing memory (E. Brookner, "Tracking and Kalman
    Filtering Made Easy", 1998, section 1.2.10) down to fixed ones: the second sighting alone sets
    the velocity, the later ones smooth it.
    """
    surprise = seen - expected
    size = torch.maximum(expected[:, 2:], seen[:, 2:]).exp()
    reach = _JUMP * (1 + _REACH_PER_FRAME * (frames - 1).float())[:, None]
    jumped = (surprise[:, :2].abs() > reach * size).any(dim=1)[:, None]
    n = steady.float() + 1
    place_gain = (2 * (2 * n - 1) / (n * (n + 1))).clamp(min=_PLACE_GAIN, max=1)[:, None]
    speed_gain = (6 / (n * (n + 1))).clamp(min=_SPEED_GAIN, max=1)[:, None]
    place = torch.where(jumped, seen, expected + place_gain * surprise)
    speed = velocity + speed_gain / frames[:, None] * surprise
    return place, speed * ~jumped, torch.where(jumped[:, 0], 1, steady + 1)


def place_affinity(expected: Tensor, frames: Tensor, seen: Tensor) -> Tensor:
    """Return how well places agree with expected ones.

    expected  [M, 4]
    frames    [M]     since each was last seen, at least 1: the longer, the less exact
    seen      [N, 4]
    Returns [M, N] in 0..1, 1 for the expected place.
    """
    apart = expected[:, None] - seen[None]  # [M, N, 4]
    size = torch.maximum(expected[:, None, 2:], seen[None, :, 2:]).exp()
    reach = (_REACH + _REACH_PER_FRAME * (frames.float() - 1))[:, None, None]
    distance = (apart[..., :2] / (size * reach)).square().sum(-1)
    growth = (apart[..., 2:] / _SIZE_REACH).square().sum(-1)
    return torch.exp(-(distance + growth) / 2)
