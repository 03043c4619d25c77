"""What is asked of each image, in all forms in which it may be given, and what is found for it."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from glee.inference.postprocess import Found
from glee.inference.preprocess import ImageGeometry
from glee.inference.remembered import Remembered
from glee.inference.text import Vocabulary
from glee.prompts import Prompts
from glee.results import Instances

OneImagePrompts = Prompts | Vocabulary | Remembered
"""What to look for in one image, besides a list of names."""


def is_marked(prompts: OneImagePrompts) -> bool:
    """Whether marked objects are looked for."""
    return isinstance(prompts, Remembered) or (isinstance(prompts, Prompts) and bool(prompts.marks))


def match_prompts(
    prompts: OneImagePrompts | Sequence[str] | Sequence[Prompts],
    num_images: int,
    *,
    single: bool,
) -> list[OneImagePrompts]:
    """Return the prompts of each image; raise ValueError if there is not one for each."""
    if isinstance(prompts, Vocabulary | Remembered):
        return [prompts] * num_images
    if isinstance(prompts, Prompts | str) or not any(isinstance(p, Prompts) for p in prompts):
        return [Prompts.coerce(cast("Prompts | Sequence[str]", prompts))] * num_images
    own: list[OneImagePrompts] = [p for p in prompts if isinstance(p, Prompts)]
    if single or len(own) != num_images or len(own) != len(prompts):
        raise ValueError(
            f"prompts has {len(prompts)} entries for {num_images} images; give one Prompts for all "
            "images, or a list with one Prompts per image"
        )
    return own


def join_found(rows: list[Found], prompts: OneImagePrompts, geometry: ImageGeometry) -> Instances:
    """Put what the rows of prompts found together: by score, or for marks in their order."""
    ids = torch.cat([torch.full_like(row.labels, n) for n, row in enumerate(rows)])
    scores = torch.cat([row.scores for row in rows])
    masks = [row.masks for row in rows if row.masks is not None]
    if len(masks) == 1:  # full masks are large: no copy
        merged: Tensor | None = masks[0]
    else:
        merged = torch.cat(masks) if masks else None
    described = isinstance(prompts, Prompts) and bool(prompts.expressions)
    marked = is_marked(prompts)
    found = Instances(
        boxes=torch.cat([row.boxes for row in rows]),
        scores=scores,
        labels=ids if described and not marked else torch.cat([row.labels for row in rows]),
        names=prompts.names,
        image_size=geometry.original,
        masks=merged,
        embeddings=torch.cat([row.embeddings for row in rows]),
        prompt_ids=ids if described or marked else None,
    )
    sorted_already = marked or len(rows) == 1
    return found if sorted_already else found[scores.argsort(descending=True, stable=True)]
