"""A source of samples in which some names are neither asked for nor annotated."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from glee.data.schema import Frame, RandomAccess, Sample, Samples

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, eq=False)
class WithoutNames:
    """The samples of a source without the objects of some names.

    samples  annotated images; of clips all frames are opened
    hidden   the names

    Raises ValueError for a name that the source has not.
    """

    samples: Samples
    hidden: frozenset[str]

    def __post_init__(self) -> None:
        known = [self.samples.names[n] for n in range(len(self.samples.names))]
        if unknown := sorted(self.hidden - set(known)):
            raise ValueError(
                f"hidden has {unknown[0]!r}, which is no name of these samples; they have "
                f"{', '.join(dict.fromkeys(known))}"
            )

    @property
    def names(self) -> RandomAccess[str]:
        """The names that are left."""
        every = (self.samples.names[n] for n in range(len(self.samples.names)))
        return tuple(name for name in every if name not in self.hidden)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        sample = self.samples[index]
        frames = (sample.frames[n] for n in range(len(sample.frames)))
        return replace(sample, frames=tuple(self._filter(frame) for frame in frames))

    def _filter(self, frame: Frame) -> Frame:
        kept = [n for n, name in enumerate(frame.names) if name not in self.hidden]
        return replace(
            frame,
            boxes=frame.boxes[kept],
            names=_pick(frame.names, kept),
            masks=None if frame.masks is None else _pick(frame.masks, kept),
            track_ids=None if frame.track_ids is None else _pick(frame.track_ids, kept),
        )


def _pick(values: Sequence[_Value], rows: Sequence[int]) -> tuple[_Value, ...]:
    return tuple(values[row] for row in rows)
