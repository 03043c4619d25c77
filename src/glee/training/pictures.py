"""Pictures of what a network sees in training: its predictions beside the truth."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from glee.data.collate import Batch
from glee.draw import draw_instances
from glee.files import replacing
from glee.inference.postprocess import Selection, find_objects
from glee.inference.preprocess import PIXEL_MEAN, PIXEL_STD, ImageGeometry
from glee.model.interfaces import GleeOutputs
from glee.ops.boxes import cxcywh_to_xyxy, scale_boxes
from glee.results import Instances

FOLDER = "pictures"

LEAST_SCORE = 0.3

GAP = 4
"""Pixels between the two halves of a picture."""


def save_picture(folder: Path, step: int, batch: Batch, outputs: GleeOutputs) -> Path:
    """Draw the first image of a batch, the truth on the left and predictions on the right.

    folder   of the run; pictures are in a folder of their own, named by the step
    outputs  what the network predicted for the batch
    """
    path = folder / FOLDER / f"{step:07}.jpg"
    picture = draw_comparison(batch, outputs)
    with replacing(path) as beside:
        picture.save(beside, format="JPEG", quality=88)
    return path


@torch.no_grad()
def draw_comparison(batch: Batch, outputs: GleeOutputs) -> Image.Image:
    """Return the first image of a batch twice: with the truth, and with predictions."""
    pixels = _to_pixels(batch.pixels[0], batch.sizes[0])
    halves = [
        draw_instances(pixels, found) for found in (true_objects(batch), _found(batch, outputs))
    ]
    height, width = batch.sizes[0]
    picture = Image.new("RGB", (2 * width + GAP, height), "white")
    for half, left in zip(halves, (0, width + GAP), strict=True):
        picture.paste(half, (left, 0))
    return picture


def true_objects(batch: Batch) -> Instances:
    """Return the truth of the first image of a batch, in its pixels."""
    truth, (height, width) = batch.truth[0].to(torch.device("cpu")), batch.sizes[0]
    padded = batch.pixels.shape[2], batch.pixels.shape[3]
    return Instances(
        boxes=scale_boxes(cxcywh_to_xyxy(truth.boxes_cxcywh), padded),
        scores=torch.ones(len(truth)),
        labels=truth.labels,
        names=_names(batch),
        image_size=(height, width),
        masks=None if truth.masks is None else truth.masks[:, :height, :width],
    )


def _found(batch: Batch, outputs: GleeOutputs) -> Instances:
    size, padded = batch.sizes[0], (batch.pixels.shape[2], batch.pixels.shape[3])
    found = find_objects(
        replace(outputs, final=outputs.final.float()),
        0,
        ImageGeometry(original=size, resized=size, padded=padded, content=size),
        Selection(threshold=LEAST_SCORE, max_objects=30),
    )
    return Instances(
        boxes=found.boxes,
        scores=found.scores,
        labels=found.labels,
        names=_names(batch),
        image_size=size,
        masks=found.masks,
    )


def _names(batch: Batch) -> tuple[str, ...]:
    return batch.names or batch.expressions[:1]


def _to_pixels(
    normalised: Tensor, size: tuple[int, int]
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return an image [H, W, 3] uint8 without its padding."""
    shown = normalised[:, : size[0], : size[1]].cpu().permute(1, 2, 0)
    values = shown * torch.tensor(PIXEL_STD) + torch.tensor(PIXEL_MEAN)
    return values.round().clamp(0, 255).byte().numpy()
