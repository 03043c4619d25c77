"""Augmentation: image, boxes, masks, names and expression of a sample changed together."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from glee.data.scene import Scene, drop_empty
from glee.data.schema import BadSampleError
from glee.ops.boxes import box_area, clip_boxes, scale_boxes
from glee.ops.masks import mask_to_boxes

Size = tuple[int, int]

Part = tuple[int, int, int, int]
"""Top, left, height and width of a part of an image, in whole pixels."""

SIDE = re.compile(r"\b(left|right)(most|hand|side|wards?)?\b", re.IGNORECASE)
OTHER_SIDE = {"left": "right", "right": "left"}

ORDINAL = re.compile(
    r"\b(first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth)\b", re.IGNORECASE
)
"""Words that count objects along the image, and mean another one once it is cropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiScale:
    """Flip, perhaps crop, and resize: how GLEE Lite and Plus are trained (DETR's scheme).

    shortest       lengths to draw that of the shortest edge from
    longest        limit of the longest edge
    flip           chance of a flip
    crop           chance of a crop, before which the shortest edge gets one of `crop_shortest`
    crop_sides     range that the height and the width of the crop are drawn from
    mask_boxes     whether to draw boxes anew around the masks; that of an expression always is
    """

    shortest: tuple[int, ...] = (480, 512, 544, 576, 608, 640, 672, 704, 736, 768, 800)
    longest: int = 1333
    flip: float = 0.5
    crop: float = 0.5
    crop_shortest: tuple[int, ...] = (400, 500, 600)
    crop_sides: tuple[int, int] = (384, 600)
    mask_boxes: bool = False

    def __post_init__(self) -> None:
        if not self.shortest or not self.crop_shortest:
            raise ValueError("shortest and crop_shortest must each have at least one length")
        if not 1 <= self.crop_sides[0] <= self.crop_sides[1]:
            raise ValueError(f"crop_sides must rise from at least 1, got {self.crop_sides}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleJitter:
    """Flip, resize by a large range, and crop to a square: how GLEE Pro is trained.

    Large-scale jitter (arXiv:2012.07177, "Large scale jittering"). What the square does not
    fill is padded by `collate`.

    side           of the square
    scales         range of the size that the image would fit into, in sides
    whole_scales   the same where nothing may be cropped, since the expression counts objects
    flip           chance of a flip
    mask_boxes     whether to draw boxes anew around the masks
    """

    side: int = 1536
    scales: tuple[float, float] = (0.1, 2.0)
    whole_scales: tuple[float, float] = (0.1, 1.0)
    flip: float = 0.5
    mask_boxes: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.scales[0] <= self.scales[1]:
            raise ValueError(f"scales must rise from more than 0, got {self.scales}")
        if not 0 < self.whole_scales[0] <= self.whole_scales[1] <= 1:
            raise ValueError(f"whole_scales must rise within 0..1, got {self.whole_scales}")


Augmentation = MultiScale | ScaleJitter


def augment(clip: Sequence[Scene], config: Augmentation, generator: torch.Generator) -> list[Scene]:
    """Change the frames of a clip, or one image, at random.

    All frames are flipped and scaled alike; crops of frames are drawn apart, as a moving camera
    would. Objects that are cropped away are left out.
    Raises BadSampleError if none is left of what an expression describes.
    """
    if _uniform(0, 1, generator) < config.flip:
        clip = [flip(scene) for scene in clip]
    whole = any(scene.expression and ORDINAL.search(scene.expression) for scene in clip)
    match config:
        case MultiScale():
            changed = _multi_scale(clip, config, generator, whole=whole)
        case ScaleJitter():
            changed = _jitter(clip, config, generator, whole=whole)
    changed = [drop_empty(one) for one in changed]
    if config.mask_boxes or clip[0].expression is not None:
        changed = [_tighten(one) for one in changed]
    if any(len(one) for one in clip) and not any(len(one) for one in changed):
        expression = clip[0].expression
        if expression is not None:
            raise BadSampleError(f"what {expression!r} describes was cropped away")
    return changed


def flip(scene: Scene) -> Scene:
    """Mirror a scene, and exchange left and right, as whole words, in all that is said of it."""
    width, supervision = scene.size[1], scene.supervision
    x1, y1, x2, y2 = scene.boxes.unbind(-1)
    exhaustive = supervision.exhaustive
    return replace(
        scene,
        pixels=np.ascontiguousarray(scene.pixels[:, ::-1]),
        boxes=torch.stack([width - x2, y1, width - x1, y2], dim=-1),
        names=tuple(swap_sides(name) for name in scene.names),
        masks=None if scene.masks is None else scene.masks.flip(-1),
        expression=None if scene.expression is None else swap_sides(scene.expression),
        supervision=replace(
            supervision,
            exhaustive=None if exhaustive is None else frozenset(map(swap_sides, exhaustive)),
            absent=frozenset(map(swap_sides, supervision.absent)),
            partial=frozenset(map(swap_sides, supervision.partial)),
        ),
    )


def swap_sides(text: str) -> str:
    """Exchange left and right in a text, also in leftmost and right-hand, not in "bright"."""
    return SIDE.sub(lambda found: _other_side(found[1]) + (found[2] or ""), text)


def _other_side(word: str) -> str:
    other = OTHER_SIDE[word.lower()]
    if word.isupper():
        return other.upper()
    return other.capitalize() if word[0].isupper() else other


def resize(scene: Scene, size: Size, part: Part | None = None) -> Scene:
    """Resize a scene to (height, width): pixels bilinearly, masks to the nearest pixel.

    part  what to cut out of the result: the same as `crop` afterwards, without ever holding what
          is cut away, which for many masks may be gigabytes
    """
    top, left, height, width = part or (0, 0, *size)
    pixels = scene.pixels
    if size != scene.size or part:
        picture = Image.fromarray(pixels).resize(
            (width, height), Image.Resampling.BILINEAR, box=_source_of(part, scene.size, size)
        )
        pixels = np.array(picture)
    masks = scene.masks
    if masks is not None and (size != scene.size or part):
        rows, columns = (_nearest(old, new) for old, new in zip(scene.size, size, strict=True))
        masks = masks[:, rows[top : top + height]][:, :, columns[left : left + width]]
    boxes = scale_boxes(scene.boxes, (size[0] / scene.size[0], size[1] / scene.size[1]))
    resized = replace(scene, pixels=pixels, boxes=boxes, masks=masks)
    return _cut_boxes(resized, top, left) if part else resized


def crop(scene: Scene, part: Part) -> Scene:
    """Cut out a part; objects of which nothing is left are left out."""
    top, left, height, width = part
    window = slice(top, top + height), slice(left, left + width)
    masks = None if scene.masks is None else scene.masks[:, window[0], window[1]]
    return _cut_boxes(replace(scene, pixels=scene.pixels[window], masks=masks), top, left)


def _cut_boxes(scene: Scene, top: int, left: int) -> Scene:
    """Move boxes into a part that was cut out, and leave out what is outside."""
    boxes = clip_boxes(scene.boxes - scene.boxes.new_tensor([left, top] * 2), scene.size)
    left_over = (box_area(boxes) > 0).nonzero().flatten().tolist()
    return drop_empty(replace(scene, boxes=boxes).take(left_over))


def _source_of(part: Part | None, old: Size, new: Size) -> tuple[float, float, float, float] | None:
    """Return where in the original image, xyxy, a part of the resized one lies."""
    if part is None:
        return None
    top, left, height, width = part
    x, y = old[1] / new[1], old[0] / new[0]
    return left * x, top * y, min((left + width) * x, old[1]), min((top + height) * y, old[0])


def shortest_edge(size: Size, shortest: int, longest: int | None = None) -> Size:
    """Return the (height, width) with that shortest edge, smaller if the longest is too long."""
    scale = shortest / min(size)
    if longest is not None and max(size) * scale > longest:
        scale = longest / max(size)
    return max(int(size[0] * scale + 0.5), 1), max(int(size[1] * scale + 0.5), 1)


def _multi_scale(
    clip: Sequence[Scene], config: MultiScale, generator: torch.Generator, *, whole: bool
) -> list[Scene]:
    crops = _uniform(0, 1, generator) < config.crop and not whole
    if crops:
        before = config.crop_shortest[_draw(0, len(config.crop_shortest), generator)]
        clip = [resize(scene, shortest_edge(scene.size, before)) for scene in clip]
        clip = [_random_crop(scene, config.crop_sides, generator) for scene in clip]
    shortest = config.shortest[_draw(0, len(config.shortest), generator)]
    return [resize(one, shortest_edge(one.size, shortest, config.longest)) for one in clip]


def _random_crop(scene: Scene, sides: tuple[int, int], generator: torch.Generator) -> Scene:
    height, width = (
        _draw(min(full, sides[0]), min(full, sides[1]) + 1, generator) for full in scene.size
    )
    top = _draw(0, scene.size[0] - height + 1, generator)
    left = _draw(0, scene.size[1] - width + 1, generator)
    return crop(scene, (top, left, height, width))


def _jitter(
    clip: Sequence[Scene], config: ScaleJitter, generator: torch.Generator, *, whole: bool
) -> list[Scene]:
    scale = _uniform(*(config.whole_scales if whole else config.scales), generator)
    changed = []
    for scene in clip:
        ratio = scale * config.side / max(scene.size)
        height, width = (max(int(full * ratio + 0.5), 1) for full in scene.size)
        place = _uniform(0, 1, generator)  # one number for both axes, as in detectron2
        kept = min(height, config.side), min(width, config.side)
        top, left = int((height - kept[0]) * place + 0.5), int((width - kept[1]) * place + 0.5)
        part = None if kept == (height, width) else (top, left, *kept)
        changed.append(resize(scene, (height, width), part))
    return changed


def _tighten(scene: Scene) -> Scene:
    """Draw the boxes anew around the masks, if there are any."""
    return scene if scene.masks is None else replace(scene, boxes=mask_to_boxes(scene.masks))


def _nearest(old: int, new: int) -> Tensor:
    """Return the input pixel that each of `new` output pixels lies in."""
    centres = (torch.arange(new, dtype=torch.float64) + 0.5) * (old / new)
    return centres.long().clamp(max=old - 1)


def _uniform(low: float, high: float, generator: torch.Generator) -> float:
    return low + (high - low) * torch.rand((), dtype=torch.float64, generator=generator).item()


def _draw(low: int, high: int, generator: torch.Generator) -> int:
    return int(torch.randint(low, high, (), generator=generator))
