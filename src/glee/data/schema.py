"""Sample, an annotated image or clip, and Supervision, what its annotation covers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from glee.ops.masks import Rle, decode_rle

ImageSource = Path | bytes | NDArray[np.uint8]
"""An image file, the content of one, or RGB pixels [H, W, 3] in 0..255."""

_T_co = TypeVar("_T_co", covariant=True)


class RandomAccess(Protocol[_T_co]):
    """Something with a length whose entries are made when they are asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> _T_co: ...


class BadSampleError(ValueError):
    """A sample that cannot be used, found out when it was opened; training takes another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervision:
    """What the annotation of one sample covers; what can be learned follows from it alone.

    boxes         False where boxes are too rough to learn their places from
    masks         True where every object has a mask
    exhaustive    names of which every object is annotated; None if that holds, or is assumed, for
                  any name that a prompt may ask for
    absent        names of which the image was verified to show nothing
    partial       names of which only some objects are annotated, whatever `exhaustive` says
    machine_made  True where a model has made the annotation
    """

    boxes: bool = True
    masks: bool = False
    exhaustive: frozenset[str] | None = None
    absent: frozenset[str] = frozenset()
    partial: frozenset[str] = frozenset()
    machine_made: bool = False

    def teaches_absence(self, name: str) -> bool:
        """Return whether what is not annotated with this name is known not to be it."""
        if name in self.absent:
            return True
        return name not in self.partial and (self.exhaustive is None or name in self.exhaustive)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Frame:
    """One annotated image, or one frame of an annotated clip.

    image      where the pixels are, upright; not read yet
    size       (height, width) in pixels
    boxes      [N, 4] float32, xyxy in pixels, right and bottom exclusive, inside the image
    names      N names or phrases, one for each object
    masks      N run-length codes of this size, not decoded yet; None if there are no masks
    track_ids  N numbers, the same for the same object in every frame; None outside clips

    Raises ValueError if these disagree in length or form.
    """

    image: ImageSource
    size: tuple[int, int]
    boxes: NDArray[np.float32]
    names: tuple[str, ...]
    masks: tuple[Rle, ...] | None = None
    track_ids: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.boxes.shape != (len(self.names), 4):
            raise ValueError(
                f"boxes must be [N, 4] xyxy with a row for each of {len(self.names)} names, got "
                f"{list(self.boxes.shape)}"
            )
        for name in ("masks", "track_ids"):
            value = getattr(self, name)
            if value is not None and len(value) != len(self):
                raise ValueError(f"{name} has {len(value)} entries for {len(self)} names")

    def __len__(self) -> int:
        return len(self.names)

    def decode_masks(self) -> Tensor | None:
        """Return the masks [N, H, W] bool, None if there are none.

        Raises BadSampleError for a code that does not fit the size of the image.
        """
        if self.masks is None:
            return None
        try:
            return decode_rle(self.masks, self.size)
        except ValueError as error:
            raise BadSampleError(f"mask in {describe_source(self.image)}: {error}") from error


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Sample:
    """An annotated image, or an annotated clip.

    key          names the sample in reports, such as by its file
    frames       one for an image, more for a clip; those of clips are made when asked for
    expressions  what describes the objects, all of them by each of these; empty where names say
                 what the objects are. Expressions without objects describe nothing in the image
    supervision  what the annotation covers
    """

    key: str
    frames: RandomAccess[Frame]
    expressions: tuple[str, ...] = ()
    supervision: Supervision = field(default_factory=Supervision)

    def __post_init__(self) -> None:
        if not len(self.frames):
            raise ValueError(f"sample {self.key!r} has no frames; give at least one")


class Samples(Protocol):
    """The samples of one source: their number, any one of them, and the names they may show.

    names  what negatives of a prompt are drawn from; phrases of an open vocabulary may repeat
    """

    @property
    def names(self) -> RandomAccess[str]: ...  # noqa: D102 - described above

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Sample: ...


@dataclass(frozen=True, slots=True, eq=False)
class Subset:
    """Some of the samples of a source, such as its first thousands.

    samples  where from
    rows     which, in the order wanted
    """

    samples: Samples
    rows: Sequence[int] | NDArray[np.int64]

    @property
    def names(self) -> RandomAccess[str]:
        """The names of the whole source."""
        return self.samples.names

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[int(self.rows[index])]


def describe_source(image: ImageSource) -> str:
    """Return how messages name an image."""
    match image:
        case Path():
            return repr(str(image))
        case bytes():
            return f"an image of {len(image)} bytes"
    return f"an image of {image.shape[0]}x{image.shape[1]} pixels"
