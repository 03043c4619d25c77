"""Expressions that mean one object of a composed scene, and how often it is found."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glee import Predictor, Prompts
from glee.data.schema import Frame
from glee.evaluation.referring import paired_scores
from glee.images import load_image
from glee.ops.masks import decode_rle
from quality.scenes import Composer

APART = 0.15
"""Places differ if their distance is at least this share of the picture's side."""

TWICE = 2.0
"""Sizes differ if one area is at least so many times the other."""


@dataclass(frozen=True, slots=True, eq=False)
class Saying:
    """A scene, an expression, and the row of the object that it means."""

    frame: Frame
    text: str
    target: int


def said(frame: Frame) -> list[tuple[str, int]]:
    """Return expressions that are true of one object of a scene only, with its row.

    A name that is shown once says enough; of objects of one name, place or size tells them apart.
    """
    found = []
    for name in dict.fromkeys(frame.names):
        rows = [n for n, own in enumerate(frame.names) if own == name]
        if len(rows) == 1:
            found.append((f"the {name}", rows[0]))
        else:
            found += _superlatives(frame, name, rows)
    return found


def _superlatives(frame: Frame, name: str, rows: Sequence[int]) -> list[tuple[str, int]]:
    """Return what tells the first object from the others of its name by a clear margin."""
    boxes, (height, width) = frame.boxes[list(rows)], frame.size
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    areas = np.log((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
    orders = (
        (f"the {name} on the left", x, APART * width),
        (f"the {name} on the right", -x, APART * width),
        (f"the upper {name}", y, APART * height),
        (f"the lower {name}", -y, APART * height),
        (f"the small {name}", areas, np.log(TWICE)),
        (f"the large {name}", -areas, np.log(TWICE)),
    )
    found = []
    for text, values, margin in orders:
        first, second = np.sort(values)[:2]
        if second - first >= margin:
            found.append((text, rows[int(np.argmin(values))]))
    return found


def expression_scenes(root: Path, count: int) -> list[Saying]:
    """Return scenes with an expression each; every scene shows other objects, too."""
    composer, index = Composer(root), 0
    sayings: list[Saying] = []
    while len(sayings) < count:
        frame = composer.said_scene(index)
        options = said(frame) if len(frame) > 1 else []
        if options:
            text, target = options[index % len(options)]
            sayings.append(Saying(frame, text, target))
        index += 1
    return sayings


def expression_values(predictor: Predictor, sayings: Sequence[Saying]) -> dict[str, float]:
    """Return how often the mask found for an expression overlaps the one meant, and by how much."""
    shared, joined = np.zeros(len(sayings)), np.zeros(len(sayings))
    for row, saying in enumerate(sayings):
        frame = saying.frame
        found = predictor.predict(load_image(frame.image), Prompts(expression=saying.text))
        assert frame.masks is not None
        assert found.masks is not None
        meant = decode_rle([frame.masks[saying.target]], frame.size)[0].numpy()
        guess = found.masks[0].cpu().numpy()
        shared[row], joined[row] = (meant & guess).sum(), (meant | guess).sum()
    scores = paired_scores(shared, joined)
    return {"scenes": float(len(sayings)), **{k: scores[k] for k in ("P@0.5", "mIoU")}}
