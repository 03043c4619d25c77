"""Expressions that mean one object of a composed scene, and how often it is found."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glee import Predictor, Prompts
from glee.data.corpus.expressions import ExpressionSamples
from glee.data.schema import Frame
from glee.evaluation.referring import paired_scores
from glee.images import load_image
from quality.scenes import SEED


@dataclass(frozen=True, slots=True, eq=False)
class Saying:
    """A scene of which one object is annotated, and an expression that means it."""

    frame: Frame
    text: str


def expression_scenes(root: Path, count: int) -> list[Saying]:
    """Return scenes with an expression each, which take turns among the ways to say it.

    What describes several objects at once is left out.
    """
    samples, sayings = ExpressionSamples(root, seed=SEED), list[Saying]()
    index = 0
    while len(sayings) < count:
        sample = samples[index]
        if len(sample.frames[0]) == 1:
            text = sample.expressions[index % len(sample.expressions)]
            sayings.append(Saying(sample.frames[0], text))
        index += 1
    return sayings


def expression_values(predictor: Predictor, sayings: Sequence[Saying]) -> dict[str, float]:
    """Return how often the mask found for an expression overlaps the one meant, and by how much."""
    shared, joined = np.zeros(len(sayings)), np.zeros(len(sayings))
    for row, saying in enumerate(sayings):
        prompts = Prompts(expression=saying.text)
        found = predictor.predict(load_image(saying.frame.image), prompts)
        masks = saying.frame.decode_masks()
        assert masks is not None
        assert found.masks is not None
        meant, guess = masks[0].numpy(), found.masks[0].cpu().numpy()
        shared[row], joined[row] = (meant & guess).sum(), (meant | guess).sum()
    scores = paired_scores(shared, joined)
    return {"scenes": float(len(sayings)), **{k: scores[k] for k in ("P@0.5", "mIoU")}}
