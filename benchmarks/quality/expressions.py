"""Expressions that mean one object of a composed scene, and how often it is found."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from glee import Predictor, Prompts
from glee.data.corpus.expressions import ExpressionSamples
from glee.data.schema import Frame
from glee.evaluation.referring import paired_scores
from glee.images import load_image
from glee.ops.boxes import pairwise_iou
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
    """Return how often what is found for an expression overlaps what is meant, and by how much.

    P is that of boxes as for RefCOCO (MDETR, arXiv:2104.12763), and with its name of masks.
    """
    boxes, masks = np.zeros(len(sayings)), np.zeros((2, len(sayings)))
    for row, saying in enumerate(sayings):
        prompts = Prompts(expression=saying.text)
        found = predictor.predict(load_image(saying.frame.image), prompts)
        meant = saying.frame.decode_masks()
        assert meant is not None
        assert found.masks is not None
        overlap = pairwise_iou(found.boxes[:1].cpu(), torch.from_numpy(saying.frame.boxes[:1]))
        boxes[row] = overlap.item()
        true, guess = meant[0].numpy(), found.masks[0].cpu().numpy()
        masks[:, row] = (true & guess).sum(), (true | guess).sum()
    of_masks = paired_scores(*masks)
    return {
        "scenes": float(len(sayings)),
        "P@0.5": paired_scores(boxes, np.ones(len(boxes)))["P@0.5"],
        "mask P@0.5": of_masks["P@0.5"],
        "mIoU": of_masks["mIoU"],
    }
