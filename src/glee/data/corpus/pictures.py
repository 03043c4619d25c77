"""Pictures: the pixels of cut-outs and backgrounds, the last ones kept decoded."""

import io
import mmap
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import partial
from pathlib import Path

from PIL import Image

from glee.data.corpus.packs import Background, Cutout
from glee.data.schema import BadSampleError

CACHE_BYTES = 96 * 2**20
"""Memory for decoded pictures, of each process."""

FORMATS = ("WEBP", "JPEG", "PNG")

LONGEST = 2048
"""Pixels of the longer side of a picture of a pack; more than that is not one of ours."""


class Pictures:
    """Opens pictures under a root; keeps those used last within a limit of memory.

    What is kept is not pickled: each worker has its own.
    """

    def __init__(self, root: Path, *, limit: int = CACHE_BYTES) -> None:
        self.root, self.limit = root, limit
        self._kept: OrderedDict[Hashable, Image.Image] = OrderedDict()
        self._bytes = 0
        self._shards: dict[str, mmap.mmap] = {}

    def __reduce__(self) -> tuple[object, ...]:
        return partial(Pictures, limit=self.limit), (self.root,)

    def cutout(self, row: Cutout) -> Image.Image:
        """Return the RGBA picture of a cut-out; not to be written to.

        Raises BadSampleError for one that cannot be read.
        """
        return self._get((row.shard, row.offset), lambda: self._read_cutout(row))

    def background(self, row: Background) -> Image.Image:
        """Return the RGB picture of a background; not to be written to.

        Raises BadSampleError for one that cannot be read.
        """
        path = self.root / "backgrounds" / row.file
        return self._get(row.file, lambda: _decode(path.read_bytes(), "RGB", str(path)))

    def _read_cutout(self, row: Cutout) -> Image.Image:
        path = self.root / "cutouts" / row.shard
        if row.shard not in self._shards:
            with path.open("rb") as file:
                self._shards[row.shard] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        content = self._shards[row.shard][row.offset : row.offset + row.size]
        return _decode(content, "RGBA", f"{path} at {row.offset}")

    def _get(self, key: Hashable, read: Callable[[], Image.Image]) -> Image.Image:
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        try:
            picture = read()
        except BadSampleError:
            raise
        except (OSError, ValueError) as error:
            raise BadSampleError(f"a picture of the corpus cannot be read: {error}") from error
        self._kept[key] = picture
        self._bytes += _size(picture)
        while self._bytes > self.limit and len(self._kept) > 1:
            _, old = self._kept.popitem(last=False)
            self._bytes -= _size(old)
        return picture


def _decode(content: bytes, mode: str, where: str) -> Image.Image:
    try:
        picture: Image.Image = Image.open(io.BytesIO(content), formats=FORMATS)
        if max(picture.size) > LONGEST:
            raise ValueError(f"{picture.size} pixels, more than {LONGEST} a side")
        picture.load()
        return picture if picture.mode == mode else picture.convert(mode)
    except Exception as error:  # on damaged files Pillow raises whatever its parsers run into
        raise BadSampleError(f"{where} cannot be decoded: {error}") from error


def _size(picture: Image.Image) -> int:
    return picture.width * picture.height * len(picture.getbands())
