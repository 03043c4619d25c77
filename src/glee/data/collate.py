"""Batch: images of a batch padded to one size, the prompt, and the truth in its terms."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from glee.config import ResizeConfig
from glee.data.scene import Scene
from glee.data.targets import Targets
from glee.data.vocabulary import known_names
from glee.model.interfaces import Regions
from glee.ops.boxes import scale_boxes, xyxy_to_cxcywh

PADDING_GREY = 128
"""What fills a square canvas before normalisation, in all channels."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Batch:
    """Images and what is to be found in them.

    pixels       [B, 3, H, W] float32, normalised and padded at the right and the bottom
    sizes        (height, width) of each image inside that
    names        the names of the prompt, for all images; empty if there are expressions
    expressions  one for each image; empty if there are names
    truth        of each image
    frames       images of each clip, which follow each other; 1 for images
    regions      a mark on each image, or on the first frame of each clip; None if nothing is marked
    """

    pixels: Tensor
    sizes: tuple[tuple[int, int], ...]
    names: tuple[str, ...]
    expressions: tuple[str, ...]
    truth: tuple[Targets, ...]
    frames: int
    regions: Regions | None = None

    def to(self, device: torch.device) -> "Batch":
        """Return the same batch on another device."""
        return replace(
            self,
            pixels=self.pixels.to(device, non_blocking=True),
            truth=tuple(one.to(device) for one in self.truth),
            regions=None if self.regions is None else self.regions.to(device),
        )


def collate(
    clips: Sequence[Sequence[Scene]],
    names: tuple[str, ...],
    config: ResizeConfig,
    normalise: Callable[[Tensor], Tensor],
) -> Batch:
    """Join the samples of a batch.

    clips      the frames of each, one for an image; all of them with an expression, or none
    names      of the prompt; not used with expressions
    config     says how to pad: square, or to a multiple of its divisor
    normalise  turns pixels [3, H, W] float in 0..255 into those that the network reads

    Raises ValueError for an empty batch, clips of different lengths, expressions in some images
    only, an object whose name the prompt lacks, or an image too large for the square.
    """
    scenes = [scene for clip in clips for scene in clip]
    lengths = {len(clip) for clip in clips}
    if not scenes or len(lengths) != 1:
        raise ValueError(
            f"clips have {sorted(lengths)} frames; give at least one clip, all of one length"
        )
    expressions = tuple(scene.expression for scene in scenes if scene.expression is not None)
    if expressions and len(expressions) != len(scenes):
        raise ValueError(
            f"{len(expressions)} of {len(scenes)} images have an expression; make batches of "
            "samples of one kind"
        )
    frames = lengths.pop()
    padded = _padded_size([scene.size for scene in scenes], config)
    prompt = () if expressions else names
    return Batch(
        pixels=torch.stack([_pad_pixels(scene, padded, config, normalise) for scene in scenes]),
        sizes=tuple(scene.size for scene in scenes),
        names=prompt,
        expressions=expressions,
        truth=tuple(
            describe(scene, prompt, padded, follows=bool(n % frames))
            for n, scene in enumerate(scenes)
        ),
        frames=frames,
    )


def describe(
    scene: Scene, names: tuple[str, ...], padded: tuple[int, int], *, follows: bool = False
) -> Targets:
    """Return the truth of one image in terms of a prompt.

    names    of the prompt; empty for the expression of the scene
    padded   (height, width) of the network's input
    follows  whether the image comes after another one of its clip

    Raises ValueError for an object whose name the prompt lacks.
    """
    supervision, masks = scene.supervision, None
    if supervision.masks:
        shape = (len(scene), *scene.size)
        masks = torch.zeros(shape, dtype=torch.bool) if scene.masks is None else scene.masks
        masks = F.pad(masks, (0, padded[1] - shape[2], 0, padded[0] - shape[1]))
    shares = scale_boxes(scene.boxes, (1 / padded[0], 1 / padded[1])).clamp(0, 1)
    if scene.expression is None:
        labels, exhaustive = _labels(scene.names, names), known_names(supervision, names)
    else:
        labels = [0] * len(scene)
        # What one of the objects meant is not annotated, others than those found may be meant.
        exhaustive = torch.zeros(1, dtype=torch.bool) if supervision.partial else None
    return Targets(
        labels=torch.tensor(labels, dtype=torch.int64),
        boxes_cxcywh=xyxy_to_cxcywh(shares),
        masks=masks,
        track_ids=scene.track_ids,
        learn_boxes=supervision.boxes,
        follows=follows and scene.track_ids is not None,
        exhaustive=exhaustive,
    )


def _labels(shown: Sequence[str], names: Sequence[str]) -> list[int]:
    rows = {name: row for row, name in enumerate(names)}
    if missing := sorted(set(shown) - set(rows)):
        raise ValueError(
            f"names lacks {', '.join(map(repr, missing))}, which an image shows; the prompt must "
            "have all names of its images"
        )
    return [rows[name] for name in shown]


def _padded_size(sizes: Sequence[tuple[int, int]], config: ResizeConfig) -> tuple[int, int]:
    height, width = (max(side) for side in zip(*sizes, strict=True))
    if not config.square:
        divisor = config.divisor
        return -(-height // divisor) * divisor, -(-width // divisor) * divisor
    if max(height, width) > config.longest:
        raise ValueError(
            f"an image of {height}x{width} pixels is too large for the square of {config.longest} "
            "pixels; augment with ScaleJitter of that side"
        )
    return config.longest, config.longest


def _pad_pixels(
    scene: Scene,
    padded: tuple[int, int],
    config: ResizeConfig,
    normalise: Callable[[Tensor], Tensor],
) -> Tensor:
    """Return the pixels [3, *padded] of one image, normalised."""
    pixels = torch.from_numpy(scene.pixels).permute(2, 0, 1).float()
    padding = (0, padded[1] - scene.size[1], 0, padded[0] - scene.size[0])
    if config.square:
        return normalise(F.pad(pixels, padding, value=PADDING_GREY))
    return F.pad(normalise(pixels), padding)
