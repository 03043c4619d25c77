"""All recipes by name."""

import difflib
from collections.abc import Callable
from functools import partial

from glee.training.nano import nano_cell_recipe, nano_recipe
from glee.training.recipe import SIZES, Recipe
from glee.training.recipes_odinw import STEPS, odinw
from glee.training.recipes_video import CLIPS, video, vos
from glee.training.stages import stage1, stage2, stage3

RECIPES: dict[str, Callable[[], Recipe]] = {
    "nano-cells": nano_cell_recipe,
    "nano": nano_recipe,
    **{f"{size}-stage1": partial(stage1, size) for size in SIZES},
    **{f"{size}-stage2": partial(stage2, size) for size in SIZES},
    **{f"{size}-stage3": partial(stage3, size) for size in SIZES},
    **{f"{size}-{name}": partial(video, size, name) for size in SIZES for name in CLIPS},
    "lite-vos": partial(vos, "lite"),
    **{f"{size}-odinw-{shots}": partial(odinw, size, shots) for size in SIZES for shots in STEPS},
}


def find_recipe(name: str) -> Recipe:
    """Return a recipe by its name; raises ValueError that lists all for an unknown one."""
    if name in RECIPES:
        return RECIPES[name]()
    near = difflib.get_close_matches(name, RECIPES, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise ValueError(f"unknown recipe {name!r}{hint}; choose from {', '.join(RECIPES)}")
