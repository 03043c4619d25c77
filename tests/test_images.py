"""Loading images: every source gives the same upright RGB bytes, and damage is explained."""

import re
import struct
import warnings
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from PIL import Image

from glee.images import load_image, load_mask

COLOURS = np.array(
    [[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[10, 20, 30], [128, 128, 128], [255, 255, 255]]],
    dtype=np.uint8,
)  # [2, 3, 3]
GREY = COLOURS[..., 0]


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def as_rgb(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.stack([grey] * 3, axis=-1)


def hollow_png(width: int, height: int) -> bytes:
    """Return a PNG that claims a size and holds hardly a pixel."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(9)))


COLOUR_SOURCES: dict[str, Any] = {
    "array": COLOURS,
    "uint16": COLOURS.astype(np.uint16) * 257,
    "big-endian uint16": (COLOURS.astype(np.uint16) * 257).astype(">u2"),
    "float": COLOURS / 255,
    "float with rounding errors": COLOURS.astype(np.float32) / 255 * 1.000001,
    "alpha": np.dstack([COLOURS, np.zeros((2, 3), np.uint8)]),
    "mirrored view": np.ascontiguousarray(COLOURS[:, ::-1])[:, ::-1],
    "tensor": torch.tensor(COLOURS).permute(2, 0, 1),
    "float tensor": torch.tensor(COLOURS).permute(2, 0, 1) / 255,
    "tensor with gradient": (torch.tensor(COLOURS).permute(2, 0, 1) / 255).requires_grad_(),
    "PIL": Image.fromarray(COLOURS),
    "PNG": encoded(Image.fromarray(COLOURS)),
    "palette": encoded(Image.fromarray(COLOURS).quantize(6, dither=Image.Dither.NONE)),
    "transparent palette": encoded(
        Image.fromarray(COLOURS).quantize(6, dither=Image.Dither.NONE), transparency=bytes(6)
    ),
    "RGBA": encoded(Image.fromarray(np.dstack([COLOURS, GREY]))),
    "GIF": encoded(Image.fromarray(COLOURS), "GIF"),
    "TIFF": encoded(Image.fromarray(COLOURS), "TIFF"),
    "WebP": encoded(Image.fromarray(COLOURS), "WEBP", lossless=True),
}


@pytest.mark.parametrize("source", COLOUR_SOURCES.values(), ids=COLOUR_SOURCES.keys())
def test_every_source_of_colours_gives_the_same_bytes(source: Any) -> None:
    image = load_image(source)

    assert_array_equal(image, COLOURS)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous


GREY_SOURCES: dict[str, Any] = {
    "array": GREY,
    "array with one channel": GREY[..., None],
    "uint16": GREY.astype(np.uint16) * 257,
    "bfloat16 tensor": (torch.tensor(GREY) / 255).bfloat16(),
    "tensor with one channel": torch.tensor(GREY)[None],
    "L": encoded(Image.fromarray(GREY)),
    "LA": encoded(Image.merge("LA", [Image.fromarray(GREY), Image.new("L", (3, 2))])),
    "16-bit PNG": encoded(Image.fromarray(GREY.astype(np.uint16) * 257)),
    "16-bit TIFF": encoded(Image.fromarray(GREY.astype(np.uint16) * 257), "TIFF"),
    "I": Image.fromarray(GREY.astype(np.int32) * 257),
    "F": Image.fromarray(GREY.astype(np.float32) / 255),
}


@pytest.mark.parametrize("source", GREY_SOURCES.values(), ids=GREY_SOURCES.keys())
def test_every_source_of_grey_gives_three_equal_channels(source: Any) -> None:
    image = load_image(source)

    assert_array_equal(image, as_rgb(GREY))
    assert image.flags.c_contiguous


def test_sixteen_bits_round_to_the_nearest_of_eight() -> None:
    values = np.array([[0, 128, 129, 257, 65535]], dtype=np.uint16)

    assert load_image(values)[0, :, 0].tolist() == [0, 0, 1, 1, 255]


def test_one_bit_becomes_black_and_white() -> None:
    picture = Image.fromarray(np.array([[0, 255]], dtype=np.uint8)).convert("1")

    assert load_image(encoded(picture)).tolist() == [[[0] * 3, [255] * 3]]


def test_cmyk_becomes_rgb() -> None:
    ink = Image.new("CMYK", (1, 1), (0, 255, 255, 0))

    assert load_image(encoded(ink, "TIFF")).tolist() == [[[255, 0, 0]]]


def test_the_first_frame_of_an_animation_is_taken() -> None:
    first, second = Image.fromarray(COLOURS), Image.new("RGB", (3, 2))

    animation = encoded(first, "GIF", save_all=True, append_images=[second])

    assert_array_equal(load_image(animation), COLOURS)


@pytest.mark.parametrize("as_path", [str, Path])
def test_a_file_is_read_by_its_path(tmp_path: Path, as_path: Any) -> None:
    path = tmp_path / "colours.png"
    path.write_bytes(encoded(Image.fromarray(COLOURS)))

    assert_array_equal(load_image(as_path(path)), COLOURS)


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, COLOURS),
        (2, COLOURS[:, ::-1]),
        (3, COLOURS[::-1, ::-1]),
        (6, np.rot90(COLOURS, -1)),
        (8, np.rot90(COLOURS)),
    ],
)
def test_images_are_turned_upright(orientation: int, upright: NDArray[np.uint8]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(Image.fromarray(COLOURS), exif=exif)

    assert_array_equal(load_image(content), upright)
    assert_array_equal(load_image(Image.open(BytesIO(content))), upright)


def test_a_pil_image_is_left_as_it_was() -> None:
    picture = Image.open(BytesIO(encoded(Image.fromarray(COLOURS).quantize(6))))

    load_image(picture)

    assert (picture.mode, picture.size) == ("P", (3, 2))


@pytest.mark.parametrize(
    "source",
    [
        np.full((1, 1), 7, np.uint8),
        torch.full((3, 1, 1), 7, dtype=torch.uint8),
        Image.new("RGB", (1, 1), (7, 7, 7)),
        encoded(Image.new("L", (1, 1), 7)),
    ],
)
def test_an_image_may_have_one_pixel(source: Any) -> None:
    assert load_image(source).tolist() == [[[7, 7, 7]]]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "street.jpg")
    with pytest.raises(
        FileNotFoundError, match=re.escape(f"image file {missing!r} not found; looked in")
    ):
        load_image(missing)


def test_a_path_that_is_too_long_is_a_missing_file() -> None:
    with pytest.raises(FileNotFoundError, match=r"image file 'x{300}' not found; looked in"):
        load_image("x" * 300)


def test_an_empty_path_is_said_to_be_empty() -> None:
    with pytest.raises(ValueError, match="the path of the image is empty"):
        load_image("")


def test_a_tilde_and_objects_that_stand_for_paths_are_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Entry:
        def __fspath__(self) -> str:
            return "~/colours.png"

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "colours.png").write_bytes(encoded(Image.fromarray(COLOURS)))

    assert_array_equal(load_image("~/colours.png"), COLOURS)
    assert_array_equal(load_image(Entry()), COLOURS)


def test_a_folder_is_not_an_image(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is a folder; give one of the files in it"):
        load_image(tmp_path)


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    path = tmp_path / "cut.jpg"
    path.write_bytes(encoded(Image.fromarray(noise), "JPEG")[:2000])

    with pytest.raises(ValueError, match=r"image file '.*cut.jpg' is damaged or truncated: "):
        load_image(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n"])
def test_bytes_of_no_image_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"image is (not in an image format|damaged)"):
        load_image(content)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP", "PPM"])
def test_damage_anywhere_in_a_file_is_read_or_explained(kind: str) -> None:
    content = encoded(Image.fromarray(COLOURS), kind)
    for position in range(0, len(content), 7):
        damaged = bytearray(content)
        damaged[position] ^= 0xFF
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about metadata
            try:
                assert load_image(bytes(damaged)).shape[2] == 3
            except ValueError as error:
                assert "image" in str(error)  # noqa: PT017  # any other error fails the test


@pytest.mark.parametrize("side", [10_000, 20_000])
def test_a_decompression_bomb_is_refused_by_its_header(side: int) -> None:
    message = "image has more than 89 megapixels; scale it down, or decode it yourself"
    with pytest.raises(ValueError, match=message):
        load_image(hollow_png(side, side))


def test_the_limit_stands_where_pillow_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(ValueError, match="image has more than 89 megapixels"):
        load_image(hollow_png(10_000, 10_000))


def test_an_image_of_8000_by_8000_is_within_the_limit() -> None:
    # Its header passes; only then the missing pixels are noticed.
    with pytest.raises(ValueError, match="image is damaged or truncated"):
        load_image(hollow_png(8000, 8000))


MISTAKES: list[tuple[Any, str]] = [
    (
        torch.zeros(480, 640, 3, dtype=torch.uint8),
        "image [480, 640, 3] looks like [H, W, 3]; torch images are [3, H, W]: "
        "use .permute(2, 0, 1)",
    ),
    (
        np.zeros((3, 480, 640), np.uint8),
        "image [3, 480, 640] looks like [3, H, W]; arrays are [H, W, 3]: use .transpose(1, 2, 0)",
    ),
    (
        torch.zeros(2, 480, 640),
        "image must be one tensor [3, H, W], [1, H, W] or [H, W], got [2, 480, 640]",
    ),
    (
        torch.zeros(1, 3, 480, 640),
        "image must be one tensor [3, H, W], [1, H, W] or [H, W], got [1, 3, 480, 640]",
    ),
    (
        np.zeros((480, 640, 2), np.uint8),
        "image must be one array [H, W, 3] or [H, W], got [480, 640, 2]",
    ),
    (np.zeros(5, np.uint8), "image must be one array [H, W, 3] or [H, W], got [5]"),
    (np.zeros((0, 640, 3), np.uint8), "image is empty: its shape is [0, 640, 3]"),
    (Image.new("RGB", (0, 5)), "image is empty: width 0, height 5"),
    (np.full((2, 2, 3), 200.0), "image has floats up to 200, expected 0..1; divide by 255"),
    (np.full((2, 2, 3), -2.1), "image has floats down to -2.1, expected 0..1; give it before any"),
    (np.array([[0, np.nan]]), "image has NaN or infinite pixels; expected floats in 0..1"),
    (np.array([[0, np.inf]]), "image has NaN or infinite pixels"),
    (np.array([[0, -np.inf, np.nan]]), "image has NaN or infinite pixels"),
    (Image.new("I", (1, 1), 70_000), "image holds values from 70000 to 70000, expected 0..65535"),
]


@pytest.mark.parametrize(("source", "message"), MISTAKES)
def test_wrong_pixels_are_explained(source: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        load_image(source)


WRONG_TYPES: list[tuple[Any, str]] = [
    ([[1, 2]], "image must be a path, bytes, a PIL image, a numpy array or a torch tensor, got"),
    (None, "got NoneType"),
    (np.ones((2, 2), bool), "image holds bool numbers; expected uint8 in 0..255, uint16"),
    (np.ones((2, 2, 3), np.int64), "image holds int64 numbers"),
    (torch.ones(3, 2, 2, dtype=torch.int32), "image holds int32 numbers"),
]


@pytest.mark.parametrize(("source", "message"), WRONG_TYPES)
def test_wrong_types_are_explained(source: Any, message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        load_image(source)


OBJECT = np.array([[True, False, True], [False, False, True]])
WHITE = OBJECT.astype(np.uint8) * 255


def palette_mask() -> Image.Image:
    """Return a picture as DAVIS has them: objects 1 and 2, in dark colours."""
    picture = Image.fromarray(np.array([[1, 0, 2], [0, 0, 1]], dtype=np.uint8)).convert("P")
    picture.putpalette([0, 0, 0, 60, 0, 0, 0, 60, 0])
    return picture


MASK_SOURCES: dict[str, Any] = {
    "grey": Image.fromarray(WHITE),
    "labels": Image.fromarray(OBJECT.astype(np.uint8)),
    "16 bits": Image.fromarray(WHITE.astype(np.uint16) * 257),
    "smooth": Image.fromarray(np.where(OBJECT, 128, 127).astype(np.uint8)),
    "one bit": Image.fromarray(WHITE).convert("1"),
    "palette": palette_mask(),
    "colour": Image.fromarray(as_rgb(WHITE)),
    "red": Image.fromarray(as_rgb(WHITE) * np.array([1, 0, 0], np.uint8)),
}


@pytest.mark.parametrize("source", MASK_SOURCES.values(), ids=MASK_SOURCES.keys())
def test_every_picture_of_a_mask_gives_the_same_pixels(source: Image.Image) -> None:
    for mask in (load_mask(encoded(source)), load_mask(source)):
        assert mask.dtype == np.bool_
        assert_array_equal(mask, OBJECT)


def test_masks_are_turned_upright_like_images(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "mask.png").write_bytes(encoded(Image.fromarray(WHITE), exif=exif))

    assert_array_equal(load_mask(tmp_path / "mask.png"), np.rot90(OBJECT, -1))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"hello", "mask is not in an image format"),
        (hollow_png(20_000, 20_000), "mask has more than 89 megapixels"),
        (hollow_png(8, 8)[:-9], "mask is damaged or truncated"),
    ],
)
def test_bad_mask_files_are_explained(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_mask(content)


def test_arrays_need_not_be_loaded_as_masks() -> None:
    with pytest.raises(TypeError, match="mask must be a path, bytes or a PIL image, got ndarray"):
        load_mask(OBJECT)  # type: ignore[arg-type]
