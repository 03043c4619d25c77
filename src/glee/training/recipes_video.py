"""Recipes of video: objects of names in short clips, and objects marked in their first frame.

GLEE (arXiv:2312.09158, section 4.2 and Table 6), in the numbers of the released configurations.
Those of Pro train on single frames, by a default left as it was; here they train on two.
"""

from dataclasses import dataclass, replace
from functools import partial

from glee.data.loading import FrameChoice
from glee.data.transforms import Augmentation, MultiScale, ScaleJitter
from glee.data.visual_prompts import MarkConfig
from glee.training.config import OptimizerConfig, ScheduleConfig, TrainConfig
from glee.training.recipe import Recipe, Share, Size, model_of, open_shares

SMALL = MultiScale(shortest=tuple(range(320, 641, 32)))
LARGE = MultiScale()

MARKED = MarkConfig(chance=1.0, mask=1.0, point=0.0, box=0.0)
"""The object of a mask in the first frame is followed, as in video object segmentation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipTraining:
    """How long, and on which clips of a data set, a network is tuned to it.

    steps, drop  of the rate
    reach        how far the frames may be apart
    augment      how they change
    frames       of a clip
    batch_size   clips of each of 8 processes
    """

    steps: int
    drop: int
    reach: int
    augment: MultiScale
    frames: int = 2
    batch_size: int = 1


CLIPS: dict[str, ClipTraining] = {
    "ytvis19": ClipTraining(steps=8000, drop=6000, reach=5, augment=SMALL),
    "ytvis21": ClipTraining(steps=8000, drop=6000, reach=5, augment=SMALL),
    "ovis": ClipTraining(steps=18000, drop=12000, reach=10, augment=LARGE),
    "lvvis": ClipTraining(steps=8000, drop=6000, reach=5, augment=SMALL),
    "burst": ClipTraining(
        steps=8000,
        drop=6000,
        reach=12,
        augment=replace(SMALL, longest=768),
        frames=4,
        batch_size=2,
    ),
}
"""Of each data set. That of BURST was released, but could not be run."""


def video(size: Size, dataset: str) -> Recipe:
    """Tune to one data set of clips, one of `CLIPS`, with CLIP frozen and no marks."""
    own = CLIPS[dataset]
    share = Share(
        name=dataset,
        datasets=(dataset,),
        ratio=1.0,
        batch_size=own.batch_size,
        frames=FrameChoice(count=own.frames, reach=own.reach),
    )
    schedule = ScheduleConfig(steps=own.steps, drops=(own.drop,))
    return _recipe(size, schedule, (share,), own.augment)


def vos(size: Size) -> Recipe:
    """Follow objects by their mask in the first frame (section 4.2, "Video object segmentation").

    The shares of the data sets were not published; they are equal here.
    """
    names = ("youtube-vos", "ytvis19", "ytvis21", "ovis", "uvo-videos")
    shares = tuple(
        Share(
            name=name,
            datasets=(name,),
            ratio=1.0,
            batch_size=1,
            frames=FrameChoice(count=2, reach=5),
            marks=MARKED,
        )
        for name in names
    )
    return _recipe(size, ScheduleConfig(steps=40_000), shares, LARGE)


def _recipe(
    size: Size, schedule: ScheduleConfig, shares: tuple[Share, ...], augment: Augmentation
) -> Recipe:
    optimizer = OptimizerConfig(text=0.0)
    if size == "pro":
        optimizer = replace(optimizer, weight_decay=0.1, backbone=1.0, layer_decay=0.8)
        augment = ScaleJitter()
    return Recipe(
        model=model_of(size),
        config=TrainConfig(
            schedule=schedule,
            optimizer=optimizer,
            precision="float16",
            activation_checkpointing=size == "pro",
            picture_every=500,
        ),
        open=partial(open_shares, shares, augment),
        start=f"GLEE-{size.capitalize()} trained jointly: `glee convert GLEE_"
        f"{size.capitalize()}_joint.pth START.safetensors`, or what {size}-stage2 gave",
    )
