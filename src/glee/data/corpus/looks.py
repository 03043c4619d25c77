"""Looks: light and colour of objects, shadows, blur and noise, so that pasting leaves no trace."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from glee.data.corpus.draws import chance
from glee.data.corpus.layers import Layer, Size

NOISE_TILE = 96
"""Side of the square of noise that is repeated over the picture."""

SHADOW_SCALE = 4
"""Shadows are soft: they are drawn at a fraction of the size."""


def relight(picture: Image.Image, rng: Generator, *, strength: float = 1.0) -> Image.Image:
    """Change brightness, contrast, tint and saturation of an RGBA picture a little."""
    gain = np.exp(rng.normal(0, 0.14 * strength)) * np.exp(rng.normal(0, 0.04 * strength, 3))
    gamma = float(np.exp(rng.normal(0, 0.15 * strength)))
    ramp = (np.arange(256) / 255) ** gamma * 255
    tables = np.clip(ramp * gain[:, None], 0, 255).round().astype(np.uint8)  # [3, 256]
    pixels = np.array(picture)
    for channel, table in enumerate(tables):
        pixels[..., channel] = table.take(pixels[..., channel])
    changed = Image.fromarray(pixels)
    if chance(rng, 0.3 * strength):
        alpha = changed.getchannel("A")
        changed = ImageEnhance.Color(changed.convert("RGB")).enhance(rng.uniform(0.5, 1.4))
        changed.putalpha(alpha)
    return changed


def cast_shadow(canvas: Image.Image, layer: Layer, rng: Generator) -> None:
    """Darken the canvas beneath and beside a layer."""
    width, height = (max(1, side // SHADOW_SCALE) for side in layer.picture.size)
    reach = max(width, height)
    pad = reach // 4 + 1
    shape = Image.new("L", (width + 2 * pad, height + 2 * pad))
    shape.paste(layer.picture.getchannel("A").resize((width, height)), (pad, pad))
    strength = rng.uniform(0.15, 0.5)
    shape = shape.filter(ImageFilter.BoxBlur(1 + reach * rng.uniform(0.02, 0.12)))
    shape = shape.point([round(value * strength) for value in range(256)])
    whole = shape.resize((shape.width * SHADOW_SCALE, shape.height * SHADOW_SCALE))
    shift = rng.uniform(-0.08, 0.08) * reach, rng.uniform(0.02, 0.1) * reach
    corner = [
        round(place + SHADOW_SCALE * (move - pad))
        for place, move in zip(layer.corner, shift, strict=True)
    ]
    canvas.paste((0, 0, 0), (corner[0], corner[1]), whole)


def paint(
    background: Image.Image, layers: Sequence[Layer], rng: Generator, *, shadows: bool
) -> Image.Image:
    """Return the background with the layers on it, the last one on top."""
    canvas = background.copy()
    for layer in layers:
        if shadows and layer.solid.size:
            cast_shadow(canvas, layer, rng)
        canvas.paste(layer.picture, layer.corner, layer.picture)
    return canvas


def photograph(canvas: Image.Image, rng: Generator) -> NDArray[np.uint8]:
    """Return the pixels [H, W, 3] of a canvas as a camera might give them.

    Sometimes out of focus, noisy, or compressed as JPEG.
    """
    if chance(rng, 0.2):
        canvas = canvas.filter(ImageFilter.BoxBlur(rng.uniform(0.4, 1.5)))
    if chance(rng, 0.25):
        canvas = Image.fromarray(_add_noise(np.asarray(canvas), rng))
    if chance(rng, 0.5):
        stream = io.BytesIO()
        canvas.save(stream, "JPEG", quality=int(rng.integers(35, 96)))
        canvas = Image.open(stream)
    return np.array(canvas)


def _add_noise(pixels: NDArray[np.uint8], rng: Generator) -> NDArray[np.uint8]:
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
