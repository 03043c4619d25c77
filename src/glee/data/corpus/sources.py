"""Sources: the corpus by the names of its kinds."""

from pathlib import Path
from typing import Literal

from glee.data.corpus.clips import ClipSamples
from glee.data.corpus.expressions import ExpressionSamples, PhotoExpressions, PhraseSamples
from glee.data.corpus.photos import read_masks
from glee.data.corpus.scenes import SceneSamples
from glee.data.schema import Samples

Kind = Literal[
    "scenes", "held-out", "expressions", "phrases", "photo-expressions", "clips", "photos"
]


def open_source(
    kind: Kind,
    root: Path,
    *,
    seed: int = 0,
    misleading: float = 0.0,
    allow_missing: bool = False,
) -> Samples:
    """Return the samples of a kind.

    kind           held-out ones are for evaluation only; photos are those with masks
    root           the folder with the packs
    misleading     share of expressions that fit nothing
    allow_missing  do with the cut-outs that are there

    Raises MissingPackError for what is missing, ValueError for a share outside 0..1.
    """
    match kind:
        case "scenes" | "held-out":
            held_out = kind == "held-out"
            return SceneSamples(root, seed=seed, held_out=held_out, allow_missing=allow_missing)
        case "expressions":
            return ExpressionSamples(
                root, seed=seed, misleading=misleading, allow_missing=allow_missing
            )
        case "phrases":
            return PhraseSamples(root, seed=seed, allow_missing=allow_missing)
        case "photo-expressions":
            return PhotoExpressions(root, seed=seed, misleading=misleading)
        case "clips":
            return ClipSamples(root, seed=seed, allow_missing=allow_missing)
    return read_masks(root)
