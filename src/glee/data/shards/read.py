"""Reading shards: any sample by a few ranges of bytes, on disk or in object storage."""

import json
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from glee.data.readers.columns import Texts
from glee.data.schema import BadSampleError, Frame, RandomAccess, Sample
from glee.data.shards.annotation import NameSets, Stored, unpack_frame, unpack_sample
from glee.data.shards.manifest import (
    BLOCK,
    INDEX,
    MANIFEST,
    NAMES,
    Manifest,
    Places,
    read_manifest,
    read_places,
)

AT_ONCE = 2**22
"""Bytes of a sample that are read in one request; of a larger one, each frame when asked for."""


class Storage(Protocol):
    """Files of one folder, wherever it is."""

    def read(self, name: str, start: int = 0, stop: int | None = None) -> bytes:
        """Return bytes of a file; raises OSError if they cannot be had."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder on disk."""

    path: Path

    def read(self, name: str, start: int = 0, stop: int | None = None) -> bytes:
        """See Storage."""
        with (self.path / name).open("rb") as file:
            file.seek(start)
            return file.read(-1 if stop is None else stop - start)


@dataclass(frozen=True, slots=True)
class Remote:
    """A folder in any storage that fsspec knows, such as "s3://bucket/coco"."""

    url: str

    def read(self, name: str, start: int = 0, stop: int | None = None) -> bytes:
        """See Storage."""
        try:
            from fsspec.core import url_to_fs  # noqa: PLC0415 - only for object storage
        except ImportError as error:
            raise ImportError(
                'reading shards from object storage needs fsspec: pip install "glee-vision[shards]"'
            ) from error
        system, path = url_to_fs(f"{self.url.rstrip('/')}/{name}")  # kept by fsspec, once made
        content: bytes = system.cat_file(path, start=start, end=stop)
        return content


@dataclass(frozen=True, slots=True, eq=False)
class Shards:
    """The samples of a folder of shards.

    storage   where they lie
    manifest  which files there are
    places    where in them each sample lies
    sets      sets of names that samples share
    names     what negatives of a prompt are drawn from
    """

    storage: Storage
    manifest: Manifest
    places: Places
    sets: NameSets
    names: RandomAccess[str]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> Sample:
        """Return a sample.

        Raises BadSampleError if it cannot be read or is not what the index says.
        """
        shard, start, head, whole, _ = (int(value) for value in self.places[index])
        file = self.manifest.files[shard]
        stop = start + (whole if whole <= AT_ONCE else head)
        content = _read(self.storage, file, start, stop)
        stored = unpack_sample(_member(content[:head]), self.sets)
        images = Region(self.storage, file, start + head, start + whole, content[head:])
        return Sample(
            key=stored.key,
            frames=StoredFrames(stored, images),
            expressions=stored.expressions,
            supervision=stored.supervision,
        )

    def portrait(self) -> NDArray[np.bool_]:
        """Return which samples are higher than wide, [len(self)]."""
        return np.asarray(self.places["tall"]) != 0


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Bytes `start` to `stop` of a file, the first of which may have been read already."""

    storage: Storage
    file: str
    start: int
    stop: int
    content: bytes

    def read(self, start: int, length: int) -> bytes:
        """Return some of its bytes; raises BadSampleError for those outside."""
        if length < 1 or start + length > self.stop - self.start:
            raise BadSampleError(f"sample in shard {self.file!r} names bytes that are not its own")
        if start + length <= len(self.content):
            return self.content[start : start + length]
        first = self.start + start
        return _read(self.storage, self.file, first, first + length)


@dataclass(frozen=True, slots=True, eq=False)
class StoredFrames:
    """The frames of a sample, read when they are asked for."""

    stored: Stored
    images: Region

    def __len__(self) -> int:
        return len(self.stored.frames)

    def __getitem__(self, index: int) -> Frame:
        one = self.stored.frames[index]
        return unpack_frame(one, self.images.read(one.start, one.length))


def read_shards(place: str | Path) -> Shards:
    """Open a folder of shards that `write_shards` has made.

    place  a folder, or the URL of one in object storage, such as "s3://bucket/coco"

    The index is mapped or, from object storage, held: 25 bytes a sample. Nothing is unpacked to
    disk, and no name inside the files is used as a path.
    Raises FileNotFoundError if there is no manifest, ValueError if it or the index is damaged.
    """
    remote = isinstance(place, str) and "://" in place
    storage: Storage = Remote(str(place)) if remote else Folder(Path(place))
    try:
        content = storage.read(MANIFEST)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{str(place)!r} holds no {MANIFEST}; make shards by: glee data shards DIR OUT"
        ) from error
    manifest = read_manifest(content, f"{place}/{MANIFEST}")
    index = storage.read(INDEX) if remote else Path(place) / INDEX
    names = Texts(_names(storage.read(NAMES).splitlines(), f"{place}/{NAMES}"))
    return Shards(
        storage=storage,
        manifest=manifest,
        places=read_places(index, manifest, f"{place}/{INDEX}"),
        sets=[frozenset(names) for names in manifest.sets],
        names=names,
    )


def find_shards(folder: Path) -> dict[str, Path]:
    """Return the folders of shards in a folder by their names; that folder itself as "all"."""
    if (folder / MANIFEST).is_file():
        return {"all": folder}
    return {path.parent.name: path.parent for path in sorted(folder.glob(f"*/{MANIFEST}"))}


def _names(lines: Iterable[bytes], where: str) -> Iterable[str]:
    for line in lines:
        try:
            name: Any = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{where} must have a JSON text in each line") from error
        if not isinstance(name, str):
            raise ValueError(f"{where} must have a JSON text in each line, got {name!r:.80}")
        yield name


def _read(storage: Storage, file: str, start: int, stop: int) -> bytes:
    try:
        content = storage.read(file, start, stop)
    except OSError as error:
        raise BadSampleError(f"shard {file!r} cannot be read: {error}") from error
    if len(content) != stop - start:
        raise BadSampleError(f"shard {file!r} is cut short")
    return content


def _member(content: bytes) -> bytes:
    """Return the content of the only member in some blocks of a tar file."""
    try:
        member = tarfile.TarInfo.frombuf(content[:BLOCK], "ascii", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError) as error:
        raise BadSampleError(f"shard has no member where its index says: {error}") from error
    if not 0 <= member.size <= len(content) - BLOCK:
        raise BadSampleError("member of a shard is larger than its index says")
    return content[BLOCK : BLOCK + member.size]
