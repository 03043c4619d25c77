"""Loading images and masks: files, bytes, PIL images, arrays and tensors to pixels."""

import os
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

Pixels = NDArray[np.uint8]
"""[H, W, 3] RGB, 0..255."""

PictureSource = str | os.PathLike[str] | bytes | Image.Image
"""A file's path or content, or a PIL image."""

ImageSource = PictureSource | NDArray[Any] | Tensor

MAX_FILE_PIXELS = 89_478_485
"""Pixels that a file may hold: from here on Pillow suspects a decompression bomb."""

FLOAT_TOLERANCE = 1e-3
"""How far rounding may carry a float pixel out of 0..1: a quarter of one step of 8 bits."""

CHANNELS = (1, 3, 4)

HALF = 127
"""What is brighter than this belongs to a mask."""


def load_image(source: ImageSource) -> Pixels:
    """Return the RGB pixels of an image.

    source  a file's path or content; a PIL image; an array [H, W] or [H, W, C]; or a tensor
            [H, W] or [C, H, W], with C = 1 (grey), 3 (RGB) or 4 (RGB and alpha). Numbers are
            uint8, uint16 or float, in 0..255, 0..65535 or 0..1
    Returns [H, W, 3] uint8, which may share memory with an array given: do not write to it.

    Files and PIL images are turned upright as their EXIF orientation says. Of an animation the
    first frame is taken, or the one that a PIL image stands at. Alpha is dropped, not blended, as
    in GLEE's demo.

    Raises FileNotFoundError for a path without file, TypeError for another type of source or of
    numbers, and ValueError for what is damaged, empty, larger than `MAX_FILE_PIXELS`, of another
    shape or range, or not an image.
    """
    match source:
        case str() | os.PathLike() | bytes() | Image.Image():
            return _to_rgb(*_open(source, "image"))
        case np.ndarray():
            return _from_array(source)
        case Tensor():
            return _from_tensor(source)
    raise TypeError(
        "image must be a path, bytes, a PIL image, a numpy array or a torch tensor, "
        f"got {type(source).__name__}"
    )


def load_mask(source: PictureSource) -> NDArray[np.bool_]:
    """Return the pixels of one object from a picture of it.

    source  a file's path or content, or a PIL image, turned upright as its EXIF orientation says.
            Of a palette picture, as DAVIS has them, all but index 0 is the object. Of a grey or
            colour picture it is what is brighter than half, in any channel, or what is not 0 if
            nothing exceeds 1. Alpha is dropped
    Returns [H, W] bool.

    Raises what `load_image` raises. Arrays and tensors need no loading: `Prompts` takes them.
    """
    if not isinstance(source, str | os.PathLike | bytes | Image.Image):
        raise TypeError(
            f"mask must be a path, bytes or a PIL image, got {type(source).__name__}; "
            "arrays and tensors can be given to Prompts as they are"
        )
    image, name = _open(source, "mask")
    match image.mode:
        case "1":
            return np.array(image)
        case "P":
            return np.asarray(image) != 0
        case "PA":
            return np.asarray(image)[..., 0] != 0
    brightest = _to_rgb(image, name).max(axis=2)
    return brightest > (HALF if brightest.max() > 1 else 0)


def load_index_masks(source: PictureSource) -> list[NDArray[np.bool_]]:
    """Return the pixels of each object that a picture shows.

    source  as for `load_mask`. Each number but 0 of a palette picture is an object, as DAVIS has
            them; another picture shows one object
    Returns masks [H, W] bool, by rising number; at least one.

    Raises what `load_mask` raises.
    """
    whole = load_mask(source)
    image, _ = _open(source, "mask")
    if image.mode != "P":
        return [whole]
    numbers = np.asarray(image)
    return [numbers == number for number in np.unique(numbers) if number] or [whole]


def _open(source: PictureSource, kind: str) -> tuple[Image.Image, str]:
    """Return a picture, decoded and upright, and what messages call it."""
    match source:
        case Image.Image():
            return _upright(source, kind), kind
        case bytes():
            return _decode(BytesIO(source), kind), kind
        case "":
            raise ValueError(f"the path of the {kind} is empty; give the path of a file")
    path = _find(Path(source), kind)
    name = f"{kind} file {str(path)!r}"
    with path.open("rb") as file:
        return _decode(file, name), name


def _find(path: Path, kind: str) -> Path:
    try:
        path = path.expanduser()
        found = path.exists()
    except (OSError, RuntimeError):  # a path too long, a home of nobody
        found = False
    if not found:
        raise FileNotFoundError(f"{kind} file {str(path)!r} not found; looked in {Path.cwd()}")
    if path.is_dir():
        raise ValueError(f"{kind} {str(path)!r} is a folder; give one of the files in it")
    return path


def _decode(file: IO[bytes], name: str) -> Image.Image:
    """Decode an image file; `name` stands for it in messages."""
    bomb = (
        f"{name} has more than {MAX_FILE_PIXELS / 1e6:.0f} megapixels; scale it down, or decode "
        "it yourself and pass the array"
    )
    try:
        image = Image.open(file)  # the header only
    except UnidentifiedImageError as error:
        raise ValueError(f"{name} is not in an image format that Pillow can read") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(bomb) from error
    except Exception as error:  # for the reason in _upright
        raise ValueError(f"{name} is damaged: {error}") from error
    if image.width * image.height > MAX_FILE_PIXELS:
        raise ValueError(bomb)
    return _upright(image, name)


def _upright(image: Image.Image, name: str) -> Image.Image:
    """Decode a picture, and turn it as its EXIF orientation says."""
    if not (image.width and image.height):
        raise ValueError(f"{name} is empty: width {image.width}, height {image.height}")
    try:
        return ImageOps.exif_transpose(image)  # decodes
    # On damaged files Pillow raises whatever its parsers run into: OSError, SyntaxError,
    # struct.error, IndexError and more.
    except Exception as error:
        raise ValueError(f"{name} is damaged or truncated: {error}") from error


def _to_rgb(image: Image.Image, name: str) -> Pixels:
    match image.mode:
        case "F" | "I;16" | "I;16L" | "I;16B" | "I;16N":  # Pillow would cut, not scale, these
            return _from_array(np.asarray(image))
        case "I":
            return _from_array(_sixteen_bits(np.asarray(image), name))
        case "P" | "PA":  # straight to RGB, Pillow warns of the lost transparency
            image = image.convert("RGBA")
    return np.array(image.convert("RGB"))


def _sixteen_bits(array: NDArray[Any], name: str) -> NDArray[np.uint16]:
    """Narrow 32-bit integers, which is how Pillow holds the 16 bits of some formats."""
    limits = np.iinfo(np.uint16)
    if array.min() < limits.min or array.max() > limits.max:
        raise ValueError(
            f"{name} holds values from {array.min()} to {array.max()}, expected 0..65535 in "
            "Pillow's mode 'I'; scale them and pass an array"
        )
    return array.astype(np.uint16)


def _from_tensor(image: Tensor) -> Pixels:
    shape = list(image.shape)
    match shape:
        case [_, _]:
            pass
        case [channels, _, _] if channels in CHANNELS:
            image = image.permute(1, 2, 0)
        case [_, _, channels] if channels in CHANNELS:
            raise ValueError(
                f"image {shape} looks like [H, W, {channels}]; torch images are "
                f"[{channels}, H, W]: use .permute(2, 0, 1)"
            )
        case _:
            raise ValueError(
                f"image must be one tensor [3, H, W], [1, H, W] or [H, W], got {shape}"
            )
    image = image.detach().cpu()
    # NumPy has no bfloat16.
    return _from_array((image.float() if image.is_floating_point() else image).numpy())


def _from_array(image: NDArray[Any]) -> Pixels:
    shape = list(image.shape)
    match shape:
        case [_, _]:
            image = image[:, :, None]
        case [_, _, channels] if channels in CHANNELS:
            image = image[:, :, :3]
        case [channels, _, _] if channels in CHANNELS:
            raise ValueError(
                f"image {shape} looks like [{channels}, H, W]; arrays are [H, W, {channels}]: "
                "use .transpose(1, 2, 0)"
            )
        case _:
            raise ValueError(f"image must be one array [H, W, 3] or [H, W], got {shape}")
    if not image.size:
        raise ValueError(f"image is empty: its shape is {shape}")
    image = _to_uint8(image)
    return np.ascontiguousarray(image if image.shape[2] > 1 else image.repeat(3, axis=2))


def _to_uint8(image: NDArray[Any]) -> Pixels:
    """Scale numbers of another type to 0..255."""
    match image.dtype.kind, image.dtype.itemsize:
        case "u", 1:
            return image
        case "u", 2:
            return ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)  # round(image / 257)
        case "f", _:
            return _float_to_uint8(image)
    raise TypeError(
        f"image holds {image.dtype} numbers; expected uint8 in 0..255, uint16 in 0..65535 or "
        "float in 0..1: convert it, such as with .astype('uint8')"
    )


def _float_to_uint8(image: NDArray[Any]) -> Pixels:
    low, high = image.min(), image.max()  # NaN if any pixel is
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError("image has NaN or infinite pixels; expected floats in 0..1")
    if high > 1 + FLOAT_TOLERANCE:
        raise ValueError(
            f"image has floats up to {high:g}, expected 0..1; divide by 255, or convert to uint8"
        )
    if low < -FLOAT_TOLERANCE:
        raise ValueError(
            f"image has floats down to {low:g}, expected 0..1; give it before any normalisation"
        )
    return np.rint(image.clip(0, 1) * 255).astype(np.uint8)
