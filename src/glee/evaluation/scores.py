"""Scores: the one form in which every benchmark returns its numbers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from glee.evaluation.arrays import Id


@dataclass(frozen=True, slots=True)
class Scores:
    """The numbers of one benchmark.

    values        by name, shares in 0..1; NaN where nothing is annotated, so that no number exists
    per_category  the same for single categories (or sequences), by the data set's own id
    notes         rules that had to be applied, in words: what was missing, dropped or repeated
    """

    values: Mapping[str, float]
    per_category: Mapping[Id, Mapping[str, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> float:
        return self.values[name]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, None for NaN."""
        return {
            "values": _without_nan(self.values),
            "per_category": {
                str(key): _without_nan(values) for key, values in self.per_category.items()
            },
            "notes": list(self.notes),
        }


def _without_nan(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else float(value) for name, value in values.items()}
