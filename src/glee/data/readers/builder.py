"""IndexBuilder: collects images and objects in any order, and leaves out what is bad."""

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glee.data.readers.columns import Lists, Numbering, Packed, Texts
from glee.data.readers.index import Coverage, Groups, ImageColumns, ImageIndex, Rows
from glee.data.report import Report
from glee.data.schema import RandomAccess, Supervision
from glee.data.segmentation import pack_segmentation, packed_size

GOOD, CROWD, BAD = range(3)

Box = tuple[float, float, float, float]

LARGEST_LABEL = 2**31 - 1
"""What larger numbers of categories, which are none, count as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexOptions:
    """What holds for all samples of a source.

    coverage      for which names every object is annotated
    boxes         False where boxes are too rough to learn their places from
    machine_made  True where a model has made the annotation
    keep_empty    whether images without objects are samples
    use_masks     whether to read masks where there are any
    described     whether expressions, not names, say what the objects are: images without any are
                  left out
    """

    coverage: Coverage = "listed"
    boxes: bool = True
    machine_made: bool = False
    keep_empty: bool = False
    use_masks: bool = True
    described: bool = False


@dataclass(slots=True)
class IndexBuilder:
    """Images and objects of one source, in whatever order its files have them.

    Objects may come before the image that they lie in and before the categories that they name.
    """

    folder: Path
    options: IndexOptions
    report: Report
    _ids: Numbering = field(default_factory=Numbering)
    _images: ImageColumns = field(
        default_factory=lambda: ImageColumns(
            files=Texts(),
            sizes=array("i"),
            absent=Lists(),
            partial=Lists(),
            expressions=Lists(),
            texts=Texts(),
        )
    )
    _image_ids: "array[int]" = field(default_factory=lambda: array("i"))
    _object_ids: "array[int]" = field(default_factory=lambda: array("i"))
    _labels: "array[int]" = field(default_factory=lambda: array("i"))
    _boxes: "array[float]" = field(default_factory=lambda: array("f"))
    _states: "array[int]" = field(default_factory=lambda: array("b"))
    _tracks: "array[int]" = field(default_factory=lambda: array("i"))
    _masks: Packed = field(default_factory=Packed)

    def attempt(self, add: Callable[[Mapping[str, Any]], object], entry: Any) -> None:
        """Add an entry of a file by a function that may stumble over one of another layout."""
        try:
            if isinstance(entry, Mapping):
                add(entry)
                return
        except (AttributeError, IndexError, KeyError, OverflowError, TypeError):
            pass
        self.report.total += 1
        self.report.add("entry of another layout", repr(entry)[:80])

    def add_image(
        self,
        image_id: object,
        file: str,
        size: tuple[int, int] = (0, 0),
        *,
        absent: Iterable[int] = (),
        partial: Iterable[int] = (),
    ) -> None:
        """Add an image.

        image_id  what its objects call it
        file      its file, in the folder
        size      (height, width) in pixels, zeros if not known
        absent    numbers of categories that were verified not to be there
        partial   numbers of categories of which only some objects are annotated
        """
        images, number = self._images, self._ids.add(image_id)
        absent, partial = list(absent), list(partial)
        images.files.append(file)  # raises for what is no text, before anything is added
        self._image_ids.append(number)
        images.sizes.extend(size)
        images.absent.append(absent)
        images.partial.append(partial)

    @property
    def num_images(self) -> int:
        """The number of images so far."""
        return len(self._image_ids)

    def add_expressions(self, expressions: Any) -> None:
        """Add what describes the objects of the image added last; empty ones are left out."""
        texts, rows = self._images.texts, []
        if not isinstance(expressions, list | tuple):
            self.report.add("expressions that are no list", self._images.files[-1])
            expressions = ()
        for text in expressions:
            self.report.total += 1
            if not isinstance(text, str) or not text.strip():
                self.report.add("empty expression", self._images.files[-1])
                continue
            rows.append(len(texts))
            texts.append(text.strip())
        if not rows and self.options.described:
            self.report.add("image without an expression", self._images.files[-1])
        self._images.expressions.append(rows)

    def add_object(
        self,
        image_id: object,
        label: int | None,
        xyxy: Box | None,
        *,
        segmentation: Any = None,
        crowd: bool = False,
        track: int = 0,
    ) -> None:
        """Add an object.

        label         number of its category; None if it has no name
        xyxy          in pixels, or in 0..1 of an image of unknown size; None if it has no box
        segmentation  as in COCO's JSON; None, [] or "" if there is none
        crowd         many objects in one; left out, as crowds are in training
        track         the same for the same object in all frames of a clip
        """
        self.report.total += 1
        image = self._ids.add(image_id)
        state, packed = CROWD if crowd else GOOD, b""
        if not crowd and xyxy is None:
            state = self._fault("box that is not four numbers")
        elif not crowd and label is None:
            state = self._fault("object without a name")
        if segmentation and self.options.use_masks and state == GOOD:
            try:
                packed = pack_segmentation(segmentation)
            except ValueError as error:
                state = self._fault(str(error))
        self._object_ids.append(image)
        self._labels.append(-1 if label is None else max(-1, min(label, LARGEST_LABEL)))
        self._boxes.extend(xyxy or (0, 0, 0, 0))
        self._states.append(state)
        self._tracks.append(track)
        self._masks.append(packed)

    def _fault(self, fault: str) -> int:
        self.report.add(fault, f"annotation {len(self._states)}")
        return BAD

    def finish(self, names: RandomAccess[str], label_of: Sequence[int] | Rows) -> ImageIndex:
        """Check what could not be checked before, and return the index.

        names     the names or phrases of objects
        label_of  a row of `names` for each number of a category; -1 for a category unknown
        """
        images, options = self._images, self.options
        if not len(images.expressions):
            for _ in range(len(images.files)):
                images.expressions.append(())
        sizes = np.array(images.sizes, dtype=np.float32).reshape(-1, 2)
        label_map = np.array(label_of, dtype=np.int32)
        image_of = self._image_rows()
        numbers = np.array(self._labels, dtype=np.int64)
        numbers[(numbers < 0) | (numbers >= len(label_map))] = len(label_map)
        labels = np.append(label_map, np.int32(-1))[numbers]
        boxes = np.array(self._boxes, dtype=np.float32).reshape(-1, 4)
        known = np.vstack([sizes, [[0, 0]]])  # the last for objects without image
        boxes = self._check(boxes, known[image_of], image_of, labels)
        states = np.array(self._states, dtype=np.int8)
        good = np.flatnonzero(states == GOOD)
        # Of a name with an object left out, not every object is annotated any more.
        left_out = np.flatnonzero((states != GOOD) & (image_of >= 0) & (labels >= 0))
        objects = Groups(image_of[good], good, len(sizes))
        partial = Groups(image_of[left_out], labels[left_out].astype(np.int64), len(sizes))
        return ImageIndex(
            folder=self.folder,
            names=names,
            columns=images,
            images=self._usable(objects.counts() > 0, image_of[(states != GOOD) & (image_of >= 0)]),
            label_of=label_map,
            objects=objects,
            partial=partial,
            boxes=boxes,
            labels=labels,
            tracks=np.array(self._tracks, dtype=np.int32),
            masks=self._masks if self._masks.num_bytes else None,
            coverage=options.coverage,
            listed=_listed(names) if options.coverage == "listed" else frozenset(),
            supervision=Supervision(boxes=options.boxes, machine_made=options.machine_made),
            report=self.report,
        )

    def _usable(self, shows_objects: NDArray[np.bool_], loses_objects: Rows) -> Rows:
        """Return the rows of the images that are samples.

        shows_objects  [I]
        loses_objects  the rows of images of which an object was left out, repeated
        """
        used = shows_objects.copy()
        if self.options.keep_empty:
            # An image that lost what was annotated is not one that shows nothing.
            lost = np.bincount(loses_objects, minlength=len(used)) > 0
            used |= ~lost
        if self.options.described:
            used &= self._images.expressions.counts() > 0
        used[self._repeated()] = False
        return np.flatnonzero(used)

    def _repeated(self) -> Rows:
        """Return the rows of images whose id a later one has too."""
        own = np.array(self._image_ids, dtype=np.int64)
        last = np.zeros(len(self._ids), dtype=np.int64)
        last[own] = np.arange(len(own))
        return np.flatnonzero(last[own] != np.arange(len(own)))

    def _image_rows(self) -> Rows:
        """Return the row of the image of each object, -1 if it is missing."""
        rows = np.full(len(self._ids), -1, dtype=np.int64)
        own = np.array(self._image_ids, dtype=np.int64)
        rows[own] = np.arange(len(own))
        self.report.total += len(own)
        for number in self._repeated().tolist():
            self.report.add("image whose id occurs twice", self._images.files[number])
        return rows[np.array(self._object_ids, dtype=np.int64)]

    def _check(
        self,
        boxes: NDArray[np.float32],
        sizes: NDArray[np.float32],
        image_of: Rows,
        labels: NDArray[np.int32],
    ) -> NDArray[np.float32]:
        """Find objects that are bad; return the boxes [A, 4] cut at the borders of their images.

        sizes  [A, 2] of the image of each object
        """
        if not len(boxes):
            return boxes
        self._drop(image_of < 0, "annotation of a missing image")
        self._drop(labels < 0, "unknown category id")
        self._drop(~np.isfinite(boxes).all(1), "box that is not four numbers")
        self._drop((boxes[:, 2:] <= boxes[:, :2]).any(1), "box of zero area")
        limits = np.where(sizes > 0, sizes, 1)[:, [1, 0, 1, 0]]
        clipped: NDArray[np.float32] = np.minimum(np.maximum(boxes, 0), limits)
        self._drop((clipped[:, 2:] <= clipped[:, :2]).any(1), "box outside its image")
        if self._masks.num_bytes:
            own = [packed_size(self._masks[n]) for n in range(len(boxes))]
            wrong = [
                one is not None and one != (height, width)
                for one, (height, width) in zip(own, sizes.tolist(), strict=True)
            ]
            self._drop(np.array(wrong), "mask of another size than its image")
        return clipped

    def _drop(self, wrong: Any, fault: str) -> None:
        """Leave out good objects that turn out to be wrong, [A] bool."""
        states = np.frombuffer(self._states, dtype=np.int8)
        for number in np.flatnonzero(wrong & (states == GOOD)).tolist():
            self.report.add(fault, f"annotation {number}")
            self._states[number] = BAD


def unique_texts(texts: Texts) -> tuple[Texts, Rows]:
    """Return the distinct texts in order of first sight, and the row of each text in them.

    By 64-bit hashes, since a dict of millions of phrases would take gigabytes.
    """
    hashes = np.fromiter((hash(text) for text in _each(texts)), dtype=np.int64, count=len(texts))
    _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return Texts(texts[n] for n in first[order].tolist()), rank[inverse]


def _each(texts: RandomAccess[str]) -> Iterable[str]:
    return (texts[n] for n in range(len(texts)))


def _listed(names: RandomAccess[str]) -> frozenset[str]:
    return frozenset(_each(names))
