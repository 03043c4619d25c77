"""Fonts that have the characters of a text, and how to write what none of them has."""

import os
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

# Files of fonts that systems have, for what Pillow's own font lacks, which is all but ASCII.
FONT_FILES = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "Arial.ttf",
    "NotoSansCJK-Regular.ttc",
    "Arial Unicode.ttf",
    "Hiragino Sans GB.ttc",
    "msyh.ttc",
    "malgun.ttf",
    "wqy-microhei.ttc",
)
NO_CHARACTER = "\U0010fffe"  # never assigned: drawn as fonts draw what they lack


def load_fonts(used: set[str], size: int, font: str | os.PathLike[str] | None) -> list[Font]:
    """Return fonts to choose from, the preferred one first; installed ones only if needed."""
    fonts: list[Font] = [] if font is None else [_open_font(os.fspath(font), size)]
    fonts.append(_default_font(size))
    if not lacking_in(fonts[0], used):
        return fonts
    return [*fonts, *_installed(FONT_FILES, size)]


def lacking_in(font: Font, text: Iterable[str]) -> set[str]:
    """Return the characters that a font has no picture of."""
    return {c for c in set(text) if c != " " and _lacks(font, c)}


# Frames of a video use the same few characters again and again.
@lru_cache(maxsize=4096)
def _lacks(font: Font, character: str) -> bool:
    return _glyph(font, character) == _glyph(font, NO_CHARACTER)


@lru_cache(maxsize=8)
def _installed(files: tuple[str, ...], size: int) -> tuple[Font, ...]:
    """Return the fonts of those files that this system has."""
    fonts = []
    for file in files:
        try:
            fonts.append(_open_font(file, size))
        except FileNotFoundError:  # of another system
            continue
    return tuple(fonts)


@lru_cache(maxsize=8)
def _default_font(size: int) -> Font:
    return ImageFont.load_default(size)


def spell(text: str, lacking: set[str], font: Font) -> str:
    """Write what a font lacks without its accents, or else as its code in Python."""
    return "".join(_plain(font, c) if c in lacking else c for c in text)


@lru_cache(maxsize=8)
def _open_font(file: str, size: int) -> Font:
    try:
        return ImageFont.truetype(file, size)
    except OSError as error:
        raise FileNotFoundError(
            f"font {file!r} cannot be opened ({error}); give a TrueType or OpenType file"
        ) from error


def _glyph(font: Font, character: str) -> tuple[tuple[int, int], bytes]:
    picture = font.getmask(character)
    return picture.size, bytes(picture)


def _plain(font: Font, character: str) -> str:
    letters = unicodedata.normalize("NFKD", character)
    base = "".join(c for c in letters if not unicodedata.combining(c))
    if base and not lacking_in(font, base):
        return base
    return character.encode("ascii", "backslashreplace").decode("ascii")
