"""A contact sheet: some samples of a data set on one picture, with what is annotated in them."""

import torch
from PIL import Image, ImageDraw

from glee.data.check import spread
from glee.data.scene import Scene, open_frame
from glee.data.schema import BadSampleError, Samples
from glee.data.transforms import resize
from glee.draw import draw_instances
from glee.fonts import lacking_in, load_fonts, spell
from glee.results import Instances

TILE = (320, 240)
"""Width and height of each picture."""

GAP, CAPTION, FONT_SIZE = 6, 20, 13
"""Pixels between pictures, and for the line of text below each."""

BACKGROUND, INK = (250, 250, 250), (20, 20, 20)


def contact_sheet(samples: Samples, *, columns: int = 4, rows: int = 3) -> Image.Image:
    """Draw samples that are evenly spread; those that cannot be opened are left out.

    Below an image with expressions stands the first of them. Of a clip the middle frame is drawn.
    """
    width, height = TILE[0] + GAP, TILE[1] + CAPTION + GAP
    sheet = Image.new("RGB", (columns * width + GAP, rows * height + GAP), BACKGROUND)
    place = 0
    # Some may be bad: then others take their places.
    tried = [*spread(len(samples), columns * rows), *spread(len(samples), 4 * columns * rows)]
    for number in dict.fromkeys(tried):
        try:
            sample = samples[number]
            frame = sample.frames[len(sample.frames) // 2]
            scene = _shrink(open_frame(frame, sample.supervision))
        except BadSampleError:
            continue
        if place == columns * rows:
            break
        left, top = GAP + place % columns * width, GAP + place // columns * height
        sheet.paste(_draw(scene), (left + (TILE[0] - scene.size[1]) // 2, top))
        caption = sample.expressions[0] if sample.expressions else f"{len(frame)} objects"
        _write(sheet, (left, top + TILE[1]), caption)
        place += 1
    return sheet


def _shrink(scene: Scene) -> Scene:
    """Make an image as large as fits into a tile; before drawing, so that names stay legible."""
    height, width = scene.size
    scale = min(TILE[0] / width, TILE[1] / height)
    return resize(scene, (max(1, int(height * scale)), max(1, int(width * scale))))


def _draw(scene: Scene) -> Image.Image:
    """Draw the objects of a scene."""
    names = tuple(dict.fromkeys(scene.names))
    found = Instances(
        boxes=scene.boxes.reshape(-1, 4),
        scores=torch.ones(len(scene)),
        labels=torch.tensor([names.index(name) for name in scene.names], dtype=torch.int64),
        names=names,
        image_size=scene.size,
        masks=scene.masks,
    )
    return draw_instances(scene.pixels, found, scores=False)


def _write(sheet: Image.Image, place: tuple[int, int], text: str) -> None:
    """Write a line of text, cut to the width of a picture."""
    font = load_fonts(set(text), FONT_SIZE, None)[-1]
    text = spell(text, lacking_in(font, text), font)
    while len(text) > len("....") and font.getlength(text) > TILE[0]:
        text = f"{text[:-4]}..."
    ImageDraw.Draw(sheet).text(place, text, font=font, fill=INK)
