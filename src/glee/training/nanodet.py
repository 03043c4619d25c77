"""NanoDet-g, a small detector of COCO's 80 names: a teacher for development, never shipped."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from glee.config import CspConfig
from glee.inference.preprocess import normalise
from glee.model.backbones.csp import NEGATIVE_SLOPE, CspNet, convert_csp
from glee.model.interfaces import FeaturePyramid
from glee.ops.boxes import clip_boxes, suppress_overlaps
from glee.results import Instances

STRIDES = (8, 16, 32)
NUM_BINS = 11  # of a distance to a side of the box, 0..10 strides

SIDE = 416  # pixels, at which it was trained
OVERLAP = 0.6  # of two boxes of one name, above which the weaker one is dropped
MAX_OBJECTS = 100

# fmt: off
COCO_NAMES = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat",
    "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack",
    "umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball",
    "kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket",
    "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple",
    "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair",
    "couch", "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote",
    "keyboard", "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "book",
    "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
)
# fmt: on


class NanoDetHead(nn.Module):
    """Scores and distances at every cell, of each level on its own (arXiv:2006.04388)."""

    def __init__(self, width: int, num_names: int) -> None:
        super().__init__()
        self.width, self.num_names = width, num_names
        channels = num_names + 4 * NUM_BINS
        self.towers = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in STRIDES)
        self.predictors = nn.ModuleList(nn.Conv2d(width, channels, 1) for _ in STRIDES)

    def forward(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Return logits of names [B, S, K] and of the distances [B, S, 4 * bins].

        maps  [B, C, h, w] of strides 8, 16 and 32; their cells follow each other row by row
        """
        return self.predict(
            tuple(
                F.leaky_relu(tower(x), NEGATIVE_SLOPE)
                for x, tower in zip(maps, self.towers, strict=True)
            )
        )

    def predict(self, towers: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Return the same of what the towers made of the maps."""
        levels = [predict(x).flatten(2) for x, predict in zip(towers, self.predictors, strict=True)]
        cells = torch.cat(levels, dim=2).transpose(1, 2)
        return cells[..., : self.num_names], cells[..., self.num_names :]


class NanoDet(nn.Module):
    """NanoDet-g (https://github.com/RangiLyu/nanodet), its batch norms folded."""

    def __init__(self, config: CspConfig, num_names: int) -> None:
        super().__init__()
        self.encoder = CspNet(config)
        self.head = NanoDetHead(config.neck_width, num_names)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores [B, S, K] in 0..1 and boxes [B, S, 4], xyxy in pixels, of all cells.

        pixels  [B, 3, H, W] RGB, normalised, H and W multiples of 32
        """
        maps = self.encoder(pixels).maps[1:]
        logits, distances = self.head(maps)
        height, width = pixels.shape[2:]
        return logits.sigmoid(), decode_boxes(distances, (height, width))


class NanoDetOnPyramid(nn.Module):
    """The last layer of NanoDet-g, on maps that another network's encoder took from it.

    starts  where among the channels of each map, of strides 8, 16 and 32, those of the detector's
            towers begin
    """

    def __init__(self, head: NanoDetHead, starts: tuple[int, ...]) -> None:
        super().__init__()
        self.head, self.starts = head, starts

    def forward(self, pixels: Tensor, pyramid: FeaturePyramid) -> tuple[Tensor, Tensor]:
        """Return scores and boxes of all cells of pixels [B, 3, H, W]; see `NanoDet`."""
        width = self.head.width
        towers = tuple(
            x[:, start : start + width]
            for x, start in zip(pyramid.maps[1:], self.starts, strict=True)
        )
        logits, distances = self.head.predict(towers)
        return logits.sigmoid(), decode_boxes(distances, (pixels.shape[2], pixels.shape[3]))


def decode_boxes(distances: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the boxes [B, S, 4] of all cells, xyxy in pixels of the input, cut at its borders.

    distances  [B, S, 4 * bins] logits: how many strides each side is from the cell's centre, left,
               top, right, bottom. Expected is their mean (arXiv:2006.04388, equation 5)
    size       (height, width) of the input
    """
    shares = distances.unflatten(-1, (4, NUM_BINS)).softmax(-1)
    steps = shares @ torch.arange(NUM_BINS, dtype=shares.dtype, device=shares.device)
    centres, strides = _cells(size)
    centres, strides = centres.to(steps), strides.to(steps)
    low, high = (steps * strides).split(2, dim=-1)
    return clip_boxes(torch.cat([centres - low, centres + high], dim=-1), size)


def _cells(size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the centres [S, 2], (x, y) in pixels, and the strides [S, 1] of all cells."""
    centres, strides = [], []
    for stride in STRIDES:
        rows, columns = (torch.arange(side // stride) for side in size)
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        level = (torch.stack([x, y], dim=-1).flatten(0, 1) + 0.5) * stride
        centres.append(level)
        strides.append(torch.full((len(level), 1), float(stride)))
    return torch.cat(centres), torch.cat(strides)


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How an image was brought into a square: scaled by `scale`, then moved by (left, top)."""

    scale: float
    left: int
    top: int

    def to_original(self, xyxy: Tensor) -> Tensor:
        """Turn boxes [..., 4] of the square into boxes of the image."""
        return (xyxy - xyxy.new_tensor([self.left, self.top] * 2)) / self.scale


def letterbox(image: NDArray[np.uint8], side: int) -> tuple[Tensor, Letterbox]:
    """Scale an image [H, W, 3] to fit a black square, and put it in the middle.

    Returns pixels [1, 3, side, side], normalised, and the way back.
    """
    height, width = image.shape[:2]
    scale = side / max(height, width)
    inner = max(round(height * scale), 1), max(round(width * scale), 1)
    top, left = (side - inner[0]) // 2, (side - inner[1]) // 2
    resized = Image.fromarray(image).resize(inner[::-1], Image.Resampling.BILINEAR)
    canvas = Image.new("RGB", (side, side))
    canvas.paste(resized, (left, top))
    pixels = torch.from_numpy(np.array(canvas)).permute(2, 0, 1).float()
    return normalise(pixels)[None], Letterbox(scale, left, top)


@torch.no_grad()
def detect(
    teacher: NanoDet,
    image: NDArray[np.uint8],
    names: tuple[str, ...] = COCO_NAMES,
    *,
    threshold: float = 0.05,
    side: int = SIDE,
    most: int = MAX_OBJECTS,
) -> Instances:
    """Find the objects that a teacher knows, best first; by default as it was published.

    image      [H, W, 3] RGB, 0..255
    names      what the teacher knows, in the order of its outputs
    threshold  objects score higher than this, 0..1
    side       of the square that the image is brought into, a multiple of 32
    most       objects at most
    """
    pixels, way_back = letterbox(image, side)
    scores, boxes = teacher(pixels)
    cells, labels = (scores[0] > threshold).nonzero(as_tuple=True)
    kept_scores, kept_boxes = scores[0, cells, labels], boxes[0, cells]
    kept = suppress_overlaps(kept_boxes, kept_scores, labels, OVERLAP)[:most]
    size = image.shape[0], image.shape[1]
    return Instances(
        boxes=clip_boxes(way_back.to_original(kept_boxes[kept]), size),
        scores=kept_scores[kept],
        labels=labels[kept],
        names=names,
        image_size=size,
    )


def convert_nanodet(published: Mapping[str, Tensor], config: CspConfig) -> dict[str, Tensor]:
    """Return the weights of `NanoDet` from the published ones with folded norms.

    Raises ValueError if a tensor is missing.
    """
    encoder = convert_csp(published, config)
    weights = {f"encoder.{name}": value for name, value in encoder.items()}
    for level in range(len(STRIDES)):
        for ours, theirs in (("towers", "tower"), ("predictors", "pred")):
            for kind in ("weight", "bias"):
                source = f"head.{theirs}.p{level + 3}.{kind}"
                if source not in published:
                    raise ValueError(f"the published weights lack {source}")
                weights[f"head.{ours}.{level}.{kind}"] = published[source].float()
    return weights


def load_teacher(path: Path) -> NanoDet:
    """Read the published weights of NanoDet-g, a safetensors file, for COCO's 80 names.

    Raises FileNotFoundError if there is no such file, ValueError if it holds something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f"weights of the teacher not found: {path}")
    config = CspConfig(has_neck=True)
    try:
        published = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is no safetensors file, or is cut short: {error}") from error
    teacher = NanoDet(config, len(COCO_NAMES))
    weights = convert_nanodet(published, config)
    for name, value in teacher.state_dict().items():
        if weights[name].shape != value.shape:
            raise ValueError(
                f"{path}: {name} is {list(weights[name].shape)} instead of {list(value.shape)}"
            )
    teacher.load_state_dict(weights)
    # torch's annotations do not know `to` with a layout alone.
    return teacher.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
