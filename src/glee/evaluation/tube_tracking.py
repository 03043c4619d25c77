"""HOTA of video instances: tubes of masks as in YouTube-VIS and OVIS, fully annotated."""

import numpy as np

from glee.evaluation.arrays import IntArray
from glee.evaluation.labelled_video import LabelledFrame, LabelledVideo
from glee.evaluation.objects import Annotations, Predictions
from glee.evaluation.overlaps import mask_overlaps
from glee.evaluation.regions import Masks, Tubes


def labelled_tubes(annotations: Annotations, predictions: Predictions) -> list[LabelledVideo]:
    """Bring tubes of masks into the form that `track_categories` takes; regions are tubes.

    Every category counts as verified to be absent where it is not annotated, so that each false
    prediction costs. Labels are the rows of the catalog's categories.

    Raises TypeError if the regions are not tubes.
    """
    units = range(len(annotations.catalog.unit_ids))
    return [_video(annotations, predictions, unit) for unit in units]


def _video(annotations: Annotations, predictions: Predictions, unit: int) -> LabelledVideo:
    truth = annotations.take(np.flatnonzero(annotations.units == unit))
    found = predictions.take(np.flatnonzero(predictions.units == unit))
    frames = []
    for frame in range(int(annotations.catalog.unit_lengths[unit])):
        gt_ids, gt_masks = _present(truth, frame)
        pred_ids, pred_masks = _present(found, frame)
        single = np.zeros(len(gt_ids), dtype=np.bool_)  # no mask stands for a crowd
        overlaps = mask_overlaps(pred_masks.rles(), gt_masks.rles(), single)
        frames.append(
            LabelledFrame(
                gt_ids=gt_ids,
                gt_labels=truth.categories[gt_ids],
                pred_ids=pred_ids,
                pred_labels=found.categories[pred_ids],
                similarity=overlaps.T,
            )
        )
    everything = frozenset(range(len(annotations.catalog.category_ids)))
    return LabelledVideo(frames=tuple(frames), absent=everything)


def _present(objects: Annotations | Predictions, frame: int) -> tuple[IntArray, Masks]:
    """Return which objects have a mask in a frame, and these masks."""
    tubes = objects.regions
    if not isinstance(tubes, Tubes):
        raise TypeError(f"regions must be tubes of masks, got {type(tubes).__name__}")
    masks = [masks[frame] for masks in tubes.frames]
    rows = np.array([row for row, mask in enumerate(masks) if mask is not None], dtype=np.int64)
    return rows, Masks([mask for mask in masks if mask is not None], tubes.sizes[rows])
