import numpy as np
import pytest
import torch

from glee import Predictor, Prompts
from glee.config import lite
from glee.model.build import build_glee
from glee.model.fold import fold_frozen_norms


@pytest.mark.slow
def test_full_size_lite_takes_every_kind_of_prompt() -> None:
    torch.manual_seed(0)
    predictor = Predictor(fold_frozen_norms(build_glee(lite())))
    image = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    encoded = predictor.encode(image)
    mask = np.zeros((240, 320), dtype=bool)
    mask[50:100, 60:160] = True

    named = predictor.predict(encoded, ["person", "red bus"], threshold=0)
    described = predictor.predict(encoded, Prompts(expression="the bus on the left"))
    marked = predictor.predict(encoded, Prompts(points=[(40, 30)], masks=[mask]))

    assert (len(named), len(described), len(marked)) == (100, 1, 2)
    for found in (named, described, marked):
        assert found.boxes.isfinite().all()
        assert found.scores.isfinite().all()
    assert encoded.geometry.padded == (800, 1088)  # 240 x 320 becomes 800 x 1067
