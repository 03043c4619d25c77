"""ImageIndex: the samples of one annotation file, as columns of numbers instead of objects."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glee.data.readers.columns import Lists, Packed, Texts
from glee.data.report import Report
from glee.data.schema import BadSampleError, Frame, RandomAccess, Sample, Supervision
from glee.data.segmentation import LONGEST_SIDE, unpack_segmentation

Coverage = Literal["listed", "anything", "present"] | frozenset[str]
"""For which names every object is annotated: all names listed in the file; any name one may ask
for; those annotated in the image; or these."""

Rows = NDArray[np.int64]


class Groups:
    """Numbers that belong to rows: which of them, for each row."""

    def __init__(self, rows: Rows, values: Rows, num_rows: int) -> None:
        """Group `values` [N] by `rows` [N], each in 0..num_rows-1, keeping their order."""
        order = np.argsort(rows, kind="stable")
        self._values = values[order].astype(np.int32)
        self._starts = np.searchsorted(rows[order], np.arange(num_rows + 1))

    def __getitem__(self, row: int) -> NDArray[np.int32]:
        return self._values[self._starts[row] : self._starts[row + 1]]

    def counts(self) -> Rows:
        """Return how many values each row has."""
        return np.diff(self._starts)


@dataclass(slots=True, kw_only=True)
class ImageColumns:
    """Images as read; a row for each.

    files       the image files
    sizes       height and width of each, in turn; 0, 0 if not known before the file is opened
    absent      numbers of categories that were verified not to be there
    partial     numbers of categories of which only some objects are annotated
    expressions  rows of `texts`
    """

    files: Texts
    sizes: "array[int]"
    absent: Lists
    partial: Lists
    expressions: Lists
    texts: Texts


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageIndex:
    """The annotated images of one source.

    folder       what the names of image files are relative to
    names        the names or phrases that objects may have; for `labels`
    columns      the images of the file
    images       [I] rows of `columns`, those that are samples
    label_of     [C] a row of `names` for each number of a category in `columns`, -1 for none
    objects      rows of boxes, labels and masks, for each row of `columns`
    partial      rows of `names` of which an object was left out, for each row of `columns`
    boxes        [A, 4] float32, xyxy in pixels, or in 0..1 where the size is not known
    labels       [A] int32
    tracks       [A] int32, the same for the same object in all frames of a clip, 0 elsewhere
    masks        A packed segmentations, b"" where there is none; None if there are none at all
    coverage     for which names every object is annotated
    listed       all names, where those are covered
    supervision  what holds for all samples
    report       what was left out
    """

    folder: Path
    names: RandomAccess[str]
    columns: ImageColumns
    images: Rows
    label_of: NDArray[np.int32]
    objects: Groups
    partial: Groups
    boxes: NDArray[np.float32]
    labels: NDArray[np.int32]
    tracks: NDArray[np.int32]
    masks: Packed | None
    coverage: Coverage
    listed: frozenset[str]
    supervision: Supervision
    report: Report

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Sample:
        row = int(self.images[index])
        frame = self.frame(row)
        return Sample(
            key=str(frame.image),
            frames=(replace(frame, track_ids=None),),
            expressions=self.expressions(row),
            supervision=self.cover([row]),
        )

    def portrait(self) -> NDArray[np.bool_]:
        """Return which samples are higher than wide, [len(self)]; none where sizes are unknown."""
        sizes = np.array(self.columns.sizes, dtype=np.int64).reshape(-1, 2)[self.images]
        tall: NDArray[np.bool_] = sizes[:, 0] > sizes[:, 1]
        return tall

    def frame(self, row: int) -> Frame:
        """Return the annotated image of a row of `columns`."""
        objects = self.objects[row]
        path = self.folder / self.columns.files[row]
        size, boxes = self._place(row, path, self.boxes[objects])
        masks = None
        if self.masks is not None and self._have_masks(objects):
            masks = tuple(unpack_segmentation(self.masks[n], size) for n in objects.tolist())
        return Frame(
            image=path,
            size=size,
            boxes=boxes,
            names=tuple(self.names[label] for label in self.labels[objects].tolist()),
            masks=masks,
            track_ids=tuple(self.tracks[objects].tolist()),
        )

    def expressions(self, row: int) -> tuple[str, ...]:
        """Return the expressions of a row of `columns`."""
        return tuple(self.columns.texts[n] for n in self.columns.expressions[row])

    def cover(self, rows: Sequence[int]) -> Supervision:
        """Return what the annotation of some rows of `columns` covers, taken together."""
        columns, labels_of = self.columns, self.label_of
        objects = np.concatenate([self.objects[row] for row in rows])
        partial = np.concatenate(
            [self.partial[row] for row in rows] + [labels_of[columns.partial[row]] for row in rows]
        )
        absent = np.concatenate([labels_of[columns.absent[row]] for row in rows])
        match self.coverage:
            case "listed":
                exhaustive: frozenset[str] | None = self.listed
            case "anything":
                exhaustive = None
            case "present":
                exhaustive = self._texts(self.labels[objects])
            case frozenset() as exhaustive:
                pass
        return replace(
            self.supervision,
            masks=self._have_masks(objects),
            exhaustive=exhaustive,
            absent=self._texts(absent),
            partial=self._texts(partial),
        )

    def _have_masks(self, objects: NDArray[np.int32]) -> bool:
        """Return whether there are objects and all have a mask."""
        masks = self.masks
        return masks is not None and len(objects) > 0 and all(masks[n] for n in objects.tolist())

    def _place(
        self, row: int, path: Path, boxes: NDArray[np.float32]
    ) -> tuple[tuple[int, int], NDArray[np.float32]]:
        """Return the size of an image and its boxes in pixels."""
        height, width = self.columns.sizes[2 * row], self.columns.sizes[2 * row + 1]
        if height:
            return (height, width), boxes
        height, width = read_size(path)
        return (height, width), boxes * np.array([width, height] * 2, dtype=np.float32)

    def _texts(self, labels: NDArray[np.int32]) -> frozenset[str]:
        return frozenset(self.names[label] for label in set(labels.tolist()) - {-1})


def read_size(path: Path) -> tuple[int, int]:
    """Return the (height, width) of an image file, upright, without decoding it.

    Raises BadSampleError for a file that is missing or no image.
    """
    try:
        with Image.open(path) as image:
            turned = image.getexif().get(ORIENTATION, 1) in SIDEWAYS
            return (image.width, image.height) if turned else (image.height, image.width)
    except OSError as error:
        raise BadSampleError(f"image file {str(path)!r} cannot be opened: {error}") from error


ORIENTATION, SIDEWAYS = 0x0112, (5, 6, 7, 8)
"""Tag of EXIF, and its values for which height and width change places."""


def as_size(height: Any, width: Any) -> tuple[int, int] | None:
    """Return two whole numbers of pixels as the size of an image, None for anything else."""
    for side in (height, width):
        if isinstance(side, bool) or not isinstance(side, int | float):
            return None
        if not 1 <= side <= LONGEST_SIDE or side != int(side):
            return None
    return int(height), int(width)


def as_box(value: Any) -> tuple[float, float, float, float] | None:
    """Return four numbers as they are, None for anything else."""
    if not isinstance(value, list) or len(value) != len("xywh"):
        return None
    if not all(isinstance(number, int | float) for number in value):
        return None
    a, b, c, d = (float(number) for number in value)
    return a, b, c, d
