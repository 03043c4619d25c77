"""The recipe of GLEE-Nano: what it learns from, and how."""

from dataclasses import replace
from pathlib import Path

from glee.config import PairConfig, nano
from glee.data.corpus.packs import PACKS, MissingPackError, check_packs
from glee.data.corpus.photos import read_masks, read_people
from glee.data.corpus.sources import open_source
from glee.data.feed import TrainSource
from glee.data.loading import FrameChoice
from glee.data.mixture import Source
from glee.data.readers.pseudo_labels import read_pseudo_labels
from glee.data.schema import Samples
from glee.data.transforms import MultiScale
from glee.data.visual_prompts import MarkConfig
from glee.training.cell_distillation import DenseTeacher
from glee.training.config import (
    CriterionConfig,
    MaskPointsConfig,
    MatcherConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainConfig,
)
from glee.training.nanodet import COCO_NAMES, NanoDetOnPyramid, load_teacher
from glee.training.recipe import Recipe

CELLS_START = "the published encoders, as tools/make_nano_start.py joins them"
NANO_START = "what the recipe nano-cells has taught"

PHOTO = MultiScale(
    shortest=(192, 224, 256, 288, 320),
    longest=384,
    crop=0.5,
    crop_shortest=(288, 352, 416),
    crop_sides=(224, 352),
)
COMPOSED = MultiScale(shortest=(192, 224, 256, 288), longest=352, crop=0.2, crop_sides=(192, 320))
WHOLE = replace(COMPOSED, crop=0.0)

MARKS = MarkConfig(chance=0.5, mask=0.3, point=0.35, box=0.25, scribble=0.1, box_jitter=0.08)

LABELS = "pseudo_labels.json"
"""File with a detector's boxes in the data root."""

TEACHER = Path("pretrained", "nanodet", "weights.safetensors")

LEAST_SCORE = 0.35
"""Of a detector's boxes; of those of NanoDet-g .6 are right from there on, see
docs/pseudo_labels.md."""


def nano_sources(root: Path, labels: Path, *, seed: int = 0) -> list[TrainSource]:
    """Return what GLEE-Nano learns from.

    root    the folder with the packs, see docs/corpus.md
    labels  the photos of people with a detector's boxes, see tools/make_pseudo_labels.py

    Raises MissingPackError for what is missing.
    """
    images = root / "coco_photos" / "images"
    return [
        _source("photos", read_masks(root), 2.5, PHOTO, marks=MARKS, num_names=80),
        _source(
            "labelled photos",
            read_pseudo_labels(labels, images, least_score=LEAST_SCORE),
            1.5,
            PHOTO,
            num_names=60,
            marks=replace(MARKS, chance=0.2),
        ),
        _source("people", read_people(root), 0.3, PHOTO, num_names=1),
        _source("scenes", open_source("scenes", root, seed=seed), 3.0, COMPOSED, marks=MARKS),
        _source("expressions", open_source("expressions", root, seed=seed), 3.0, WHOLE),
        _source("phrases", open_source("phrases", root, seed=seed), 4.0, WHOLE, num_names=24),
        _source("photo expressions", open_source("photo-expressions", root), 0.7, PHOTO),
        _source(
            "clips",
            open_source("clips", root, seed=seed),
            1.2,
            WHOLE,
            batch_size=2,
            frames=FrameChoice(count=2, reach=4),
            marks=replace(MARKS, chance=0.5),
        ),
    ]


def nano_cell_sources(root: Path, labels: Path, *, seed: int = 0) -> list[TrainSource]:
    """Return what the cells of GLEE-Nano learn from, before anything reads a prompt.

    See `nano_sources`.
    """
    images = root / "coco_photos" / "images"
    labelled = read_pseudo_labels(labels, images, least_score=LEAST_SCORE)
    scenes = open_source("scenes", root, seed=seed)
    return [
        _source("photos", read_masks(root), 1.0, PHOTO, batch_size=6, num_names=80),
        _source("labelled photos", labelled, 2.0, PHOTO, batch_size=6, num_names=60),
        _source("people", read_people(root), 1.0, PHOTO, batch_size=6, num_names=1),
        _source("scenes", scenes, 3.0, COMPOSED, batch_size=6, num_names=60),
    ]


def nano_cell_config(*, steps: int, rate: float = 1e-3) -> TrainConfig:
    """Return how the cells learn."""
    return TrainConfig(
        schedule=ScheduleConfig(steps=steps, warmup=100, shape="cosine", least=0.02),
        optimizer=OptimizerConfig(
            rate=rate, backbone=0.0, text=0.0, decay_vectors=False, clip_norm=1.0
        ),
        criterion=CriterionConfig(cells_per_object=5, cell_distillation=2.0),
        denoising=None,
        cells_only=True,
        ema=0.998,
        save_every=100,
        log_every=20,
    )


def nano_config(*, steps: int, rate: float = 5e-4) -> TrainConfig:
    """Return how GLEE-Nano learns: its encoders stay as they were published."""
    return TrainConfig(
        schedule=ScheduleConfig(steps=steps, warmup=100, shape="cosine", least=0.02),
        optimizer=OptimizerConfig(
            rate=rate, backbone=0.0, text=0.0, cells=0.5, decay_vectors=False, clip_norm=0.1
        ),
        criterion=CriterionConfig(
            matcher=MatcherConfig(num_points=1024),
            mask_points=MaskPointsConfig(num_points=2048),
            proposal_confidence=True,
            confidence_per_object=True,
            initial_queries=False,
            cells_per_object=5,
            cell_distillation=2.5,
        ),
        denoising=None,
        ema=0.998,
        save_every=100,
        log_every=20,
    )


def nano_cell_recipe(*, steps: int = 600) -> Recipe:
    """Return the first stage of GLEE-Nano: each cell says what is there and how far it reaches."""
    return Recipe(
        model=replace(nano(), glances=None),
        config=nano_cell_config(steps=steps),
        open=lambda root: nano_cell_sources(complete(root), root / LABELS),
        start=CELLS_START,
        teach=nano_teacher,
    )


def nano_recipe(*, steps: int = 20_000) -> Recipe:
    """Return the second stage of GLEE-Nano: all of it, every loss but that of noised objects.

    The data root also holds the detector's boxes. Noised objects are left out: their queries start
    from texts, all others from cells, which say much from the beginning and would be unlearned.
    """
    return Recipe(
        model=replace(nano(), glances=None),
        config=nano_config(steps=steps),
        open=lambda root: nano_sources(complete(root), root / LABELS),
        start=NANO_START,
        teach=nano_teacher,
    )


def complete(root: Path) -> Path:
    """Return a data root that has all files of the recipes.

    Raises FileNotFoundError that names all that are missing, and where they come from.
    """
    lacking = []
    try:
        check_packs(root, tuple(PACKS))
    except MissingPackError as error:
        lacking.append(str(error))
    for path, origin in (
        (LABELS, "tools/make_pseudo_labels.py makes it, see docs/pseudo_labels.md"),
        (TEACHER, "NanoDet-g as published (Apache-2.0, github.com/RangiLyu/nanodet)"),
    ):
        if not (root / path).is_file():
            lacking.append(f"{root / path} is missing: {origin}")
    if lacking:
        raise FileNotFoundError("\n".join(lacking))
    return root


def nano_teacher(root: Path) -> DenseTeacher:
    """Return NanoDet-g, whose encoder is part of nano's: its last layer on that encoder.

    Raises FileNotFoundError without its weights.
    """
    pair = PairConfig()
    starts = tuple(width + pair.places.neck_width for width in pair.words.out_widths[1:])
    head = load_teacher(root / TEACHER).head
    return DenseTeacher(NanoDetOnPyramid(head, starts), COCO_NAMES)


def _source(  # noqa: PLR0913 - a table, a row for each
    name: str,
    samples: Samples,
    ratio: float,
    augment: MultiScale,
    *,
    batch_size: int = 4,
    num_names: int = 40,
    frames: FrameChoice | None = None,
    marks: MarkConfig | None = None,
) -> TrainSource:
    mix = Source(num_samples=len(samples), ratio=ratio, batch_size=batch_size)
    return TrainSource(
        name=name,
        samples=samples,
        mix=mix,
        augment=augment,
        num_names=num_names,
        frames=frames,
        marks=marks,
    )
