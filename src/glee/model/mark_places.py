"""Where a mark lies says which objects it can mean."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from glee.model.interfaces import ObjectOutputs, Regions
from glee.ops.boxes import box_area, cxcywh_to_xyxy

POWER = 2.0
"""Of the agreement of a box with a mark, by which the probability of being meant is multiplied."""

LEAST = 0.03
"""Agreement of a box that has nothing to do with a mark."""

AREA, CENTRE, FARTHEST = 0.3, 1.5, 2.0
"""Of what a point says of the boxes that it lies in: small ones are more likely to be meant, and
those in whose middle it lies; and how many half sides from the middle are told apart."""

RIVAL = 6.0
"""Taken from the logits of all others where the box of the object is given."""

LEAST_SIDE = 0.03
"""Sides of boxes that are told apart by their areas, in shares of the image's."""


@dataclass(frozen=True, slots=True)
class MarkPlaces:
    """The boxes around marks.

    boxes  [B, 4]  xyxy in 0..1 of the padded image
    exact  [B]     bool, True where the box is that of the object: it was marked by a box or a
                   mask; points and scribbles only lie inside
    known  [B]     bool, False where nothing is known: on a later frame of a clip an object is near
                   the box that it had, but not near a point of it
    given  [B]     bool, True where an exact mark was made on this very image: its box is that of
                   the object, which elsewhere may have moved
    """

    boxes: Tensor
    exact: Tensor
    known: Tensor
    given: Tensor

    @staticmethod
    def of(regions: Regions, frames: int) -> "MarkPlaces":
        """Return the places of marks, each made on the first of so many frames of its clip."""
        boxes, masks = regions.boxes, regions.token_masks
        if boxes is None:
            left, right = _extent(masks.any(dim=1))
            top, bottom = _extent(masks.any(dim=2))
            boxes = torch.stack([left, top, right, bottom], dim=1)
        first = (torch.arange(frames, device=boxes.device) == 0).repeat(len(boxes))
        exact = ~regions.brightened.repeat_interleave(frames)
        boxes = boxes.repeat_interleave(frames, dim=0)
        return MarkPlaces(boxes, exact, first | exact, first & exact)

    @staticmethod
    def near(boxes: Tensor) -> "MarkPlaces":
        """Return the places of objects that had these boxes [B, 4] a moment ago."""
        known = torch.ones(len(boxes), dtype=torch.bool, device=boxes.device)
        return MarkPlaces(boxes, known, known, ~known)

    def log_agreement(self, boxes_cxcywh: Tensor) -> Tensor:
        """Return what is added to the logits of boxes [B, N, 4] for where they are, [B, N].

        A box agrees with an exact mark by their intersection over union, with another by the share
        of the mark that it covers. Who points at a small object on a large one could have pointed
        at the large one in many other places, and points at the middle rather than the border.
        """
        boxes, marks = cxcywh_to_xyxy(boxes_cxcywh.detach()), self.boxes[:, None].to(boxes_cxcywh)
        low = torch.maximum(boxes[..., :2], marks[..., :2])
        high = torch.minimum(boxes[..., 2:], marks[..., 2:])
        overlap = (high - low).clamp(min=0).prod(dim=-1)
        exact = self.exact[:, None]
        whole = torch.where(exact, box_area(boxes) + box_area(marks) - overlap, box_area(marks))
        agreement = overlap / whole.clamp(min=1e-9)
        logarithm = POWER * agreement.clamp(LEAST, 1).log()
        centre, sides = boxes_cxcywh.detach().split(2, dim=-1)
        middle = (marks[..., :2] + marks[..., 2:]) / 2
        away = (2 * (middle - centre) / sides.clamp(min=1e-3)).abs().clamp(max=FARTHEST)
        area = sides.clamp(min=LEAST_SIDE).prod(dim=-1)
        pointed = logarithm - AREA * area.log() - CENTRE * away.square().sum(dim=-1)
        return torch.where(exact, logarithm, pointed) * self.known[:, None]

    def fixed(self, num_queries: int) -> Tensor:
        """Return whose boxes stay, [B, Q]: the last query's, where its object's box is given."""
        last = torch.arange(num_queries, device=self.given.device) == num_queries - 1
        return self.given[:, None] & last

    def weigh(self, outputs: ObjectOutputs) -> ObjectOutputs:
        """Return predictions whose logits say where their boxes are, too."""
        fixed = self.fixed(outputs.logits.shape[1])
        rivals = self.given[:, None] & ~fixed
        added = self.log_agreement(outputs.boxes_cxcywh) - RIVAL * rivals
        return replace(
            outputs,
            logits=outputs.logits + added[..., None],
            confidence=outputs.confidence + added,
        )


def _extent(line: Tensor) -> tuple[Tensor, Tensor]:
    """Return where the True part of lines [B, n] starts and ends, in shares of n; 0 if nowhere."""
    size = line.shape[1]
    place = torch.arange(size, device=line.device)
    start = torch.where(line, place, size).amin(dim=1)
    end = torch.where(line, place + 1, 0).amax(dim=1)
    return torch.minimum(start, end) / size, end / size
