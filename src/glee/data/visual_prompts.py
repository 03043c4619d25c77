"""Visual prompts in training: one object of each image, marked as a user would mark it."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from glee.data.collate import Batch
from glee.data.marks import Known, draw_box, draw_point, draw_scribble
from glee.data.targets import Targets
from glee.model.interfaces import Regions
from glee.ops.boxes import cxcywh_to_xyxy, scale_boxes

Kind = Literal["mask", "point", "box", "scribble"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkConfig:
    """How often, and how, objects are marked. The defaults are those of the released code.

    chance      share of the batches in which objects are marked
    mask        share of marks that are the whole mask, relative to the other kinds
    point       that of clicks
    box         that of boxes
    scribble    that of strokes, which the released models have never seen in training
    box_jitter  largest shift of each side of a box, in shares of the box's width or height
    """

    chance: float = 0.2
    mask: float = 0.6
    point: float = 0.32
    box: float = 0.08
    scribble: float = 0.0
    box_jitter: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.chance <= 1:
            raise ValueError(f"chance must lie in 0..1, got {self.chance}")
        shares = self.shares()
        if min(shares.values()) < 0 or not sum(shares.values()):
            raise ValueError(f"shares of marks must not be negative, nor all zero, got {shares}")
        if not 0 <= self.box_jitter < 1:
            raise ValueError(f"box_jitter must lie in 0..1, got {self.box_jitter}")

    def shares(self) -> dict[Kind, float]:
        """Return the share of each kind of mark."""
        return {
            "mask": self.mask,
            "point": self.point,
            "box": self.box,
            "scribble": self.scribble,
        }


def mark_objects(batch: Batch, config: MarkConfig, generator: torch.Generator) -> Batch:
    """Mark one object of each image, or of the first frame of each clip, which is then all truth.

    generator  on the CPU

    Returns the batch as it is, but for a share `config.chance` of batches, and where an image or
    a first frame shows nothing. Otherwise `regions` has a row for each image or clip, and the
    truth of all their frames is that object, if it is seen there. An object without a mask is
    marked by a box or a point.

    GLEE (arXiv:2312.09158, section 3.2) and its released code, which draws one kind of mark for a
    whole batch, here for each image; and which, where an image shows nothing, leaves the truth of
    the images before it reduced.
    Raises ValueError for clips whose objects have no track ids.
    """
    draw = torch.rand((), generator=generator).item()
    firsts = range(0, len(batch.truth), batch.frames)
    if draw >= config.chance or any(not len(batch.truth[first]) for first in firsts):
        return batch
    truth: list[Targets] = []
    marks: list[Tensor] = []
    kinds: list[Kind] = []
    for first in firsts:
        clip = batch.truth[first : first + batch.frames]
        row = int(torch.randint(len(clip[0]), (), generator=generator))
        known = _know(clip[0], row, batch, first)
        kinds.append(_choose_kind(config, known, generator))
        marks.append(_draw(kinds[-1], known, config, generator))
        truth += _only(clip, row)
    masks = torch.stack(marks)
    # A mark by itself has no extent: what lies under it is brightened to show where it is.
    brightened = torch.tensor([kind in ("point", "scribble") for kind in kinds])
    return replace(batch, truth=tuple(truth), regions=Regions(masks, masks, brightened))


def _know(truth: Targets, row: int, batch: Batch, image: int) -> Known:
    """Return an object of an image in pixels of the canvas."""
    canvas = batch.pixels.shape[2], batch.pixels.shape[3]
    xyxy = scale_boxes(cxcywh_to_xyxy(truth.boxes_cxcywh[row]), canvas)
    mask = None if truth.masks is None else truth.masks[row]
    if mask is not None and not mask.any():
        mask = None
    return Known(canvas, batch.sizes[image], xyxy, mask)


def _choose_kind(config: MarkConfig, known: Known, generator: torch.Generator) -> Kind:
    shares = config.shares()
    if known.mask is None:
        shares |= {"mask": 0.0, "scribble": 0.0}
        if not sum(shares.values()):
            return "box"
    weights = torch.tensor(list(shares.values()))
    return list(shares)[int(torch.multinomial(weights, 1, generator=generator))]


def _draw(kind: Kind, known: Known, config: MarkConfig, generator: torch.Generator) -> Tensor:
    """Return a mark on an object, [*canvas] bool."""
    match kind, known.mask:
        case "mask", Tensor() as mask:
            return mask
        case "scribble", Tensor() as mask:
            return draw_scribble(mask, known.image, generator)
        case "point", _:
            return draw_point(known, generator)
    return draw_box(known, config.box_jitter, generator)


def _only(clip: tuple[Targets, ...], row: int) -> list[Targets]:
    """Return the truth of the frames of a clip, reduced to an object of the first one."""
    if len(clip) == 1:
        return [replace(clip[0].take(torch.tensor([row])), marked=True)]
    kept, own = [], None
    for one in clip:
        if one.track_ids is None:
            raise ValueError("clips need track_ids to follow a marked object; there are none")
        own = int(one.track_ids[row]) if own is None else own
        kept.append(replace(one.take(one.track_ids == own), marked=True))
    return kept
