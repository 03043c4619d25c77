"""Overlaps: intersection over union of boxes, masks, tubes of masks and tracks of boxes."""

from collections.abc import Sequence

import numpy as np

from glee.evaluation.arrays import BoolArray, FloatArray, IntArray
from glee.evaluation.regions import Boxes, Masks, Regions, Rle, Tracks, Tubes, mask_areas


def compute_overlaps(
    found: Regions, rows: IntArray, true: Regions, true_rows: IntArray, crowd: BoolArray
) -> FloatArray:
    """Return the overlap of some detections with some annotated objects of the same image.

    rows       [D] which of `found` to compare
    true_rows  [G] which of `true` to compare them with
    crowd      [G] for boxes and masks, divide by the detection's area instead of the union; tubes
               and tracks have no such rule
    Returns [D, G] float64 in 0..1.
    Raises TypeError if the two are regions of different kinds.
    """
    match found, true:
        case Boxes(), Boxes():
            return box_overlaps(found.xywh[rows], true.xywh[true_rows], crowd)
        case Masks(), Masks():
            return mask_overlaps(found.take(rows).rles(), true.take(true_rows).rles(), crowd)
        case Tubes(), Tubes():
            return tube_overlaps(found.take(rows).rles(), true.take(true_rows).rles())
        case Tracks(), Tracks():
            return track_overlaps(found.take(rows), true.take(true_rows))
    raise TypeError(
        f"detections are {type(found).__name__} but annotations are {type(true).__name__}; "
        "they must be of one kind"
    )


def box_overlaps(found: FloatArray, true: FloatArray, crowd: BoolArray) -> FloatArray:
    """Return the overlap of every pair of boxes.

    found  [D, 4] xywh
    true   [G, 4] xywh
    crowd  [G] True to divide by the area of the detection instead of the union: a detection
           inside of a crowd overlaps it fully
    Returns [D, G] in 0..1. In the order of operations of COCO's tool, so that overlaps on a
    threshold fall on the same side.
    """
    area, true_area = found[:, 2] * found[:, 3], true[:, 2] * true[:, 3]
    shared = box_intersections(found[:, None], true[None])  # [D, G]
    union = np.where(crowd, area[:, None], area[:, None] + true_area - shared)
    # Without a union there is no intersection either: any divisor gives 0.
    return shared / np.where(union > 0, union, 1)


def box_intersections(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return the intersections [...] of boxes xywh [..., 4] that broadcast."""
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., 2:] + first[..., :2], second[..., 2:] + second[..., :2])
    sides = np.maximum(high - low, 0)
    shared: FloatArray = sides[..., 0] * sides[..., 1]
    return shared


def mask_overlaps(found: Sequence[Rle], true: Sequence[Rle], crowd: BoolArray) -> FloatArray:
    """Return the overlap of every pair of masks; `crowd` [G] as for boxes.

    found  D masks as pycocotools takes them
    true   G masks of the same size
    Returns [D, G] in 0..1; 0 for two empty masks.
    """
    from pycocotools.mask import iou  # noqa: PLC0415 - only when masks are compared

    if not found or not true:
        return np.zeros((len(found), len(true)))
    return np.asarray(iou(list(found), list(true), crowd.astype(np.uint8).tolist()))


def mask_intersections(found: Sequence[Rle], true: Sequence[Rle]) -> FloatArray:
    """Return the intersection of every pair of masks, [D, G] whole pixels."""
    # The overlap with a crowd is the share of a detection in it: times its area, the intersection.
    shares = mask_overlaps(found, true, np.ones(len(true), dtype=np.bool_))
    return np.rint(shares * mask_areas(found)[:, None])


def tube_overlaps(
    found: Sequence[Sequence[Rle | None]], true: Sequence[Sequence[Rle | None]]
) -> FloatArray:
    """Return the intersections over all frames divided by the unions over all frames.

    found  D tubes: the mask of each frame, None where absent
    true   G tubes of the same video
    Returns [D, G] in 0..1; 0 for two tubes without a pixel.

    Video instance segmentation (arXiv:1905.04804, "Evaluation metrics").
    """
    shared = np.zeros((len(found), len(true)))
    area, true_area = np.zeros(len(found)), np.zeros(len(true))
    for found_masks, true_masks in zip(
        zip(*found, strict=True), zip(*true, strict=True), strict=True
    ):
        rows, masks, areas = _present(found_masks)
        true_rows, other, other_areas = _present(true_masks)
        shared[np.ix_(rows, true_rows)] += mask_intersections(masks, other)
        area[rows] += areas
        true_area[true_rows] += other_areas
    union = area[:, None] + true_area - shared
    overlaps: FloatArray = shared / np.where(union > 0, union, 1)
    return overlaps


def _present(masks: Sequence[Rle | None]) -> tuple[IntArray, list[Rle], FloatArray]:
    """Return which objects have a mask in a frame, these masks and their areas."""
    rows = [row for row, mask in enumerate(masks) if mask is not None]
    there = [mask for mask in masks if mask is not None]
    return np.array(rows, dtype=np.int64), there, mask_areas(there)


def track_overlaps(found: Tracks, true: Tracks) -> FloatArray:
    """Return the intersections over all frames divided by the unions over all frames.

    Returns [D, G] in 0..1.

    TAO (arXiv:2005.10356, "Evaluation"): a tube's overlap, with boxes.
    """
    frames = np.unique(np.concatenate([*found.frames, *true.frames]))
    boxes, true_boxes = _spread(found, frames), _spread(true, frames)  # [D, F, 4], [G, F, 4]
    shared = box_intersections(boxes[:, None], true_boxes[None]).sum(axis=-1)
    area = (boxes[..., 2] * boxes[..., 3]).sum(axis=-1)
    true_area = (true_boxes[..., 2] * true_boxes[..., 3]).sum(axis=-1)
    union = area[:, None] + true_area - shared
    overlaps: FloatArray = shared / np.where(union > 0, union, 1)
    return overlaps


def _spread(tracks: Tracks, frames: IntArray) -> FloatArray:
    """Return boxes [N, F, 4] in every one of the sorted frames, without area where absent."""
    boxes = np.zeros((len(tracks), len(frames), 4))
    for row, (present, xywh) in enumerate(zip(tracks.frames, tracks.xywh, strict=True)):
        boxes[row, np.searchsorted(frames, present)] = xywh
    return boxes
