"""Several sources of samples as one, such as the three RefCOCO data sets."""

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate

from glee.data.schema import RandomAccess, Sample, Samples


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """The samples of several sources, one source after the other.

    parts  the sources, at least one; names are those of the first, so that all others must have
           the same, or have expressions

    Raises ValueError without a source, and for parts that differ in their names.
    """

    parts: tuple[Samples, ...]
    _ends: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("parts is empty; give at least one source")
        first = list(_listed(self.parts[0]))
        for part in self.parts[1:]:
            if list(_listed(part)) != first:
                raise ValueError(
                    "parts have different names; a prompt would hold names that some of them are "
                    "not annotated for. Make them sources of their own"
                )
        object.__setattr__(self, "_ends", tuple(accumulate(len(part) for part in self.parts)))

    @property
    def names(self) -> RandomAccess[str]:
        """The names that negatives may be drawn from."""
        return self.parts[0].names

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(f"index {index} of {len(self)} samples")
        part = bisect_right(self._ends, index)
        return self.parts[part][index - (self._ends[part] - len(self.parts[part]))]


def _listed(samples: Samples) -> list[str]:
    return [samples.names[n] for n in range(len(samples.names))]
