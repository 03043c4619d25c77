"""Queries of one object in neighbouring frames look alike, those of different ones do not."""

from collections.abc import Sequence

import torch
from torch import Tensor

from glee.data.targets import Targets
from glee.training.losses import contrastive_loss
from glee.training.matching import Assignment
from glee.training.randomness import Randomness


def tracking_loss(
    embeddings: Tensor,
    assigned: Sequence[Assignment],
    targets: Sequence[Targets],
    randomness: Randomness,
    *,
    other_queries: int,
) -> Tensor:
    """Compare the objects of each frame with those of the frame before it.

    embeddings     [B, Q, C]
    assigned       which query stands for which object, for each image
    targets        the objects of each image; those that follow another frame are compared, but
                   not marked ones, of whose clip only one object is known
    other_queries  unmatched queries of the frame before that are told apart too
    Returns a number, divided by the number of objects in the frames compared.

    GLEE (arXiv:2312.09158), after IDOL (arXiv:2207.10661), whose second, cosine loss is left
    out, as in the released code.

    Raises ValueError if a frame follows none, or one whose objects have no track ids.
    """
    total = embeddings[:0].sum()  # zero, with a gradient
    num_objects = 0
    for frame, truth in enumerate(targets):
        if not truth.follows or truth.marked:
            continue
        if not frame:
            raise ValueError("follows is set for the first image, which follows none")
        ids = [_ids(assigned[image], targets[image]) for image in (frame - 1, frame)]
        query = assigned[frame - 1].query
        others = randomness.queries(other_queries, embeddings.shape[1]).to(query.device)
        candidates = embeddings[frame - 1, torch.cat([query, others])]
        similarity = embeddings[frame, assigned[frame].query] @ candidates.T
        nobody = ~torch.isin(others, query)  # a query drawn that is matched is no other object
        same = ids[1][:, None] == ids[0]
        different = torch.cat([~same, nobody.expand(len(same), -1)], dim=1)
        same = torch.cat([same, torch.zeros_like(nobody).expand(len(same), -1)], dim=1)
        total = total + contrastive_loss(similarity, same, different)
        num_objects += len(truth)
    return total / max(1, num_objects)


def _ids(assigned: Assignment, truth: Targets) -> Tensor:
    """Return the track ids of the objects that queries stand for, in the order of the pairs."""
    if truth.track_ids is None:
        if len(truth):
            raise ValueError("track_ids are missing in a frame that another one follows; give them")
        return assigned.target
    return truth.track_ids[assigned.target]
