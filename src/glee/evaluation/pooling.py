"""Pooling: the boxes of several data sets as those of one, to be shown together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glee.evaluation.arrays import Id, IntArray
from glee.evaluation.evidence import Evidence
from glee.evaluation.objects import Annotations, Catalog, Predictions
from glee.evaluation.regions import Boxes, Regions


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DataSet:
    """One of the data sets.

    annotations  boxes
    predictions  boxes
    names        what people call its categories, by id
    """

    annotations: Annotations
    predictions: Predictions
    names: Mapping[Id, str]


def pool_boxes(parts: Mapping[str, DataSet]) -> Evidence:
    """Return the boxes of several data sets as those of one, where each keeps its categories.

    parts  by name; images become "data set/id" and categories "data set: name"

    Raises ValueError without data sets, TypeError for other regions than boxes.
    """
    if not parts:
        raise ValueError("parts is empty; give at least one data set")
    units = {name: [f"{name}/{one}" for one in _ids(part)] for name, part in parts.items()}
    categories = {name: _category_names(name, part) for name, part in parts.items()}
    catalog = _catalog(parts, units, categories)
    rows = {name: _places(units[name], catalog.unit_ids) for name in parts}
    columns = {name: _places(categories[name], catalog.category_ids) for name in parts}
    true = [(name, part.annotations) for name, part in parts.items()]
    found = [(name, part.predictions) for name, part in parts.items()]
    return Evidence(
        annotations=Annotations(
            catalog=catalog,
            units=np.concatenate([rows[name][one.units] for name, one in true]),
            categories=np.concatenate([columns[name][one.categories] for name, one in true]),
            areas=np.concatenate([one.areas for _, one in true]),
            crowd=np.concatenate([one.crowd for _, one in true]),
            regions=_join([one.regions for _, one in true]),
        ),
        predictions=Predictions(
            catalog=catalog,
            units=np.concatenate([rows[name][one.units] for name, one in found]),
            categories=np.concatenate([columns[name][one.categories] for name, one in found]),
            scores=np.concatenate([one.scores for _, one in found]),
            regions=_join([one.regions for _, one in found]),
        ),
        pooled=True,
    )


def _ids(part: DataSet) -> tuple[Id, ...]:
    return part.annotations.catalog.unit_ids


def _category_names(name: str, part: DataSet) -> list[str]:
    """Return what the categories of a data set are called among all; each differs."""
    ids = part.annotations.catalog.category_ids
    called = [part.names[one] for one in ids]
    return [
        f"{name}: {words}" + ("" if called.count(words) == 1 else f" ({one})")
        for one, words in zip(ids, called, strict=True)
    ]


def _catalog(
    parts: Mapping[str, DataSet],
    units: Mapping[str, Sequence[str]],
    categories: Mapping[str, Sequence[str]],
) -> Catalog:
    sizes = {
        key: size
        for name, part in parts.items()
        for key, size in zip(units[name], part.annotations.catalog.unit_sizes, strict=True)
    }
    unit_ids = tuple(sorted(sizes))
    return Catalog(
        unit_ids=unit_ids,
        unit_sizes=np.array([sizes[key] for key in unit_ids], dtype=np.int64).reshape(-1, 2),
        unit_lengths=np.ones(len(unit_ids), dtype=np.int64),
        category_ids=tuple(sorted(one for names in categories.values() for one in names)),
    )


def _places(keys: Sequence[str], every: Sequence[Id]) -> IntArray:
    """Return where keys are among all of them."""
    places = {key: place for place, key in enumerate(every)}
    return np.array([places[key] for key in keys], dtype=np.int64)


def _join(regions: Sequence[Regions]) -> Boxes:
    boxes = []
    for one in regions:
        if not isinstance(one, Boxes):
            raise TypeError(f"only boxes can be pooled, got {type(one).__name__}")
        boxes.append(one.xywh)
    return Boxes(np.concatenate(boxes))
