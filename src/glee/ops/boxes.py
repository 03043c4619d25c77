"""Boxes: their formats, scaling, clipping and overlap."""

import numpy as np
import torch
from torch import Tensor


def cxcywh_to_xyxy(boxes: Tensor) -> Tensor:
    """Turn centre, width and height into left, top, right and bottom; [..., 4] in any unit."""
    centre, size = boxes[..., :2], boxes[..., 2:]
    return torch.cat([centre - size / 2, centre + size / 2], dim=-1)


def xyxy_to_cxcywh(boxes: Tensor) -> Tensor:
    """Turn left, top, right and bottom into centre, width and height; [..., 4] in any unit."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return torch.cat([(low + high) / 2, high - low], dim=-1)


def xyxy_to_xywh(boxes: Tensor) -> Tensor:
    """Turn left, top, right and bottom into left, top, width and height, COCO's format."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return torch.cat([low, high - low], dim=-1)


def scale_boxes(boxes: Tensor, size: tuple[float, float]) -> Tensor:
    """Multiply boxes of either format by a size, such as that of the image they are relative to.

    boxes  [..., 4]
    size   (height, width)
    """
    height, width = size
    return boxes * boxes.new_tensor([width, height, width, height])


def clip_boxes(xyxy: Tensor, size: tuple[float, float]) -> Tensor:
    """Cut boxes at the borders of the image; one that lies outside gets no area.

    xyxy  [..., 4] in pixels
    size  (height, width) of the image
    """
    height, width = size
    return xyxy.clamp(min=0).minimum(xyxy.new_tensor([width, height, width, height]))


def box_area(xyxy: Tensor) -> Tensor:
    """Return the area [...] of boxes [..., 4]; 0 where right < left or bottom < top."""
    return (xyxy[..., 2:] - xyxy[..., :2]).clamp(min=0).prod(dim=-1)


def generalized_iou(first: Tensor, second: Tensor) -> Tensor:
    """Return the generalized intersection over union of boxes (arXiv:1902.09630, algorithm 1).

    first   [..., 4]  xyxy
    second  [..., 4]  xyxy in the same unit; the leading axes are broadcast
    Returns [...] in -1..1; 0 for two boxes without area in one place.
    """
    overlap = _sides(
        torch.maximum(first[..., :2], second[..., :2]),
        torch.minimum(first[..., 2:], second[..., 2:]),
    ).prod(dim=-1)
    hull = _sides(
        torch.minimum(first[..., :2], second[..., :2]),
        torch.maximum(first[..., 2:], second[..., 2:]),
    ).prod(dim=-1)
    union = box_area(first) + box_area(second) - overlap
    # What would be divided by zero is zero itself.
    iou = overlap / union.where(union > 0, torch.ones_like(union))
    return iou - (hull - union) / hull.where(hull > 0, torch.ones_like(hull))


def pairwise_iou(first: Tensor, second: Tensor) -> Tensor:
    """Return the intersection over union [N, M] of every box [N, 4] with every box [M, 4], xyxy."""
    low = torch.maximum(first[:, None, :2], second[:, :2])
    high = torch.minimum(first[:, None, 2:], second[:, 2:])
    overlap = _sides(low, high).prod(dim=-1)
    union = box_area(first)[:, None] + box_area(second) - overlap
    return overlap / union.where(union > 0, torch.ones_like(union))


def suppress_overlaps(xyxy: Tensor, scores: Tensor, labels: Tensor, overlap: float) -> Tensor:
    """Return the rows of the boxes that no better one of the same label overlaps, best first.

    Greedy non-maximum suppression: a box that was itself dropped drops no other.

    xyxy     [N, 4] in any unit
    scores   [N]
    labels   [N] int64
    overlap  intersection over union above which the worse of two boxes is dropped
    """
    order = scores.argsort(descending=True, stable=True)
    kept = torch.ones(len(order), dtype=torch.bool, device=order.device)
    for label in labels.unique():
        # Each label by itself: memory grows with the square of the boxes compared.
        rows = (labels[order] == label).nonzero()[:, 0]
        boxes = xyxy[order[rows]]
        kept[rows] = _unbeaten(pairwise_iou(boxes, boxes) > overlap)
    return order[kept]


def suppress_nested(xyxy: Tensor, scores: Tensor, labels: Tensor, share: float) -> Tensor:
    """Return the rows of the boxes that tell apart from all better ones of their label, best first.

    As `suppress_overlaps`, but a box is dropped if more than `share` of the smaller of two boxes
    lies in the other: also a part of an object that is there, or several of which one is.
    """
    order = scores.argsort(descending=True, stable=True)
    kept = torch.ones(len(order), dtype=torch.bool, device=order.device)
    for label in labels.unique():
        rows = (labels[order] == label).nonzero()[:, 0]
        boxes = xyxy[order[rows]]
        low = torch.maximum(boxes[:, None, :2], boxes[None, :, :2])
        high = torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
        areas = box_area(boxes)
        smaller = torch.minimum(areas[:, None], areas[None]).clamp(min=1e-6)
        kept[rows] = _unbeaten(_sides(low, high).prod(dim=-1) / smaller > share)
    return order[kept]


def _unbeaten(rivals: Tensor) -> Tensor:
    """Return which rows [N] bool stay if each that stays drops its later rivals [N, N] bool."""
    beats = rivals.cpu().numpy()
    kept = np.ones(len(beats), dtype=np.bool_)
    for row in range(len(beats)):
        if kept[row]:
            kept[row + 1 :] &= ~beats[row, row + 1 :]
    return torch.from_numpy(kept).to(rivals.device)


def _sides(low: Tensor, high: Tensor) -> Tensor:
    return (high - low).clamp(min=0)
