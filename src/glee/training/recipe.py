"""Recipe: the sizes of a network, what it learns from, and how."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from glee.config import GleeConfig, lite, plus, pro
from glee.data.catalog import read_listed, require_files
from glee.data.feed import TrainSource
from glee.data.joined import Joined
from glee.data.loading import FrameChoice
from glee.data.mixture import Source
from glee.data.readers.index import ImageIndex
from glee.data.readers.videos import VideoIndex
from glee.data.schema import Samples
from glee.data.transforms import Augmentation, MultiScale, ScaleJitter
from glee.data.visual_prompts import MarkConfig
from glee.training.cell_distillation import DenseTeacher
from glee.training.config import TrainConfig

Size = Literal["lite", "plus", "pro"]

SIZES: tuple[Size, ...] = ("lite", "plus", "pro")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A whole training.

    model   sizes of the network
    config  how it learns
    open    gives what it learns from, for the folder of all data sets; raises FileNotFoundError
            that names what is missing, and where it comes from
    start   in words, the weights to begin with
    teach   gives a detector that teaches all cells, for the same folder; None for none
    judged  gives what the network is judged on while it learns, for the same folder, so that the
            best one is kept; None to keep the last
    """

    model: GleeConfig
    config: TrainConfig
    open: Callable[[Path], list[TrainSource]]
    start: str
    teach: Callable[[Path], DenseTeacher] | None = None
    judged: Callable[[Path], Samples] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Data sets of the catalog that count as one source.

    name        for logs
    datasets    names in the catalog, see glee.data.catalog
    ratio       its share of all samples drawn, relative to the others
    num_names   names of a prompt
    batch_size  samples of a batch
    stills      whether the frames of clips are images of their own
    frames      which frames of clips are trained on together; None for images
    marks       how objects are marked; None for never
    """

    name: str
    datasets: tuple[str, ...]
    ratio: float
    num_names: int = 100
    batch_size: int = 2
    stills: bool = False
    frames: FrameChoice | None = None
    marks: MarkConfig | None = None


def model_of(size: Size) -> GleeConfig:
    """Return the sizes of a released network."""
    match size:
        case "lite":
            return lite()
        case "plus":
            return plus()
        case "pro":
            return pro()


def augment_of(size: Size) -> Augmentation:
    """Return how images change for a released network: Pro's canvas is a square."""
    return ScaleJitter() if size == "pro" else MultiScale()


def open_shares(shares: Sequence[Share], augment: Augmentation, root: Path) -> list[TrainSource]:
    """Open the data sets of a recipe.

    Raises FileNotFoundError that names every file that is missing, of all data sets.
    """
    require_files(root, [(name, "train") for share in shares for name in share.datasets])
    return [_open(share, augment, root) for share in shares]


def _open(share: Share, augment: Augmentation, root: Path) -> TrainSource:
    parts = [_as_wanted(read_listed(name, root), share) for name in share.datasets]
    samples: Samples = parts[0] if len(parts) == 1 else Joined(tuple(parts))
    mix = Source(num_samples=len(samples), ratio=share.ratio, batch_size=share.batch_size)
    if isinstance(samples, ImageIndex | VideoIndex):
        mix = replace(mix, groups=samples.portrait())
    return TrainSource(
        name=share.name,
        samples=samples,
        mix=mix,
        augment=augment,
        num_names=share.num_names,
        frames=share.frames,
        marks=share.marks,
    )


def _as_wanted(samples: Samples, share: Share) -> Samples:
    """Return clips, or their frames as images."""
    return samples.frames if share.stills and isinstance(samples, VideoIndex) else samples
