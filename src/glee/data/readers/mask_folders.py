"""Clips whose masks are index pictures, one beside each frame: the ways of DAVIS and MOSE."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glee.data.schema import BadSampleError, Frame, Sample, Supervision
from glee.data.segmentation import index_to_masks, masks_to_boxes

OBJECT = "object"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clip:
    """One clip, or one object of it.

    name         of its folder
    objects      the name of each object by its number in the pictures; None if all numbers count
                 and are called "object"
    expressions  what describes the objects
    """

    name: str
    objects: Mapping[int, str] | None = None
    expressions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaskFolders:
    """The annotated clips of one source; pictures are opened when a frame is asked for.

    images       the folder that holds a folder of JPEG files for each clip
    annotations  the folder that holds a folder of PNG files for each clip; only the frames that
                 have one are frames of the samples
    clips        which
    names        the names that objects may have
    """

    images: Path
    annotations: Path
    clips: Sequence[Clip]
    names: tuple[str, ...] = (OBJECT,)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> Sample:
        clip = self.clips[index]
        folder = self.annotations / clip.name
        try:
            stems = sorted(path.stem for path in folder.iterdir() if path.suffix == ".png")
        except OSError as error:
            raise BadSampleError(f"folder of masks {str(folder)!r} not found") from error
        if not stems:
            raise BadSampleError(f"folder of masks {str(folder)!r} holds no PNG files")
        return Sample(
            key=str(self.images / clip.name),
            frames=MaskFrames(self.images / clip.name, folder, stems, clip.objects),
            expressions=clip.expressions,
            # Other objects of the same kind may be there without a mask.
            supervision=Supervision(masks=True, exhaustive=frozenset()),
        )


@dataclass(frozen=True, slots=True, eq=False)
class MaskFrames:
    """The frames of one clip.

    images       the folder of JPEG files
    annotations  the folder of PNG files
    stems        their names without ending
    objects      the name of each object by its number; None if all numbers count
    """

    images: Path
    annotations: Path
    stems: Sequence[str]
    objects: Mapping[int, str] | None

    def __len__(self) -> int:
        return len(self.stems)

    def __getitem__(self, index: int) -> Frame:
        stem = self.stems[index]
        picture = read_index_picture(self.annotations / f"{stem}.png")
        seen = [number for number in np.unique(picture).tolist() if number]
        if self.objects is not None:
            seen = [number for number in seen if number in self.objects]
        masks = index_to_masks(picture, seen)
        return Frame(
            image=self.images / f"{stem}.jpg",
            size=(picture.shape[0], picture.shape[1]),
            boxes=masks_to_boxes(masks),
            names=tuple(self.objects[number] if self.objects else OBJECT for number in seen),
            masks=masks,
            track_ids=tuple(seen),
        )


def read_index_picture(path: Path) -> NDArray[np.uint8]:
    """Return the number of the object at each pixel, [H, W]; 0 is background.

    Raises BadSampleError for a file that is missing, damaged, or in colour.
    """
    try:
        with Image.open(path) as image:
            picture = np.array(image)
    except (OSError, SyntaxError) as error:
        raise BadSampleError(f"mask file {str(path)!r} cannot be read: {error}") from error
    if picture.ndim != len("HW") or picture.dtype not in (np.uint8, np.bool_):
        raise BadSampleError(f"mask file {str(path)!r} must hold one byte a pixel")
    return picture.astype(np.uint8)
