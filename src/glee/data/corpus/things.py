"""Things: what can be said of the objects of a composed scene, or of a photo."""

from collections.abc import Sequence

import numpy as np

from glee.data.corpus.claims import Thing
from glee.data.corpus.colors import measure_colors
from glee.data.corpus.compose import Arrangement
from glee.data.corpus.kinship import Kinship, wider_words
from glee.data.corpus.layers import owners
from glee.data.schema import Frame
from glee.ops.masks import decode_rle


def things_of_scene(arrangement: Arrangement, kinship: Kinship) -> list[Thing]:
    """Return the things of a composed scene, with the colours that are seen of them."""
    height, width = arrangement.size
    owner = owners(arrangement.layers, arrangement.size)
    things = []
    for number, (row, layer) in enumerate(
        zip(arrangement.rows, arrangement.layers, strict=True), 1
    ):
        seen = owner[layer.window] == number
        rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
        left, top = layer.corner
        box = (
            (left + columns[0]) / width,
            (top + rows[0]) / height,
            (left + columns[-1] + 1) / width,
            (top + rows[-1] + 1) / height,
        )
        words = dict.fromkeys((row.name, *row.synonyms, *wider_words(row)))
        things.append(
            Thing(
                words=tuple(words),
                maybe=kinship.related(row.name),
                box=box,
                area=float(seen.sum()) / (height * width),
                colors=measure_colors(layer.pixels[seen][:, :3]),
            )
        )
    return things


def things_of_photo(frame: Frame, kinship: Kinship, unclear: frozenset[str]) -> list[Thing]:
    """Return the things of a photo in which all objects that have a name are annotated.

    unclear  names of which some are not; whatever is called so is called nothing
    """
    height, width = frame.size
    things = []
    areas = _areas(frame)
    for name, box, area in zip(frame.names, frame.boxes.tolist(), areas, strict=True):
        left, top, right, bottom = box
        things.append(
            Thing(
                words=() if name in unclear else (name,),
                maybe=kinship.alike(name),
                box=(left / width, top / height, right / width, bottom / height),
                area=area / (height * width),
                colors={},
            )
        )
    return things


def _areas(frame: Frame) -> Sequence[float]:
    if frame.masks is None:
        sides = frame.boxes[:, 2:] - frame.boxes[:, :2]
        return [float(area) for area in sides.prod(axis=1)]
    return [float(area) for area in decode_rle(frame.masks, frame.size).flatten(1).sum(1)]
