"""Remembered: marked objects, encoded once, to be found again in other images."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from glee.model.interfaces import MarkColours, VisualTokens


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Remembered:
    """Marked objects, encoded for one network; prompts other images than that of the marks.

    names    what the objects may be called, which labels index
    visual   tokens, one row for each object
    network  fingerprint of the network that it is for
    near     [P, 4] where the objects are to be looked for first, xyxy in pixels of the image; None
             if anywhere. Read by networks to which places count, such as nano
    """

    names: tuple[str, ...]
    visual: VisualTokens
    network: str
    near: Tensor | None = None

    def __len__(self) -> int:
        return len(self.visual.valid)

    def __repr__(self) -> str:
        return f"<Remembered: {len(self)} marked objects>"

    def take(self, rows: Tensor | slice) -> "Remembered":
        """Return the objects of some rows [P'] int64, or of a slice without copying."""
        visual = self.visual
        points = tuple(level[rows] for level in visual.points)
        colours = None if visual.colours is None else visual.colours.take(rows)
        tokens = VisualTokens(visual.template[rows], points, visual.valid[rows], colours)
        near = None if self.near is None else self.near[rows]
        return Remembered(self.names, tokens, self.network, near)


def join_remembered(parts: Sequence[Remembered]) -> Remembered:
    """Put marked objects together, which may have been marked on different images.

    They are then looked for anywhere.
    Raises ValueError for objects of other names or of another network than the first.
    """
    first = parts[0]
    for part in parts[1:]:
        if (part.names, part.network) != (first.names, first.network):
            raise ValueError(
                f"objects called {', '.join(first.names)} and {', '.join(part.names)} cannot be "
                "looked for together; mark them with the same names and network"
            )
    longest = max(part.visual.valid.shape[1] for part in parts)

    def padded(tokens: Tensor, axis: int) -> Tensor:
        return F.pad(tokens, (0, 0) * (tokens.ndim - 1 - axis) + (0, longest - tokens.shape[axis]))

    visuals = [part.visual for part in parts]
    points = zip(*(visual.points for visual in visuals), strict=True)
    tokens = VisualTokens(
        template=torch.cat([visual.template for visual in visuals]),
        points=tuple(torch.cat([padded(level, 1) for level in levels]) for levels in points),
        valid=torch.cat([padded(visual.valid, 1) for visual in visuals]),
        colours=_join_colours(visuals),
    )
    return Remembered(first.names, tokens, first.network)


def _join_colours(visuals: Sequence[VisualTokens]) -> MarkColours | None:
    """Put colours together; objects of a state that was stored without have unknown ones."""
    there = [visual.colours for visual in visuals if visual.colours is not None]
    if not there:
        return None
    parts = [visual.colours or _unknown(len(visual.valid), there[0]) for visual in visuals]
    return MarkColours(
        likely=torch.cat([part.likely for part in parts]),
        mean=torch.cat([part.mean for part in parts]),
        known=torch.cat([part.known for part in parts]),
    )


def _unknown(count: int, form: MarkColours) -> MarkColours:
    """Return the colours of so many objects of which none are known, in the form of others."""
    return MarkColours(
        likely=form.likely.new_zeros(count, form.likely.shape[1]),
        mean=form.mean.new_zeros(count, form.mean.shape[1]),
        known=form.known.new_zeros(count),
    )
