"""Recipes of ODinW: a few annotated images of one small data set (arXiv:2204.08790)."""

from functools import partial
from pathlib import Path
from typing import Literal

from glee.data.feed import TrainSource
from glee.data.few_shot import choose_shots
from glee.data.mixture import Source
from glee.data.readers.odinw import FILE, read_odinw
from glee.data.schema import Samples
from glee.training.config import OptimizerConfig, ScheduleConfig, TrainConfig
from glee.training.recipe import Recipe, Size, augment_of, model_of

Shots = Literal["1", "3", "5", "10", "all"]

STEPS: dict[Shots, int] = {"1": 200, "3": 300, "5": 400, "10": 600, "all": 2000}
"""GLEE (arXiv:2312.09158, section 4.3, "Few-shot"): steps for the shots of each name."""

ORIGIN = "https://huggingface.co/GLIPModel/GLIP/tree/main/odinw_35"


def odinw(size: Size, shots: Shots, *, seed: int = 0) -> Recipe:
    """Tune all of a network to one data set; its folder is the data root.

    seed  of the choice of images; the paper's numbers are means over three
    """
    rate = OptimizerConfig(backbone=1.0, text=1.0)
    return Recipe(
        model=model_of(size),
        config=TrainConfig(
            schedule=ScheduleConfig(steps=STEPS[shots], warmup=20),
            optimizer=rate,
            precision="float16",
            seed=seed,
            save_every=200,
        ),
        open=partial(_open, size, shots, seed),
        start=f"GLEE-{size.capitalize()} trained jointly, or what {size}-stage2 gave",
    )


def _open(size: Size, shots: Shots, seed: int, root: Path) -> list[TrainSource]:
    if not (root / "train" / FILE).is_file():
        raise FileNotFoundError(
            f"the data root {str(root)!r} lacks train/{FILE}; give the folder of one data set of "
            f"ODinW, from {ORIGIN}"
        )
    samples: Samples = read_odinw(root / "train")
    if shots != "all":
        samples = choose_shots(samples, int(shots), seed=seed)
    mix = Source(num_samples=len(samples), ratio=1.0, batch_size=4)
    return [TrainSource(name=root.name, samples=samples, mix=mix, augment=augment_of(size))]
