"""The three stages of the paper: boxes, then all kinds of annotation, then machine-made ones.

GLEE (arXiv:2312.09158, section 4.1 and Table 7), in the numbers of the released configurations
where the two differ. Batch sizes are those of one of 64 processes; with fewer, let each step add
up several batches (`accumulate`).
"""

from dataclasses import replace
from functools import partial

from glee.data.loading import FrameChoice
from glee.data.visual_prompts import MarkConfig
from glee.training.config import OptimizerConfig, ScheduleConfig, TrainConfig
from glee.training.recipe import Recipe, Share, Size, augment_of, model_of, open_shares

BASE_START: dict[Size, str] = {
    "lite": "MaskDINO with ResNet-50, and CLIP's text encoder",
    "plus": "MaskDINO with ResNet-50, then Swin-L (22k), and CLIP's text encoder",
    "pro": "MaskDINO with ResNet-50, then EVA-02-L, and CLIP's text encoder",
}

MARKS = MarkConfig()


def stage1(size: Size) -> Recipe:
    """Boxes of many names, with CLIP frozen."""
    steps, drops = 500_000, (400_000,)
    warmup_start = 0.01 if size == "pro" else 1e-4
    schedule = ScheduleConfig(steps=steps, drops=drops, warmup=1000, warmup_start=warmup_start)
    config = _config(size, schedule)
    config = replace(config, optimizer=replace(config.optimizer, text=0.0))
    return _recipe(size, config, stage1_shares(size), BASE_START[size])


def stage2(size: Size) -> Recipe:
    """All kinds of annotation together, with the text encoder near its start."""
    return _recipe(size, _joint_config(size), stage2_shares(size), f"what {size}-stage1 gave")


def stage3(size: Size) -> Recipe:
    """More images, annotated by machines."""
    before = "stage1" if size == "pro" else "stage2"
    return _recipe(size, _joint_config(size), stage3_shares(size), f"what {size}-{before} gave")


def stage1_shares(size: Size) -> tuple[Share, ...]:
    """Return what stage 1 learns from."""
    batch = 1 if size == "pro" else 2
    return (
        Share(name="objects365", datasets=("objects365",), ratio=1.0, batch_size=batch),
        Share(name="openimages", datasets=("openimages",), ratio=1.0, batch_size=batch),
    )


def stage2_shares(size: Size) -> tuple[Share, ...]:
    """Return what stage 2 learns from."""
    genome = 1.0 if size == "pro" else 1.5
    marked = Share(name="sa1b", datasets=("sa1b",), ratio=2.5 if size == "pro" else 2.0)
    shares = (
        Share(name="openimages", datasets=("openimages",), ratio=1.5),
        Share(name="objects365", datasets=("objects365",), ratio=1.5),
        Share(name="lvis", datasets=("lvis",), ratio=1.5),
        Share(name="visual-genome", datasets=("visual-genome",), ratio=genome, num_names=200),
        Share(
            name="visual-genome-regions",
            datasets=("visual-genome-regions",),
            ratio=genome,
            num_names=200,
        ),
        Share(name="coco", datasets=("coco",), ratio=1.5, marks=MARKS),
        Share(name="refcoco", datasets=("refcoco", "refcoco+", "refcocog"), ratio=2.5),
        replace(marked, marks=MARKS),
        Share(name="uvo-frames", datasets=("uvo-frames",), ratio=0.2, marks=MARKS),
        Share(name="bdd100k", datasets=("bdd100k",), ratio=0.1),
        Share(name="bdd100k-instances", datasets=("bdd100k-instances",), ratio=0.05),
        *(
            Share(name=name, datasets=(name,), ratio=0.3, stills=True, marks=MARKS)
            for name in ("ytvis19", "ytvis21", "ovis")
        ),
    )
    if size != "pro":
        return shares
    return (*shares, _referring_stills(0.3))


def stage3_shares(size: Size) -> tuple[Share, ...]:
    """Return what stage 3 learns from."""
    ratios = {"sa1b": 5.0, "ref-youtube-vos": 0.2}
    return (
        *(replace(one, ratio=ratios.get(one.name, one.ratio)) for one in stage2_shares(size)),
        Share(name="grit", datasets=("grit",), ratio=5.0),
    )


def _referring_stills(ratio: float) -> Share:
    return Share(
        name="ref-youtube-vos",
        datasets=("ref-youtube-vos",),
        ratio=ratio,
        frames=FrameChoice(count=1),
    )


def _joint_config(size: Size) -> TrainConfig:
    steps, drops = {
        "lite": (400_000, (300_000, 380_000)),
        "plus": (450_000, (360_000, 420_000)),
        "pro": (500_000, (400_000,)),
    }[size]
    warmup = 1000 if size == "pro" else 100
    return _config(size, ScheduleConfig(steps=steps, drops=drops, warmup=warmup))


def _config(size: Size, schedule: ScheduleConfig) -> TrainConfig:
    optimizer = OptimizerConfig()
    if size == "pro":
        optimizer = OptimizerConfig(weight_decay=0.1, backbone=1.0, text=1.0, layer_decay=0.8)
    return TrainConfig(
        schedule=schedule,
        optimizer=optimizer,
        precision="float16",
        activation_checkpointing=size == "pro",
        save_every=1000,
        picture_every=1000,
    )


def _recipe(size: Size, config: TrainConfig, shares: tuple[Share, ...], start: str) -> Recipe:
    return Recipe(
        model=model_of(size),
        config=config,
        open=partial(open_shares, shares, augment_of(size)),
        start=start,
    )
