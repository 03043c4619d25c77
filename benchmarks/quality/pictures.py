"""Annotated pictures of a network's results, each in a file and all on one sheet."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

from glee import Instances, Predictor, Prompts, draw_instances
from glee.data.corpus.words import HELD_OUT_WORDS
from glee.data.schema import Frame
from glee.files import replacing
from glee.images import load_image
from glee.ops.masks import mask_to_boxes
from quality.expressions import Saying
from quality.photos import Photos
from quality.videos import Video, follow_mask

COLUMNS, TILE, CAPTION = 5, 360, 22
"""Of the sheet: pictures side by side, and the sides of a picture and of its caption in pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What pictures are made of."""

    photos: Photos
    unseen: Sequence[Frame]
    sayings: Sequence[Saying]
    videos: Sequence[Video]


def draw_pictures(predictor: Predictor, shown: Shown) -> Iterator[tuple[str, Image.Image]]:
    """Yield captions and pictures: twenty, of all that the table is about."""
    names = list(shown.photos.names.values())
    for image in shown.photos.images[:7]:
        pixels = load_image(shown.photos.path(image))
        yield "80 names", draw_instances(pixels, predictor.predict(pixels, names))
    for image in shown.photos.images[:3]:
        pixels = load_image(shown.photos.path(image))
        things = [one["bbox"] for one in shown.photos.objects(image) if not one.get("iscrowd")][:6]
        boxes = [(x, y, x + max(w, 1), y + max(h, 1)) for x, y, w, h in things]
        if boxes:
            found = predictor.predict(pixels, Prompts(boxes=boxes))
            yield "masks of boxes", draw_instances(pixels, found, names=False)
    for frame in shown.unseen[:3]:
        pixels = load_image(frame.image)
        found = predictor.predict(pixels, list(HELD_OUT_WORDS))
        there = ", ".join(sorted(set(frame.names) & set(HELD_OUT_WORDS)))
        yield f"unseen: {there}", draw_instances(pixels, found)
    for saying in shown.sayings[:3]:
        pixels = load_image(saying.frame.image)
        found = predictor.predict(pixels, Prompts(expression=saying.text))
        yield saying.text, draw_instances(pixels, found, names=False)
    for video in shown.videos[:4]:
        yield _followed(predictor, video)


def _followed(predictor: Predictor, video: Video) -> tuple[str, Image.Image]:
    """Return the frame in the middle of a video with what its first mask is found as."""
    step = follow_mask(predictor, predictor.encode(video.frames[0]), video.truth()[0] > 0)
    pixels = load_image(video.frames[len(video.frames) // 2])
    masks = torch.from_numpy(step(predictor.encode(pixels)))[None]
    found = Instances(
        boxes=mask_to_boxes(masks),
        scores=torch.ones(1),
        labels=torch.zeros(1, dtype=torch.int64),
        names=(video.noun,),
        image_size=(pixels.shape[0], pixels.shape[1]),
        masks=masks,
    )
    return f"{video.name}: first mask", draw_instances(pixels, found, names=False)


def write_pictures(folder: Path, pictures: Iterable[tuple[str, Image.Image]]) -> int:
    """Write pictures into a folder, and `sheet.png` of all beside it; return their number."""
    tiles = []
    for number, (caption, picture) in enumerate(pictures, 1):
        name = re.sub(r"[^a-z0-9]+", "-", caption.lower()).strip("-")
        _save(picture, folder / "pictures" / f"{number:02}-{name}.jpg")
        tiles.append((caption, picture))
    sheet = _sheet(tiles)
    _save(sheet, folder / "sheet.png")
    return len(tiles)


def _sheet(tiles: Sequence[tuple[str, Image.Image]]) -> Image.Image:
    """Return all pictures side by side, each with its caption above it."""
    rows = -(-len(tiles) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * TILE, max(rows, 1) * (TILE + CAPTION)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=13)
    for number, (caption, picture) in enumerate(tiles):
        x, y = number % COLUMNS * TILE, number // COLUMNS * (TILE + CAPTION)
        draw.text((x + 4, y + 3), caption[:50], fill="black", font=font)
        small = picture.copy()
        small.thumbnail((TILE - 4, TILE - 4))
        sheet.paste(small, (x + 2, y + CAPTION))
    return sheet


def _save(picture: Image.Image, path: Path) -> None:
    with replacing(path) as beside:
        picture.save(beside, "PNG" if path.suffix == ".png" else "JPEG", quality=88)
