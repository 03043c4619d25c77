"""What is asked of each image: prompts in all the forms in which they may be given."""

from collections.abc import Sequence
from typing import cast

from glee.inference.remembered import Remembered
from glee.inference.text import Vocabulary
from glee.prompts import Prompts

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
