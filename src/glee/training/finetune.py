"""Tuning a trained network to a folder of annotated images, judged before and after."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from glee.config import GleeConfig, ResizeConfig
from glee.data.feed import TrainSource
from glee.data.left_out import only_usable, require_sound
from glee.data.mixture import Source
from glee.data.readers.folder import WHOLE, read_folder
from glee.data.schema import Samples, Subset
from glee.data.transforms import Augmentation, MultiScale, ScaleJitter
from glee.data.without import WithoutNames
from glee.files import require_folder
from glee.inference.devices import require_device
from glee.model.glee import GLEE
from glee.training.best import best_evaluation
from glee.training.checkpoint import fingerprint
from glee.training.config import (
    CriterionConfig,
    DenoisingConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainConfig,
)
from glee.training.loop import train
from glee.training.lora import add_low_rank
from glee.training.nano import nano_config
from glee.training.run import BEST_BY, Judge, Run

Mode = Literal["head", "lora", "full"]

RATES: dict[Mode, float] = {"head": 1e-3, "lora": 5e-4, "full": 1e-4}

EPOCHS, FEWEST, MOST = 20, 200, 5000
"""How often all images are seen, and limits of the number of steps, unless steps are given."""

DENSE = replace(nano_config(steps=1).criterion, cell_distillation=0.0)
"""Losses of networks whose cells say what they are: nano's, without its teacher."""

LOST = 0.01
"""A fall of an AP of which a user should know."""

JUDGEMENTS = 10
"""How often a network is judged on the way, to keep the best one."""

TOLERANCE = ("bad_share", "fail_fast")
"""Options that may change when a tuning goes on."""

LARGEST_CROP, SMALLEST_CROP = 0.75, 0.48
"""Sides of crops, in shares of the shortest edge that the network sees: 600 and 384 of 800."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneConfig:
    """How a network is tuned.

    mode        what learns: the heads only; low-rank changes and the heads; or everything
    steps       None for as many as suit the number of images
    rate        of learning; None for that of the mode
    batch_size  images of a step
    hold_out    names that are left out of the training, to see what becomes of names that are
                not trained on
    judged      share of the images that are judged on, if the folder is not split
    rank        of low-rank changes
    bad_share   the largest share of bad entries of the annotation, and of bad images
    fail_fast   stop at the first bad one
    """

    mode: Mode = "lora"
    steps: int | None = None
    rate: float | None = None
    batch_size: int = 4
    hold_out: tuple[str, ...] = ()
    judged: float = 0.2
    rank: int = 8
    seed: int = 0
    bad_share: float = 0.05
    fail_fast: bool = False

    def __post_init__(self) -> None:
        if self.mode not in RATES:
            raise ValueError(f"mode must be head, lora or full, got {self.mode!r}")
        if min(self.batch_size, self.rank) < 1:
            raise ValueError(
                f"batch_size ({self.batch_size}) and rank ({self.rank}) must be at least 1"
            )
        if not 0 < self.judged < 1 or not 0 <= self.bad_share <= 1:
            raise ValueError(
                f"judged ({self.judged}) and bad_share ({self.bad_share}) must lie within 0..1"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finetuned:
    """What came of it.

    model            the tuned network, in evaluation mode
    before, after    numbers on the images judged, for the names trained on
    step             after which the network was the best on the images judged, of the steps taken:
                     this one is kept; 0 if that was the network as it was
    steps            of the whole tuning
    held_out_before, held_out_after  the same for the names left out; empty if there are none
    images           how many were trained on and judged on
    warnings         what the user should know
    """

    model: GLEE
    before: Mapping[str, float]
    after: Mapping[str, float]
    step: int
    steps: int
    held_out_before: Mapping[str, float] = field(default_factory=dict)
    held_out_after: Mapping[str, float] = field(default_factory=dict)
    images: tuple[int, int]
    warnings: tuple[str, ...]


def finetune(
    model: GLEE, folder: Path, out: Path, judge: Judge, config: FinetuneConfig, *, device: str
) -> Finetuned:
    """Tune a network to a folder in COCO's, YOLO's or Pascal VOC's format.

    model   as `load_network` returns it; it is changed
    folder  split into train and val, or else split here
    out     folder for checkpoints, logs and `model.safetensors`, which `glee.load` reads

    The network is judged on the way, and the one with the highest AP of boxes comes out: that of
    the start, if no step has done it good. Images that cannot be used are left out, and named in
    the warnings. It goes on after an interruption, like any training. Raises ValueError for a
    folder or an option that does not make sense, and what `train` raises.
    """
    place = require_device(device)
    require_folder(out)
    learned, judged = split_folder(
        folder, share=config.judged, seed=config.seed, fail_fast=config.fail_fast
    )
    judged, faults = _sound(learned, judged, config)
    held_out = frozenset(config.hold_out)
    visible = WithoutNames(learned, held_out)
    names = tuple(dict.fromkeys(visible.names[n] for n in range(len(visible.names))))
    if not names:
        raise ValueError("hold_out has all names of the folder; leave some to be trained on")
    rest = tuple(sorted(held_out))
    model.drop_glances()
    learning = tuning_config(config, len(learned), model.config)
    description = describe(config, folder, images=len(learned), model=model)
    model = model.to(place)
    before, held_before = judge(model, judged, names), judge(model, judged, rest) if rest else {}
    _choose_what_learns(model, config)
    run = Run(
        model=model,
        sources=[_source(visible, model.config.resize, config.batch_size)],
        config=learning,
        folder=out,
        describe=description,
        evaluate=lambda now: judge(now, judged, names),
        best_by=BEST_BY,
        at_start=before,
        device=place,
        bad_share=config.bad_share,
        fail_fast=config.fail_fast,
    )
    tuned = train(run)
    step, after = best_evaluation(out, BEST_BY)
    held_after = judge(tuned, judged, rest) if rest else {}
    return Finetuned(
        model=tuned,
        before=before,
        after=after,
        step=step,
        steps=learning.schedule.steps,
        held_out_before=held_before,
        held_out_after=held_after,
        images=(len(learned), len(judged)),
        warnings=(*faults, *_warnings(step, before, after, held_before, held_after)),
    )


def split_folder(
    folder: Path, *, share: float, seed: int, fail_fast: bool = False
) -> tuple[Samples, Samples]:
    """Return the images to learn from and those to judge on; the same for the same seed.

    share      0..1, of the images to judge on if the folder has none set apart
    fail_fast  raise ValueError at the first bad entry

    Raises ValueError for fewer than two images, or a folder without any to learn from.
    """
    splits = read_folder(folder, fail_fast=fail_fast)
    learned: Samples | None = splits.get("train", splits.get(WHOLE))
    if learned is None:
        raise ValueError(f"{str(folder)!r} has {', '.join(splits)}, but no images to train on")
    judged = splits.get("val", splits.get("test") if "train" in splits else None)
    if judged is not None:
        return learned, judged
    if len(learned) < len(("train", "val")):
        raise ValueError(f"{str(folder)!r} has {len(learned)} images; at least 2 are needed")
    order = torch.randperm(len(learned), generator=torch.Generator().manual_seed(seed)).tolist()
    count = min(max(1, round(share * len(learned))), len(learned) - 1)
    return Subset(learned, sorted(order[count:])), Subset(learned, sorted(order[:count]))


def _sound(learned: Samples, judged: Samples, config: FinetuneConfig) -> tuple[Samples, list[str]]:
    """Return the images that can be judged on, and what is wrong with the data, in words.

    Raises ValueError if that is too much.
    """
    check = partial(require_sound, most=config.bad_share, fail_fast=config.fail_fast)
    first, second = check(learned, "images to train on"), check(judged, "images to judge on")
    usable, unusable = only_usable(judged, fail_fast=config.fail_fast)
    seen = _images(usable) & _images(learned)
    unusable.total += len(learned)  # a share of all images; these are opened in training
    unusable.require_share(config.bad_share)
    # The parts of a folder that is split here have one report.
    reports = (first, unusable) if first is second else (first, second, unusable)
    warnings = [str(report) for report in reports if report.counts]
    if seen:
        warnings.append(
            f"{len(seen)} of {len(usable)} images to judge on are trained on, too, such as "
            f"{min(seen)}: what is measured on them means little"
        )
    return usable, warnings


def _images(samples: Samples) -> set[Path]:
    """Return the files of all images that have one."""
    images = (samples[row].frames[0].image for row in range(len(samples)))
    return {image for image in images if isinstance(image, Path)}


def tuning_config(config: FinetuneConfig, num_images: int, network: GleeConfig) -> TrainConfig:
    """Return how a network learns when it is tuned to so many images.

    It learns by the losses that it was trained by: a network whose cells say what they are would
    unlearn it by those of the released ones. Their noised objects begin from texts, and one cell
    of each object only is taught its name, while its neighbours are taught to deny it.
    """
    steps = config.steps
    if steps is None:
        steps = min(max(FEWEST, EPOCHS * num_images // config.batch_size), MOST)
    encoders = 0.1 if config.mode == "full" else 0.0
    return TrainConfig(
        schedule=ScheduleConfig(steps=steps, warmup=min(50, steps // 10), shape="cosine"),
        optimizer=OptimizerConfig(
            rate=RATES[config.mode] if config.rate is None else config.rate,
            backbone=encoders,
            text=encoders,
            decay_vectors=False,
            clip_norm=0.1,
        ),
        criterion=DENSE if network.object_decoder.cell_reach else CriterionConfig(),
        denoising=None if network.object_decoder.cell_reach else DenoisingConfig(),
        seed=config.seed,
        save_every=100,
        validate_every=max(1, steps // JUDGEMENTS),
        picture_every=max(1, steps // 5),
    )


def describe(config: FinetuneConfig, folder: Path, *, images: int, model: GLEE) -> str:
    """Return what makes a tuning what it is, as JSON; not how much bad data is put up with."""
    options = {n: value for n, value in asdict(config).items() if n not in TOLERANCE}
    whole = {
        **options,
        "folder": folder.name,
        "images": images,
        "model": fingerprint(model.state_dict()),
    }
    return json.dumps(whole)


def _choose_what_learns(model: GLEE, config: FinetuneConfig) -> None:
    match config.mode:
        case "head":
            model.requires_grad_(False)
            model.heads.requires_grad_(True)
        case "lora":
            torch.manual_seed(config.seed)
            add_low_rank(model, rank=config.rank)
        case "full":
            pass


def _source(samples: Samples, resize: ResizeConfig, batch_size: int) -> TrainSource:
    return TrainSource(
        name="own data",
        samples=samples,
        mix=Source(num_samples=len(samples), ratio=1.0, batch_size=batch_size),
        augment=augmentation(resize),
    )


def augmentation(resize: ResizeConfig) -> Augmentation:
    """Return how images change, about as in the recipes, for the size that a network sees."""
    if resize.square:
        return ScaleJitter(side=resize.longest)
    shares = (0.6, 0.7, 0.8, 0.9, 1.0)
    largest, smallest = (round(s * resize.shortest) for s in (LARGEST_CROP, SMALLEST_CROP))
    return MultiScale(
        shortest=tuple(round(share * resize.shortest) for share in shares),
        longest=resize.longest,
        crop_shortest=(resize.shortest // 2, 5 * resize.shortest // 8, largest),
        crop_sides=(smallest, largest),
    )


def _warnings(
    step: int,
    before: Mapping[str, float],
    after: Mapping[str, float],
    held_before: Mapping[str, float],
    held_after: Mapping[str, float],
) -> list[str]:
    """Say where tuning has done harm."""
    found = []
    if not step:
        found.append(
            f"no step of the tuning raised {BEST_BY}, and the weights are those it began with; "
            "lower the rate, or give more images"
        )
    for name, value in held_before.items():
        if value - held_after[name] > LOST:
            found.append(
                f"{name} of names not trained on fell from {value:.3f} to {held_after[name]:.3f}; "
                "fewer steps or mode head keep more of what the network knew"
            )
    for name, value in before.items():
        if value - after[name] > LOST:
            found.append(f"{name} fell from {value:.3f} to {after[name]:.3f}; lower the rate")
    return found
