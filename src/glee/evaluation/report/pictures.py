"""Pictures of single images: what was annotated beside what was predicted."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from glee.draw import draw_instances
from glee.evaluation.arrays import BoolArray, Id, IntArray
from glee.evaluation.evidence import Evidence
from glee.evaluation.objects import Annotations, Predictions
from glee.evaluation.regions import Boxes, Masks
from glee.evaluation.report.worst import Pair
from glee.ops.masks import Rle, decode_rle, mask_to_boxes
from glee.results import Instances

LONGEST_SIDE = 640  # of a picture in the report, in pixels
QUALITY = 80  # of JPEG
SHOWN = 50  # objects in one picture, the surest: more cannot be told apart

# Rows of the palette of drawn objects: green, and red.
RIGHT, WRONG = 1, 2


@dataclass(frozen=True, slots=True)
class Side:
    """Objects to be drawn on a picture.

    objects  all annotated or all predicted ones
    rows     [N] which of them
    right    [N] bool, drawn green and not red
    scores   [N] what is written beside their names
    fault    what is written behind the name of one that is wrong
    """

    objects: Annotations | Predictions
    rows: IntArray
    right: BoolArray
    scores: list[float]
    fault: str


def draw_pair(
    picture: Image.Image | None, evidence: Evidence, unit: int, pair: Pair, names: Mapping[Id, str]
) -> tuple[str, str]:
    """Return the annotated and the predicted objects of one image as two data URIs.

    picture  as it was evaluated; without it, objects are drawn on grey
    names    what people call the categories
    """
    height, width = evidence.annotations.catalog.unit_sizes[unit].tolist()
    if picture is None or picture.size != (width, height):
        picture = Image.new("RGB", (width, height), (128, 128, 128))
    true, found = pair.true[:SHOWN], pair.found[:SHOWN]
    rows, right = pair.rows[:SHOWN], pair.right[:SHOWN]
    scores = evidence.predictions.scores[rows].clip(0, 1).tolist()
    sides = (
        Side(evidence.annotations, true, found, [1.0] * len(true), "missed"),
        Side(evidence.predictions, rows, right, scores, "false"),
    )
    uris = [_draw(picture, side, names, scores=number > 0) for number, side in enumerate(sides)]
    return uris[0], uris[1]


def _draw(picture: Image.Image, side: Side, names: Mapping[Id, str], *, scores: bool) -> str:
    ids = side.objects.catalog.category_ids
    categories = [ids[row] for row in side.objects.categories[side.rows]]
    labels = [
        f"{names.get(one, one)}{'' if right else f' ({side.fault})'}"
        for one, right in zip(categories, side.right, strict=True)
    ]
    size = (picture.height, picture.width)
    shown = _shrink(picture)
    boxes, masks = _regions(side, size, (shown.height, shown.width))
    found = Instances(
        boxes=boxes,
        scores=torch.tensor(side.scores, dtype=torch.float32),
        labels=torch.arange(len(labels)),
        names=tuple(labels),
        image_size=(shown.height, shown.width),
        masks=masks,
        prompt_ids=torch.from_numpy(np.where(side.right, RIGHT, WRONG).astype(np.int64)),
    )
    return to_data_uri(draw_instances(shown, found, scores=scores))


def _shrink(picture: Image.Image) -> Image.Image:
    share = min(1.0, LONGEST_SIDE / max(picture.size))
    width, height = (max(1, round(side * share)) for side in picture.size)
    return picture.convert("RGB").resize((width, height))


def _regions(
    side: Side, size: tuple[int, int], shown: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return boxes [N, 4] xyxy, and masks [N, H, W] if there are any, at the size shown."""
    regions = side.objects.regions.take(side.rows)
    scale = torch.tensor([shown[1] / size[1], shown[0] / size[0]] * 2)
    match regions:
        case Boxes(xywh):
            boxes = torch.from_numpy(xywh).float().reshape(-1, 4)
            boxes[:, 2:] += boxes[:, :2]
            return boxes * scale, None
        case Masks(counts):
            texts = [Rle(size=list(size), counts=one.decode()) for one in counts]
            masks = decode_rle(texts, size)
            small = torch.zeros(len(masks), *shown, dtype=torch.bool)
            for row, mask in enumerate(masks.numpy()):
                nearest = Image.fromarray(mask).resize((shown[1], shown[0]))
                small[row] = torch.from_numpy(np.array(nearest, dtype=np.bool_))
            return mask_to_boxes(small).float(), small
    raise TypeError(f"only boxes and masks of images can be drawn, got {type(regions).__name__}")


def to_data_uri(picture: Image.Image) -> str:
    """Return a picture as text that a page holds in itself."""
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
