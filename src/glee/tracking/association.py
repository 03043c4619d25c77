"""Association: which object of a frame belongs to which identity that is remembered."""

import torch
from torch import Tensor

from glee.tracking.config import TrackerConfig

# In every frame without the object its position counts less, by this factor.
_KEEP_MOTION = 0.9

# Masks that do not agree at all leave so much of the agreement of their boxes.
_BOX_SHARE = 0.5

# Mean agreement of appearance of two frames, 0..1, below which they show different scenes.
_CUT_APPEARANCE = 0.5


def pair_all(score: Tensor) -> tuple[Tensor, Tensor]:
    """Pair rows with columns so that the sum of scores is largest.

    score  [M, N]
    Returns rows and columns of min(M, N) pairs, int64, by row.
    Raises ImportError if SciPy is not installed.
    """
    try:
        from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - only for tracking
    except ImportError as error:
        raise ImportError('tracking needs SciPy: pip install "glee-vision[video]"') from error
    rows, columns = linear_sum_assignment(score.cpu().numpy(), maximize=True)
    return torch.from_numpy(rows), torch.from_numpy(columns)


def assign(gain: Tensor) -> tuple[Tensor, Tensor]:
    """Pair rows with columns so that the sum of gains is largest; only pairs that gain count.

    gain  [M, N]
    Returns rows and columns [P] int64 of the pairs with a gain above 0.
    """
    rows, columns = pair_all(gain.clamp(min=0))
    gains = gain[rows, columns] > 0
    return rows[gains], columns[gains]


def position_agreement(boxes: Tensor, shapes: Tensor | None) -> Tensor:
    """Return how well positions agree: of boxes [M, N], less where masks `shapes` [M, N] differ."""
    return boxes if shapes is None else boxes * (_BOX_SHARE + (1 - _BOX_SHARE) * shapes)


def is_cut(appearance: Tensor) -> bool:
    """Tell whether the scene has changed, so that positions say nothing.

    appearance  [M, N] agreement, 0..1, of what was seen in the last frame with what is seen now

    It has if neither most of what there was is still there, nor most of what there is was there.
    """
    if appearance.numel() == 0:
        return False
    kept, known = appearance.amax(dim=1).mean(), appearance.amax(dim=0).mean()
    return bool(torch.maximum(kept, known) < _CUT_APPEARANCE)


def gains(appearance: Tensor, position: Tensor, frames: Tensor, config: TrackerConfig) -> Tensor:
    """Return what is gained by calling an object the same as an identity; 0 or less if it is not.

    appearance  [M, N]  agreement, 0..1
    position    [M, N]  agreement, 0..1
    frames      [M]     since the identity was last seen, at least 1

    Position counts in full for what was seen in the last frame, and less and less after that, so
    that an object that was away for long is recognised by its appearance alone. Gains are counted
    from what suffices, so that one sure pair is worth more than two doubtful ones.
    """
    weight = config.motion_weight * _KEEP_MOTION ** (frames.float() - 1)
    weight = (weight * (frames <= config.coast_frames))[:, None]
    affinity = (1 - weight) * appearance + weight * position
    # Without help of the position, more is asked of the appearance.
    share = weight / max(config.motion_weight, 1e-6)
    needed = config.return_appearance + share * (config.min_affinity - config.return_appearance)
    gain = torch.maximum(affinity - needed, (appearance - config.return_appearance) * (1 - weight))
    return gain.masked_fill(appearance < config.min_appearance, 0)
