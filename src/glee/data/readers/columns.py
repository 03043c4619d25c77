"""Columns: byte strings and texts by the million, packed into one array.

A Python string takes 50 bytes beside its characters, and workers forked from one process copy
the memory of every object that they touch. One array they share.
"""

from array import array
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray


class Packed:
    """Byte strings, one after the other."""

    def __init__(self) -> None:
        self._data, self._ends = bytearray(), array("q", [0])

    def append(self, value: bytes) -> None:
        """Add one at the end."""
        self._data += value
        self._ends.append(len(self._data))

    @property
    def num_bytes(self) -> int:
        """The length of all together."""
        return len(self._data)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> bytes:
        row = range(len(self))[index]  # raises IndexError past the end
        return bytes(self._data[self._ends[row] : self._ends[row + 1]])


class Texts:
    """Texts, one after the other."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._packed = Packed()
        for text in texts:
            self.append(text)

    def append(self, text: str) -> None:
        """Add one at the end."""
        self._packed.append(text.encode("utf-8", "surrogatepass"))

    def __len__(self) -> int:
        return len(self._packed)

    def __getitem__(self, index: int) -> str:
        return self._packed[index].decode("utf-8", "surrogatepass")


class Lists:
    """Lists of whole numbers, one after the other."""

    def __init__(self) -> None:
        self._values, self._ends = array("q"), array("q", [0])

    def append(self, values: Iterable[int]) -> None:
        """Add one at the end."""
        self._values.extend(values)
        self._ends.append(len(self._values))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> list[int]:
        row = range(len(self))[index]
        return self._values[self._ends[row] : self._ends[row + 1]].tolist()

    def counts(self) -> NDArray[np.int64]:
        """Return the lengths of all lists."""
        ends = np.array(self._ends, dtype=np.int64)
        return ends[1:] - ends[:-1]


class Numbering:
    """Gives whatever is named, such as ids of files, numbers from 0 in the order of first sight."""

    def __init__(self, first: Iterable[object] = ()) -> None:
        self._rows: dict[object, int] = {}
        for key in first:
            self.add(key)

    def add(self, key: object) -> int:
        """Return the number of a key, a new one if it has none."""
        return self._rows.setdefault(key, len(self._rows))

    def add_all(self, keys: Iterable[object] | None) -> list[int]:
        """Return the numbers of some keys; of None, that there are none."""
        return [self.add(key) for key in keys or ()]

    def find(self, key: object) -> int | None:
        """Return the number of a key, None if it has none."""
        return self._rows.get(key)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[object]:
        return iter(self._rows)
