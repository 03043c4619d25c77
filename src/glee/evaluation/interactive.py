"""Interactive segmentation: a robot user clicks on the largest error until the mask is good enough.

The protocol of RITM (Sofiiuk et al., arXiv:2102.06583, section 5) for GrabCut, Berkeley, DAVIS, SBD
and COCO: NoC@85 and NoC@90, the number of clicks until IoU reaches 85 % or 90 %.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glee.evaluation.arrays import BoolArray, FloatArray, Id
from glee.evaluation.scores import Scores

MAX_CLICKS = 20
IGNORED = -1


@dataclass(frozen=True, slots=True)
class Click:
    """A click on the pixel in a row and a column; positive on the object, negative beside it."""

    row: int
    column: int
    positive: bool


@dataclass(frozen=True, slots=True, eq=False)
class ClickedImage:
    """What the robot did to one image.

    clicks  its clicks, in order
    ious    [n] float64, IoU after each click
    """

    clicks: tuple[Click, ...]
    ious: FloatArray


def click_distances(
    gt: NDArray[np.integer], pred: BoolArray, clicked: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Return how deep each pixel lies inside of what is missing and of what is too much.

    gt       [H, W], 1 object, 0 background, -1 ignored
    pred     [H, W] bool
    clicked  [H, W] bool, pixels that may not be clicked again
    Returns two [H, W] float64: the distance in pixels to the nearest pixel that is not missed, and
    to the nearest that is not false; the border of the image counts as such, and clicked pixels get
    0.
    """
    for name, mask in (("pred", pred), ("clicked", clicked)):
        if mask.shape != gt.shape:
            raise ValueError(f"{name} must be {list(gt.shape)} like gt, got {list(mask.shape)}")
    missing = (gt == 1) & ~pred
    extra = (gt == 0) & pred
    return _depth(missing) * ~clicked, _depth(extra) * ~clicked


def _depth(mask: BoolArray) -> FloatArray:
    """Return the Euclidean distance of each pixel to the nearest one outside of the mask."""
    try:
        # Half a second, and only clicks need it.
        from scipy.ndimage import distance_transform_edt  # noqa: PLC0415
    except ImportError as error:
        raise ImportError('robot clicks need SciPy: pip install "glee-vision[eval]"') from error
    depth = np.zeros(mask.shape)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows):
        crop = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        depth[crop] = distance_transform_edt(np.pad(mask[crop], 1))[1:-1, 1:-1]
    return depth


def next_click(gt: NDArray[np.integer], pred: BoolArray, clicked: BoolArray) -> Click:
    """Return the robot's click: the deepest pixel of the errors, the first one row by row.

    gt       [H, W], 1 object, 0 background, -1 ignored
    pred     [H, W] bool
    clicked  [H, W] bool, pixels clicked before
    A positive click if what is missing goes deeper than what is too much.
    """
    missing, extra = click_distances(gt, pred, clicked)
    positive = bool(missing.max() > extra.max())
    row, column = np.unravel_index(np.argmax(missing if positive else extra), gt.shape)
    return Click(int(row), int(column), positive)


def click_iou(gt: NDArray[np.integer], pred: BoolArray) -> float:
    """Return the IoU of the object and a mask outside of the ignored pixels; 1 if both are empty.

    gt    [H, W], 1 object, 0 background, -1 ignored
    pred  [H, W] bool
    """
    mask, pred = gt == 1, pred & (gt != IGNORED)
    union = np.count_nonzero(mask | pred)
    return np.count_nonzero(mask & pred) / union if union else 1.0


def click_until_good(
    gt: NDArray[np.integer],
    segment: Callable[[tuple[Click, ...]], BoolArray],
    *,
    stop_iou: float = 0.95,
    max_clicks: int = MAX_CLICKS,
) -> ClickedImage:
    """Let the robot click on one image.

    gt        [H, W], 1 object, 0 background, -1 ignored
    segment   all clicks so far to a mask [H, W] bool
    stop_iou  IoU at which the robot is content

    Raises ValueError if gt has no pixel of the object.
    """
    if not (gt == 1).any():
        raise ValueError("gt has no pixel of value 1; there is nothing to click on")
    pred, clicked = np.zeros(gt.shape, dtype=bool), np.zeros(gt.shape, dtype=bool)
    clicks: list[Click] = []
    ious: list[float] = []
    while len(clicks) < max_clicks:
        clicks.append(next_click(gt, pred, clicked))
        clicked[clicks[-1].row, clicks[-1].column] = True
        pred = segment(tuple(clicks))
        ious.append(click_iou(gt, pred))
        if ious[-1] >= stop_iou:
            break
    return ClickedImage(tuple(clicks), np.array(ious))


def number_of_clicks(
    ious: FloatArray, target: float, *, max_clicks: int = MAX_CLICKS
) -> int | None:
    """Return after which click, from 1, IoU reaches a target, or None if it never does.

    ious  [n] IoU after each click; those after max_clicks do not count

    Compared in 32-bit floats, as RITM's tool does.
    """
    reached = np.flatnonzero(ious[:max_clicks].astype(np.float32) >= np.float32(target))
    return int(reached[0]) + 1 if len(reached) else None


def interactive_scores(
    images: Mapping[Id, FloatArray],
    *,
    targets: Sequence[float] = (0.85, 0.9),
    max_clicks: int = MAX_CLICKS,
) -> Scores:
    """Average the clicks that the images of a data set needed.

    images   IoU after each click [n], by the name of the image
    targets  IoU to be reached, each
    Returns for a target of 0.85 NoC@85, the mean number of clicks, with max_clicks for an image
    that never reaches it, and NoF@85, how many images never do; and both of each image.

    Raises ValueError if there is no image.
    """
    if not images:
        raise ValueError("images is empty; NoC needs at least one image")
    per_image: dict[Id, dict[str, float]] = {name: {} for name in images}
    values: dict[str, float] = {}
    for target in targets:
        percent = f"{100 * target:g}"
        for name, ious in images.items():
            needed = number_of_clicks(ious, target, max_clicks=max_clicks)
            per_image[name][f"NoC@{percent}"] = max_clicks if needed is None else needed
            per_image[name][f"NoF@{percent}"] = needed is None
        results = list(per_image.values())
        values[f"NoC@{percent}"] = float(np.mean([one[f"NoC@{percent}"] for one in results]))
        values[f"NoF@{percent}"] = sum(one[f"NoF@{percent}"] for one in results)
    return Scores(values, per_image)


def mean_iou_after(images: Sequence[FloatArray], num_clicks: int) -> float:
    """Return the mean over images of IoU after some clicks; an image that was done keeps its last.

    images      IoU after each click [n], n at least 1, for each image
    num_clicks  1 or more
    """
    if num_clicks < 1:
        raise ValueError(f"num_clicks must be 1 or more, got {num_clicks}")
    return float(np.mean([ious[:num_clicks][-1] for ious in images]))
