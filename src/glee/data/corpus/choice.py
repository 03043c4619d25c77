"""Choice: which cut-outs make up a scene, drawn by source and name before picture."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from glee.data.corpus.draws import chance
from glee.data.corpus.packs import SHARES, Cutout


class Choice:
    """Draws cut-outs: first the source, then one of its names, then one of its pictures.

    So neither the many renders nor the few names of many pictures outweigh the rest.
    """

    def __init__(self, rows: Sequence[Cutout]) -> None:
        if not rows:
            raise ValueError("rows is empty; give at least one cut-out")
        self._rows = tuple(rows)
        by_source: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._by_name: dict[str, list[int]] = defaultdict(list)
        for number, row in enumerate(rows):
            by_source[row.source][row.name].append(number)
            self._by_name[row.name].append(number)
        self._sources = sorted(by_source)
        self._names = {source: sorted(names) for source, names in by_source.items()}
        self._numbers = {source: dict(names) for source, names in by_source.items()}
        shares = np.array([SHARES.get(source, 0.1) for source in self._sources])
        self._ends = np.cumsum(shares / shares.sum())

    def draw(self, rng: Generator) -> Cutout:
        """Return one cut-out."""
        place = int(np.searchsorted(self._ends, rng.random(), side="right"))
        source = self._sources[min(place, len(self._sources) - 1)]
        names = self._names[source]
        name = names[int(rng.integers(len(names)))]
        numbers = self._numbers[source][name]
        return self._rows[numbers[int(rng.integers(len(numbers)))]]

    def draw_named(self, name: str, rng: Generator) -> Cutout:
        """Return one cut-out of a name, from any source."""
        numbers = self._by_name[name]
        return self._rows[numbers[int(rng.integers(len(numbers)))]]

    def draw_several(self, count: int, rng: Generator, *, repeat: float = 0.3) -> list[Cutout]:
        """Return some cut-outs; with chance `repeat`, each is called like one before it."""
        rows: list[Cutout] = []
        for _ in range(count):
            if rows and chance(rng, repeat):
                rows.append(self.draw_named(rows[int(rng.integers(len(rows)))].name, rng))
            else:
                rows.append(self.draw(rng))
        return rows
