"""What a data set holds and what is wrong with it, found out before it is trained on."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from glee.data.left_out import report_of
from glee.data.readers.index import read_size
from glee.data.report import Report
from glee.data.scene import open_frame
from glee.data.schema import BadSampleError, Frame, Sample, Samples

START = 2**16
"""Bytes of a file by which, with its length, it is known again."""

SMALL = 2
"""Pixels; a box with a side below this is mentioned, not left out."""


@dataclass(slots=True)
class Checked:
    """One split of a data set.

    samples      how many there are; `looked_at` says how many of them were opened
    frames       images, or frames of clips
    objects      annotated in these
    masks        of these have masks
    small        of these have a side below `SMALL` pixels
    empty        frames without objects
    expressions  of all samples
    names        how often each is annotated
    sizes        smallest and largest (height, width) of frames, by area
    report       what is wrong, that of the reader included
    files        what each image file is known again by
    """

    samples: int
    looked_at: int = 0
    frames: int = 0
    objects: int = 0
    masks: int = 0
    small: int = 0
    empty: int = 0
    expressions: int = 0
    names: Counter[str] = field(default_factory=Counter)
    sizes: tuple[tuple[int, int], tuple[int, int]] | None = None
    report: Report = field(default_factory=Report)
    files: dict[bytes, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the facts as plain values."""
        return {
            "samples": self.samples,
            "looked_at": self.looked_at,
            "frames": self.frames,
            "frames_without_objects": self.empty,
            "objects": self.objects,
            "objects_with_masks": self.masks,
            "objects_below_2_pixels": self.small,
            "expressions": self.expressions,
            "names": dict(self.names.most_common()),
            "smallest": None if self.sizes is None else list(self.sizes[0]),
            "largest": None if self.sizes is None else list(self.sizes[1]),
            "entries": self.report.total,
            "faults": dict(self.report.counts.most_common()),
            "examples": self.report.examples,
        }


def check_samples(samples: Samples, *, most: int | None = None, decode: bool = False) -> Checked:
    """Open the samples of a source and count what is in them, and what is wrong.

    most    how many samples to open, spread evenly; all if not given
    decode  also decode every image and mask, which takes long; headers are always read
    """
    found = Checked(len(samples))
    for row in spread(len(samples), most):
        found.looked_at += 1
        try:
            _count_sample(samples[row], found, decode=decode)
        except BadSampleError as error:
            found.report.total += 1
            found.report.add("sample that cannot be opened", str(error))
    for name in (samples.names[n] for n in range(min(len(samples.names), MOST_NAMES))):
        found.names.setdefault(name, 0)
    found.report.join(report_of(samples))
    return found


MOST_NAMES = 10_000
"""Names of a source that are listed though nothing is annotated with them."""


def find_leaks(splits: Mapping[str, Checked]) -> Report:
    """Report the images that more than one split has."""
    report, seen = Report(), dict[bytes, str]()
    for split, found in splits.items():
        for key, file in found.files.items():
            report.total += 1
            if key in seen:
                report.add("image that another split has too", f"{split} {file} = {seen[key]}")
        for key, file in found.files.items():
            seen.setdefault(key, f"{split} {file}")
    return report


def spread(count: int, most: int | None) -> Iterator[int]:
    """Yield numbers below `count`, at most so many, evenly spread."""
    kept = count if most is None else min(most, count)
    return (row * count // kept for row in range(kept))


def _count_sample(sample: Sample, found: Checked, *, decode: bool) -> None:
    found.expressions += len(sample.expressions)
    for frame in (sample.frames[n] for n in range(len(sample.frames))):
        found.frames += 1
        found.report.total += 1
        _count_objects(frame, found)
        if isinstance(frame.image, Path):
            _check_file(frame, frame.image, found, again=bool(sample.expressions))
        if decode:
            try:
                open_frame(frame, sample.supervision)
            except BadSampleError as error:
                found.report.add("image or mask that cannot be decoded", str(error))


def _count_objects(frame: Frame, found: Checked) -> None:
    found.objects += len(frame)
    found.empty += not len(frame)
    found.masks += len(frame.masks or ())
    found.names.update(frame.names)
    sides = frame.boxes[:, 2:] - frame.boxes[:, :2]
    found.small += int((sides < SMALL).any(1).sum())
    rows = np.column_stack([frame.boxes, [hash(name) for name in frame.names]])
    if len(np.unique(rows, axis=0)) < len(frame):
        found.report.add("object annotated twice", str(frame.image)[:200])
    low, high = found.sizes or (frame.size, frame.size)
    found.sizes = min(low, frame.size, key=_area), max(high, frame.size, key=_area)


def _check_file(frame: Frame, path: Path, found: Checked, *, again: bool) -> None:
    """Look at an image file; `again` where several samples may have the same."""
    if not path.is_file():
        found.report.add("missing image file", str(path))
        return
    try:
        size = read_size(path)
    except BadSampleError:
        found.report.add("image file that is no image", str(path))
        return
    if size != frame.size:
        found.report.add("image of another size than its annotation", f"{path} {size}")
    with path.open("rb") as file:
        key = blake2b(file.read(START), digest_size=16).digest()
    key += path.stat().st_size.to_bytes(8, "little")
    first = found.files.setdefault(key, str(path))
    if first != str(path) and not again:
        found.report.add("image that occurs twice", f"{path} = {first}")


def _area(size: tuple[int, int]) -> int:
    return size[0] * size[1]
