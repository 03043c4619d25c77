"""Looks: light and colour of objects, shadows, blur and noise, so that pasting leaves no trace."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageFilter

from glee.data.corpus.draws import chance
from glee.data.corpus.layers import Layer, Size, overlap
from glee.images import Pixels

OPAQUE = 255

NOISE_TILE = 96
"""Side of the square of noise that is repeated over the picture."""

SHADOW_SCALE = 4
"""Shadows are soft: they are drawn at a fraction of the size."""


def relight(pixels: Pixels, rng: Generator, *, strength: float = 1.0) -> Pixels:
    """Change brightness, contrast, tint and saturation of RGBA pixels [h, w, 4] a little."""
    gain = np.exp(rng.normal(0, 0.14 * strength)) * np.exp(rng.normal(0, 0.04 * strength, 3))
    gamma = float(np.exp(rng.normal(0, 0.15 * strength)))
    ramp = (np.arange(256) / 255) ** gamma * 255
    tables = np.clip(ramp * gain[:, None], 0, 255).round().astype(np.uint8)  # [3, 256]
    changed = pixels.copy()
    for channel, table in enumerate(tables):
        changed[..., channel] = table.take(pixels[..., channel])
    if chance(rng, 0.3 * strength):
        colors = changed[..., :3].astype(np.float32)
        grey = colors.mean(axis=2, keepdims=True)
        mixed = grey + (colors - grey) * np.float32(rng.uniform(0.5, 1.4))
        changed[..., :3] = mixed.clip(0, 255)
    return changed


def paint(
    background: Image.Image, layers: Sequence[Layer], rng: Generator, *, shadows: bool
) -> Pixels:
    """Return the pixels [H, W, 3] of an RGB background with layers on it, the last one on top."""
    canvas = np.array(background)
    for layer in layers:
        if not layer.solid.size:
            continue
        if shadows:
            _cast_shadow(canvas, layer, rng)
        _blend(canvas, layer)
    return canvas


def _blend(canvas: Pixels, layer: Layer) -> None:
    """Put a layer on a canvas; only what its alpha neither hides nor shows is computed."""
    window, alpha, colors = canvas[layer.window], layer.pixels[..., 3], layer.pixels[..., :3]
    np.copyto(window, colors, where=(alpha == OPAQUE)[..., None])
    rows, columns = np.nonzero((alpha > 0) & (alpha < OPAQUE))
    weight = alpha[rows, columns, None].astype(np.uint16)
    # At most 255 * 255 + 127: no overflow.
    mixed = window[rows, columns] * (OPAQUE - weight) + colors[rows, columns] * weight + 127
    window[rows, columns] = mixed // OPAQUE


def _cast_shadow(canvas: Pixels, layer: Layer, rng: Generator) -> None:
    """Darken the canvas beneath and beside a layer."""
    alpha = np.ascontiguousarray(layer.pixels[..., 3])
    width, height = (max(1, side // SHADOW_SCALE) for side in alpha.shape[::-1])
    reach = max(width, height)
    pad = reach // 4 + 1
    shape = Image.new("L", (width + 2 * pad, height + 2 * pad))
    shape.paste(Image.fromarray(alpha).resize((width, height)), (pad, pad))
    shape = shape.filter(ImageFilter.BoxBlur(1 + reach * rng.uniform(0.02, 0.12)))
    whole = np.asarray(shape.resize((shape.width * SHADOW_SCALE, shape.height * SHADOW_SCALE)))
    shift = rng.uniform(-0.08, 0.08) * reach, rng.uniform(0.02, 0.1) * reach
    left, top = (
        round(place + SHADOW_SCALE * (move - pad))
        for place, move in zip(layer.corner, shift, strict=True)
    )
    part, corner = overlap((left, top), whole.shape, (canvas.shape[0], canvas.shape[1]))
    (left, top), (height, width) = corner, whole[part].shape
    kept = OPAQUE - whole[part].astype(np.uint16) * int(100 * rng.uniform(0.15, 0.5)) // 100
    window = canvas[top : top + height, left : left + width]
    window[...] = window * kept[..., None] // OPAQUE


def photograph(pixels: Pixels, rng: Generator) -> Pixels:
    """Return pixels [H, W, 3] as a camera might give them.

    Sometimes out of focus, noisy, or compressed as JPEG.
    """
    if chance(rng, 0.2):
        blur = ImageFilter.BoxBlur(rng.uniform(0.4, 1.5))
        pixels = np.array(Image.fromarray(pixels).filter(blur))
    if chance(rng, 0.25):
        pixels = _add_noise(pixels, rng)
    if chance(rng, 0.5):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "JPEG", quality=int(rng.integers(35, 96)))
        pixels = np.array(Image.open(stream))
    return pixels


def _add_noise(pixels: Pixels, rng: Generator) -> Pixels:
    strength = rng.uniform(2, 9)
    tile = rng.normal(0, strength, (NOISE_TILE, NOISE_TILE, 3)).astype(np.int16)
    height, width = pixels.shape[:2]
    times = (-(-height // NOISE_TILE), -(-width // NOISE_TILE), 1)
    noise = np.tile(tile, times)[:height, :width]
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def texture(size: Size, rng: Generator) -> Image.Image:
    """Return a background that shows nothing: a gradient, or clouds of colour."""
    height, width = size
    cells = (2, 2) if chance(rng, 0.5) else tuple(rng.integers(3, 8, 2).tolist())
    colors = rng.integers(0, 256, (*cells, 3))
    middle = rng.integers(0, 256, 3)
    # Colours near one another, as on walls, skies and floors.
    spread = rng.uniform(0.05, 0.45)
    mixed = (middle + (colors - middle) * spread).astype(np.uint8)
    picture = Image.fromarray(mixed).resize((width, height), Image.Resampling.BICUBIC)
    if chance(rng, 0.5):
        picture = Image.fromarray(_add_noise(np.asarray(picture), rng))
    return picture
