"""Appearance: a bounded gallery of views of each identity, and how well objects agree with it."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

# A view stands for at most so many sightings, so that it can still follow slow changes.
_MOST_SIGHTINGS = 20.0

# The scale of cosines: first values count as so many frames, later ones are means over so many;
# bounds of that of different objects, and of the distance to that of the same.
_FIRST_FRAMES, _MEAN_FRAMES = 5, 100
_MOST_UNLIKE, _LEAST_RANGE = 0.7, 0.2


def compare(views: Tensor, weights: Tensor, embeddings: Tensor) -> Tensor:
    """Return the cosine of every identity's most similar view with every object.

    views       [M, V, C]  of length 1
    weights     [M, V]     0 where there is no view; every identity has one at least
    embeddings  [N, C]     of length 1
    Returns [M, N] in -1..1.
    """
    cosine = torch.einsum("mvc,nc->mvn", views, embeddings)
    return cosine.masked_fill(weights[..., None] == 0, -1).amax(dim=1)


def add_views(views: Tensor, weights: Tensor, embeddings: Tensor) -> tuple[Tensor, Tensor]:
    """Add a view to each gallery; where that is full, its two most similar views become one.

    views       [M, V, C]  of length 1
    weights     [M, V]     sightings that each view stands for, 0 where there is none
    embeddings  [M, C]     of length 1
    Returns both anew, in the same form.

    As views are means of similar sightings, their noise falls, while views that differ stay apart.
    """
    # One view too many for a moment, at the first free place or at the end.
    views = torch.cat([views, torch.zeros_like(views[:, :1])], dim=1)  # [M, V + 1, C]
    weights = torch.cat([weights, torch.zeros_like(weights[:, :1])], dim=1)
    rows = torch.arange(len(views))
    free = (weights == 0).int().argmax(dim=1)
    views[rows, free], weights[rows, free] = embeddings, 1.0
    full = (weights > 0).all(dim=1).nonzero().flatten()
    if len(full):
        views[full], weights[full] = _merge_most_similar(views[full], weights[full])
    return views[:, :-1].contiguous(), weights[:, :-1].contiguous()


def _merge_most_similar(views: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Let one view take the place of the two most similar ones; the last place becomes free."""
    cosine = views @ views.transpose(1, 2)  # [M, V + 1, V + 1]
    cosine.diagonal(dim1=1, dim2=2).fill_(-2)
    best = cosine.flatten(1).argmax(dim=1)
    pair = torch.stack([best // views.shape[1], best % views.shape[1]], dim=1)
    first, second = pair.sort(dim=1).values.unbind(dim=1)
    rows = torch.arange(len(views))
    shares = weights[rows, first], weights[rows, second]
    merged = shares[0][:, None] * views[rows, first] + shares[1][:, None] * views[rows, second]
    views, weights = views.clone(), weights.clone()
    views[rows, first] = F.normalize(merged, dim=1)
    weights[rows, first] = (shares[0] + shares[1]).clamp(max=_MOST_SIGHTINGS)
    views[rows, second], weights[rows, second] = views[:, -1].clone(), weights[:, -1].clone()
    weights[:, -1] = 0
    return views, weights


@dataclass(slots=True)
class CosineScale:
    """Which cosines are usual for the same object and for different ones, learned on the way.

    Networks differ in how much the embeddings of all objects have in common, and videos in how
    noisy they are; on this scale the same numbers suit all.

    unlike, alike                mean cosine of different objects of one frame, and of an object
                                 with what is remembered of it; from those of the last frames
    unlike_frames, alike_frames  from how many, the first values counting as some
    """

    unlike: float = 0.2
    alike: float = 0.9
    unlike_frames: float = _FIRST_FRAMES
    alike_frames: float = _FIRST_FRAMES

    def agreement(self, cosine: Tensor) -> Tensor:
        """Turn cosines into 0..1: 0 up to that of different objects, 1 from that of the same."""
        # Where all objects look the same, the two must not meet.
        low = min(max(self.unlike, 0.0), _MOST_UNLIKE)
        high = max(self.alike, low + _LEAST_RANGE)
        return ((cosine - low) / (high - low)).clamp(0, 1)

    def learn_unlike(self, cosines: Tensor) -> None:
        """Learn from pairs [P] of different objects in a frame."""
        if len(cosines):
            self.unlike_frames = min(self.unlike_frames + 1, _MEAN_FRAMES)
            self.unlike += (cosines.mean().item() - self.unlike) / self.unlike_frames

    def learn_alike(self, cosines: Tensor) -> None:
        """Learn from the objects [P] that were recognised in a frame."""
        if len(cosines):
            self.alike_frames = min(self.alike_frames + 1, _MEAN_FRAMES)
            self.alike += (cosines.mean().item() - self.alike) / self.alike_frames
