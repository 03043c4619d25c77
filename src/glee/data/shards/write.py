"""Writing shards: the samples of any reader, packed into tar files."""

import io
import json
import tarfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from glee.data.report import Report
from glee.data.schema import BadSampleError, ImageSource, Sample, Samples, describe_source
from glee.data.shards.annotation import NameSets, pack_sample
from glee.data.shards.manifest import BLOCK, INDEX, MANIFEST, NAMES, PLACE, Manifest
from glee.files import replacing

SHARD_BYTES = 2**30
"""Bytes after which a new shard is begun."""

LARGEST_IMAGE = 2**28
"""Bytes of an image file."""


def write_shards(
    samples: Samples, folder: Path, *, shard_bytes: int = SHARD_BYTES, fail_fast: bool = False
) -> Report:
    """Pack samples into tar files that WebDataset and `read_shards` can read.

    folder       for the shards, an index, the names and a manifest, which comes last: without it
                 the folder is not whole
    shard_bytes  how large shards become
    fail_fast    raise at the first sample that cannot be packed

    Image files are stored as they are. Members of one sample have one stem: a JSON file, and its
    image or the images of all frames.
    Returns what was left out. Raises ValueError if nothing can be packed, FileExistsError if the
    folder holds a manifest already.
    """
    if (folder / MANIFEST).exists():
        raise FileExistsError(f"{str(folder)!r} holds shards already; give another folder")
    folder.mkdir(parents=True, exist_ok=True)
    report, sets = Report(fail_fast), NameSets()
    rows, files = [], list[Path]()
    with _Writer(folder, shard_bytes) as writer:
        for number in range(len(samples)):
            report.total += 1
            try:
                rows.append(writer.add(samples[number], sets))
            except BadSampleError as error:
                report.add("sample that cannot be opened", str(error))
        files = writer.files
    if not rows:
        raise ValueError(f"none of {len(samples)} samples can be packed: {report}")
    with replacing(folder / INDEX) as beside, beside.open("wb") as file:
        np.save(file, np.array(rows, dtype=PLACE), allow_pickle=False)
    with replacing(folder / NAMES) as beside, beside.open("w", encoding="utf-8") as file:
        for number in range(len(samples.names)):
            file.write(json.dumps(samples.names[number]) + "\n")
    manifest = Manifest(
        samples=len(rows),
        files=tuple(path.name for path in files),
        sizes=tuple(path.stat().st_size for path in files),
        sets=tuple(tuple(sorted(names)) for names in sets),
    )
    with replacing(folder / MANIFEST) as beside:
        beside.write_text(manifest.to_json())
    return report


@dataclass(slots=True)
class _Writer:
    """The shard that is being written, and those before it."""

    folder: Path
    shard_bytes: int
    files: list[Path] = field(default_factory=list)
    _count: int = 0
    _open: IO[bytes] | None = None
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> None:
        if kind is None:
            self._finish()
        else:  # the shard at hand does not get its place
            self._stack.__exit__(kind, *rest)

    def add(self, sample: Sample, sets: NameSets) -> tuple[int, int, int, int, int]:
        """Write a sample; return its row of the index.

        Raises BadSampleError, before anything is written, for one that cannot be read.
        """
        frames = [sample.frames[n] for n in range(len(sample.frames))]
        images = [read_image(frame.image) for frame in frames]
        places, position = [], 0
        for _, content in images:
            places.append((position + BLOCK, len(content)))
            position += BLOCK + _padded(len(content))
        text = pack_sample(sample, frames, places, sets)
        file = self._file()
        start, stem = file.tell(), f"{self._count:09}"
        _write_member(file, f"{stem}.json", text)
        head = file.tell() - start
        for number, (ending, content) in enumerate(images):
            middle = "" if len(images) == 1 else f".{number:05}"
            _write_member(file, f"{stem}{middle}{ending}", content)
        self._count += 1
        tall = int(frames[0].size[0] > frames[0].size[1])
        return len(self.files) - 1, start, head, file.tell() - start, tall

    def _file(self) -> IO[bytes]:
        """Return the open shard, a new one if the last is full."""
        if self._open is not None and self._open.tell() >= self.shard_bytes:
            self._finish()
        if self._open is None:
            path = self.folder / f"{len(self.files):06}.tar"
            beside = self._stack.enter_context(replacing(path))
            self._open = self._stack.enter_context(beside.open("wb"))
            self.files.append(path)
        return self._open

    def _finish(self) -> None:
        if self._open is not None:
            self._open.write(bytes(2 * BLOCK))  # which ends a tar file
            self._open = None
        self._stack.close()


def read_image(source: ImageSource) -> tuple[str, bytes]:
    """Return the ending and the content of an image file.

    Raises BadSampleError for one that is missing, too large or no image.
    """
    match source:
        case Path():
            if not source.is_file():
                raise BadSampleError(f"image file {str(source)!r} not found")
            content = _read_limited(source)
        case bytes():
            content = source
        case _:
            content = _encode(Image.fromarray(source))
    try:
        with Image.open(io.BytesIO(content)) as image:
            ending = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}.get(image.format or "")
            if ending is None:
                return ".png", _encode(image)
    except (OSError, ValueError, SyntaxError) as error:
        raise BadSampleError(f"{describe_source(source)} cannot be read: {error}") from error
    return ending, content


def _read_limited(path: Path) -> bytes:
    if (size := path.stat().st_size) > LARGEST_IMAGE:
        raise BadSampleError(f"image file {str(path)!r} has {size} bytes, which is too many")
    return path.read_bytes()


def _encode(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format="PNG")
    return stream.getvalue()


def _write_member(file: IO[bytes], name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    file.write(member.tobuf(tarfile.USTAR_FORMAT))
    file.write(content)
    file.write(bytes(_padded(len(content)) - len(content)))


def _padded(length: int) -> int:
    return -(-length // BLOCK) * BLOCK
