"""Contact sheets: samples drawn with their masks, names, tracks and expressions."""

from collections.abc import Sequence
from itertools import islice

import torch
from PIL import Image, ImageDraw

from glee.data.scene import Scene, open_frame
from glee.data.schema import Sample, Samples
from glee.draw import draw_instances
from glee.fonts import load_fonts
from glee.results import Instances

CELL = 320
"""Sides of the place of a picture, in pixels."""

LINE, LINES, FONT = 18, 3, 14
"""Height of a line of text, how many there are beneath a picture, and the size of the letters."""

COLUMNS = 4
"""Pictures side by side; as many frames of a clip."""

INK, PAPER = (235, 235, 235), (24, 24, 24)


def draw_sheet(samples: Samples, rows: Sequence[int]) -> Image.Image:
    """Draw some samples of a source: images in columns, clips as a line of frames each.

    Raises ValueError if there are none to draw.
    """
    cells = [cell for row in rows for cell in _draw_sample(samples[row])]
    if not cells:
        raise ValueError("rows is empty; give at least one sample to draw")
    height = CELL + LINES * LINE
    lines = -(-len(cells) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * CELL, lines * height), PAPER)
    for number, cell in enumerate(cells):
        sheet.paste(cell, (number % COLUMNS * CELL, number // COLUMNS * height))
    return sheet


def _draw_sample(sample: Sample) -> list[Image.Image]:
    length = len(sample.frames)
    chosen = [0] if length == 1 else [n * (length - 1) // (COLUMNS - 1) for n in range(COLUMNS)]
    scenes = [open_frame(sample.frames[n], sample.supervision) for n in chosen]
    texts: Sequence[str] = sample.expressions
    if texts and not len(scenes[0]):
        texts = [f"nothing is: {text}" for text in texts]
    return [_draw_cell(scene, texts) for scene in scenes]


def _draw_cell(scene: Scene, texts: Sequence[str]) -> Image.Image:
    """Return one image with its objects, and texts beneath it."""
    names = tuple(dict.fromkeys(scene.names)) or ("nothing",)
    labels = [names.index(name) for name in scene.names]
    found = Instances(
        boxes=scene.boxes,
        scores=torch.ones(len(scene)),
        labels=torch.tensor(labels, dtype=torch.int64),
        names=names,
        image_size=scene.size,
        masks=scene.masks,
        track_ids=scene.track_ids,
    )
    picture = draw_instances(scene.pixels, found, scores=False, names=not texts)
    picture.thumbnail((CELL - 4, CELL - 4))
    cell = Image.new("RGB", (CELL, CELL + LINES * LINE), PAPER)
    cell.paste(picture, (0, 0))
    draw = ImageDraw.Draw(cell)
    font = load_fonts(set("".join(texts)), FONT, None)[-1]
    # One of each description, which follow each other.
    for number, text in enumerate(islice(texts, 0, None, max(1, len(texts) // LINES))):
        if number < LINES:
            draw.text((4, CELL + number * LINE), text, fill=INK, font=font)
    return cell
