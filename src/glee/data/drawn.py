"""Drawn data sets: images and clips of coloured shapes with exact truth, for tests and examples."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from glee.data.schema import Frame, Sample, Supervision
from glee.data.shapes import DrawnFrame, Kind, Place, Shape, draw_clip
from glee.ops.boxes import xyxy_to_xywh
from glee.ops.masks import encode_rle, mask_to_boxes

NAMES: tuple[Kind, ...] = ("disc", "square", "triangle")

COLOURS = {"red": (200, 40, 40), "blue": (40, 40, 200), "yellow": (220, 200, 40)}

WALL = (60, 60, 60)


@dataclass(frozen=True, slots=True, eq=False)
class DrawnSamples:
    """Samples that are drawn, in memory.

    names    of the shapes
    samples  images or clips
    """

    names: tuple[str, ...]
    samples: tuple[Sample, ...]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[index]


def drawn_images(count: int, *, side: int = 96, seed: int = 0) -> DrawnSamples:
    """Draw square images of one shape of each kind, apart from each other, in any colours."""
    rng = np.random.default_rng(seed)
    samples = []
    for number in range(count):
        shapes = _scatter(rng, side)
        frame = _to_frame(next(draw_clip(shapes, (side, side))), shapes)
        key = f"image {number}"
        samples.append(Sample(key=key, frames=(frame,), supervision=Supervision(masks=True)))
    return DrawnSamples(NAMES, tuple(samples))


def drawn_expressions(count: int, *, side: int = 96, seed: int = 0) -> DrawnSamples:
    """Draw the same images as `drawn_images`, each with an expression for one of its shapes."""
    rng = np.random.default_rng(seed)
    samples = []
    for number in range(count):
        shapes = _scatter(rng, side)
        frame = _to_frame(next(draw_clip(shapes, (side, side))), shapes)
        chosen = shapes[number % len(shapes)]
        colour = next(name for name, value in COLOURS.items() if value == chosen.colour)
        samples.append(
            Sample(
                key=f"image {number}",
                frames=(_only(frame, frame.names.index(chosen.kind)),),
                expressions=(f"the {colour} {chosen.kind}",),
                supervision=Supervision(masks=True),
            )
        )
    return DrawnSamples((), tuple(samples))


def drawn_clips(count: int, *, length: int = 12, side: int = 96, seed: int = 0) -> DrawnSamples:
    """Draw clips of two shapes, of which one passes behind a wall, which is no object."""
    rng = np.random.default_rng(seed)
    samples = []
    for number in range(count):
        shapes = _passing(rng, length, side)
        frames = tuple(_to_frame(one, shapes) for one in draw_clip(shapes, (side, side)))
        key = f"clip {number}"
        samples.append(Sample(key=key, frames=frames, supervision=Supervision(masks=True)))
    return DrawnSamples(NAMES, tuple(samples))


def write_coco(samples: DrawnSamples, folder: Path) -> Path:
    """Write drawn images as a data set in COCO's format and return its annotation file."""
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for number in range(len(samples)):
        frame = samples[number].frames[0]
        assert isinstance(frame.image, np.ndarray)  # drawn in memory
        name = f"{number:04}.png"
        Image.fromarray(frame.image).save(folder / "images" / name)
        height, width = frame.size
        images.append({"id": number, "file_name": name, "height": height, "width": width})
        boxes = xyxy_to_xywh(torch.from_numpy(frame.boxes)).tolist()
        for label, box, mask in zip(frame.names, boxes, frame.masks or (), strict=True):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": samples.names.index(label) + 1,
                    "bbox": box,
                    "area": box[2] * box[3],
                    "segmentation": mask,
                    "iscrowd": 0,
                }
            )
    categories = [{"id": n + 1, "name": name} for n, name in enumerate(samples.names)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    path = folder / "annotations.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def _scatter(rng: np.random.Generator, side: int) -> list[Shape]:
    """Place one shape of each kind, in three of the four quarters of a square."""
    quarters = rng.permutation(4)[: len(NAMES)]
    colours = list(COLOURS.values())
    shapes = []
    for number, (kind, quarter) in enumerate(zip(NAMES, quarters, strict=True)):
        radius = side * rng.uniform(0.12, 0.2)
        room = side / 2 - 2 * radius
        x, y = (side / 2 * at + radius + rng.uniform(0, room) for at in divmod(int(quarter), 2))
        colour = colours[int(rng.integers(len(colours)))]
        shapes.append(Shape(kind, colour, [(x, y, radius)], number))
    return shapes


def _passing(rng: np.random.Generator, length: int, side: int) -> list[Shape]:
    """Move two shapes along the middle and the top of a square, with a wall in its middle."""
    order = rng.permutation(len(NAMES))
    colours = rng.permutation(len(COLOURS))
    values = list(COLOURS.values())
    low, high = 0.14 * side, 0.86 * side
    forward = np.linspace(low, high, length)
    hidden: list[Place | None] = [(float(x), 0.65 * side, 0.11 * side) for x in forward]
    seen: list[Place | None] = [(float(x), 0.2 * side, 0.13 * side) for x in forward[::-1]]
    wall: list[Place | None] = [(side / 2, 0.65 * side, 0.16 * side)] * length
    return [
        Shape(NAMES[order[0]], values[colours[0]], hidden, 0),
        Shape(NAMES[order[1]], values[colours[1]], seen, 1),
        Shape("square", WALL, wall, -1),
    ]


def _to_frame(drawn: DrawnFrame, shapes: Sequence[Shape]) -> Frame:
    masks = torch.from_numpy(drawn.masks)
    kinds = {shape.identity: shape.kind for shape in shapes}
    identities = tuple(int(one) for one in drawn.identities)
    return Frame(
        image=drawn.pixels,
        size=(drawn.pixels.shape[0], drawn.pixels.shape[1]),
        boxes=_boxes(mask_to_boxes(masks).numpy()),
        names=tuple(kinds[one] for one in identities),
        masks=tuple(encode_rle(masks)),
        track_ids=identities,
    )


def _boxes(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    return boxes.reshape(-1, 4).astype(np.float32)


def _only(frame: Frame, row: int) -> Frame:
    """Return a frame with one of its objects."""
    assert frame.masks is not None  # every drawn object has one
    return Frame(
        image=frame.image,
        size=frame.size,
        boxes=frame.boxes[row : row + 1],
        names=(frame.names[row],),
        masks=(frame.masks[row],),
    )
