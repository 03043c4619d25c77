import json
import os
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from glee.config import tiny
from glee.inference.predictor import Predictor
from glee.model.build import build_glee
from glee.model.glee import GLEE

os.environ["HF_HUB_OFFLINE"] = "1"  # no test reaches a hub
torch.set_num_threads(1)  # small tensors: threads that wait for each other cost more than they give

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def model() -> GLEE:
    """A tiny network whose boxes move and whose names differ, unlike those of a fresh one."""
    torch.manual_seed(0)
    model = build_glee(tiny()).eval()
    for parameter in model.heads.box.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    for layer in (model.heads.similarity, model.text_projection):
        torch.nn.init.normal_(layer.weight, std=0.1)
    return model


@pytest.fixture(scope="session")
def predictor(model: GLEE) -> Predictor:
    return Predictor(model)


@pytest.fixture(scope="session")
def image() -> NDArray[np.uint8]:
    """A picture of 60 x 100 pixels: noise with a bright square in it."""
    picture = np.random.default_rng(0).integers(0, 120, (60, 100, 3), dtype=np.uint8)
    picture[20:40, 30:50] = 255
    return picture


@pytest.fixture(scope="session")
def released_state() -> dict[str, Tensor]:
    """Tensors of a reduced released checkpoint, with few words in its vocabulary."""
    folder = GOLDEN / "small"
    shapes = json.loads((folder / "state_dict_small.json").read_text())
    shapes = {
        name: [64 if size == 49408 else size for size in shape] for name, shape in shapes.items()
    }
    arrays = runpy.run_path(str(folder / "weights_recipe.py"))["recipe_state"](shapes, 1)
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
