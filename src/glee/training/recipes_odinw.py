"""Recipes of ODinW: a few annotated images of one small data set (arXiv:2204.08790)."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from glee.data.feed import TrainSource
from glee.data.few_shot import choose_shots
from glee.data.mixture import Source
from glee.data.readers.index import ImageIndex
from glee.data.readers.odinw import FILE, call_otherwise, read_odinw
from glee.data.schema import Samples
from glee.training.config import OptimizerConfig, ScheduleConfig, TrainConfig
from glee.training.recipe import Recipe, Size, augment_of, model_of

Shots = Literal["1", "3", "5", "10", "all"]

STEPS: dict[Shots, int] = {"1": 200, "3": 300, "5": 400, "10": 600, "all": 2000}
"""GLEE (arXiv:2312.09158, section 4.3, "Few-shot"): steps for the shots of each name."""

PROMPTS = {
    "Cottontail-Rabbit": "rabbit",
    "CoW": "CoW mushroom",
    "chanterelle": "chanterelle mushroom",
}
"""What the same section calls categories instead, of CottontailRabbits and
NorthAmericaMushrooms."""

TRAIN = (f"train/{FILE}", f"train_{FILE}", f"export/train_{FILE}")
VALID = (f"valid/{FILE}", f"mini_val/{FILE}", f"val_{FILE}", f"export/val_{FILE}")
"""Where the annotations of a split may be, in the folder of one data set."""

JUDGEMENTS = 10
"""How often a run is judged, on all images of the val split, to keep its best network."""

ORIGIN = "https://huggingface.co/GLIPModel/GLIP/tree/main/odinw_35"


def odinw(size: Size, shots: Shots, *, seed: int = 0) -> Recipe:
    """Tune all of a network to one data set; its folder is the data root.

    seed  of the choice of images; the paper's numbers are means over three

    The network that is best on the val split is kept.
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
            validate_every=STEPS[shots] // JUDGEMENTS,
        ),
        open=partial(_open, size, shots, seed),
        start=f"GLEE-{size.capitalize()} trained jointly, or what {size}-stage2 gave",
        judged=partial(_read, VALID),
    )


def _open(size: Size, shots: Shots, seed: int, root: Path) -> list[TrainSource]:
    samples: Samples = _read(TRAIN, root)
    if shots != "all":
        samples = choose_shots(samples, int(shots), seed=seed)
    mix = Source(num_samples=len(samples), ratio=1.0, batch_size=4)
    return [TrainSource(name=root.name, samples=samples, mix=mix, augment=augment_of(size))]


def _read(places: Sequence[str], root: Path) -> ImageIndex:
    """Read the split of one data set whose file is the first that is there."""
    for place in places:
        if (root / place).is_file():
            return call_otherwise(read_odinw(root / place), PROMPTS)
    raise FileNotFoundError(
        f"the data root {str(root)!r} lacks {places[0]}; give the folder of one data set of ODinW, "
        f"from {ORIGIN}"
    )
