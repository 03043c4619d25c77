"""Batches ready for the network, made by worker processes and numbered, so that runs resume."""

import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from glee.config import ResizeConfig
from glee.data.collate import Batch, collate
from glee.data.loading import FrameChoice, open_batch
from glee.data.mixture import Mixture, Source
from glee.data.schema import Samples
from glee.data.transforms import Augmentation
from glee.data.visual_prompts import MarkConfig, mark_objects
from glee.data.vocabulary import choose_names


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainSource:
    """One source of samples, and how it is trained on.

    name       for logs and reports
    samples    what is in it
    mix        how many samples there are, their share and batch size
    augment    how images are changed
    num_names  names of a prompt; those that the images do not show are drawn at random
    frames     which frames of clips; the first frame of each sample if None
    marks      how, and how often, one object of each image is marked; None for never
    """

    name: str
    samples: Samples
    mix: Source
    augment: Augmentation
    num_names: int = 100
    frames: FrameChoice | None = None
    marks: MarkConfig | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """A batch as a worker process hands it over.

    number  counted over all steps and processes
    source  row of its source
    batch   images, prompt and truth
    seed    for everything else that is random about this batch
    faults  samples that could not be used, in whose place others were taken
    """

    number: int
    source: int
    batch: Batch
    seed: int
    faults: tuple[str, ...]


class Feed(Dataset[Prepared]):
    """Makes the batch of each number; the same number gives the same batch, in any process.

    resize     how the network pads images
    normalise  turns pixels [3, H, W] float in 0..255 into those that the network reads
    fail_fast  raise BadSampleError instead of taking another sample
    """

    def __init__(
        self,
        sources: Sequence[TrainSource],
        resize: ResizeConfig,
        normalise: Callable[[Tensor], Tensor],
        *,
        seed: int,
        fail_fast: bool = False,
    ) -> None:
        self.sources, self.resize, self.normalise = tuple(sources), resize, normalise
        self.mixture = Mixture([source.mix for source in sources], seed=seed)
        self.fail_fast = fail_fast

    def __getitem__(self, number: int) -> Prepared:
        """Return a batch by its number."""
        draw = self.mixture.draw(number)
        source = self.sources[draw.source]
        opened = open_batch(
            source.samples, draw, source.augment, frames=source.frames, fail_fast=self.fail_fast
        )
        generator = torch.Generator().manual_seed(draw.seed + 1)
        scenes = [scene for clip in opened.clips for scene in clip]
        names: tuple[str, ...] = ()
        if scenes[0].expression is None:
            names = choose_names(scenes, source.samples.names, source.num_names, generator)
        batch = collate(opened.clips, names, self.resize, self.normalise)
        if source.marks is not None:
            batch = mark_objects(batch, source.marks, generator)
        return Prepared(
            number=number,
            source=draw.source,
            batch=batch,
            seed=draw.seed,
            faults=opened.faults,
        )


def iterate(
    feed: Feed, *, rank: int, num_ranks: int, start: int, workers: int
) -> Generator[Prepared, None, None]:
    """Yield the batches of one process, for ever; worker processes end when it is closed.

    rank       number of the process, and how many there are; they take turns
    start      batches of this process that were done before an interruption
    workers    processes that prepare batches ahead; 0 prepares each when it is asked for
    """
    loader = DataLoader(
        feed,
        batch_size=None,
        sampler=_Numbers(start * num_ranks + rank, num_ranks),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        persistent_workers=workers > 0,
        in_order=True,
        worker_init_fn=_leave_signals,
    )
    yield from loader


def _leave_signals(_worker: int) -> None:
    """Let a worker process end by its parent's word only, which may want to finish a step.

    A terminal sends Ctrl-C, and a service manager SIGTERM, to all processes of a run. A worker
    whose parent was killed notices by itself.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


class _Numbers:
    """Numbers of batches, from a first one on in equal steps, without an end."""

    def __init__(self, first: int, step: int) -> None:
        self.first, self.step = first, step

    def __iter__(self) -> Iterator[int]:
        number = self.first
        while True:
            yield number
            number += self.step
