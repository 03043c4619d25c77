"""IDF1: how long each true track is explained by one predicted track (arXiv:1609.01775)."""

from dataclasses import dataclass

import numpy as np

from glee.evaluation.track_matching import assign
from glee.evaluation.tracked_video import TrackedVideo


@dataclass(frozen=True, slots=True)
class Identity:
    """Identity counts, and the measures that follow from them.

    idtp  objects whose prediction belongs to the track that their true track is paired with
    idfn  other true objects
    idfp  other predictions
    """

    idtp: int
    idfn: int
    idfp: int

    @property
    def idf1(self) -> float:
        """Share of objects with the right identity, true and predicted ones together."""
        return self.idtp / max(1, self.idtp + (self.idfn + self.idfp) / 2)

    @property
    def idr(self) -> float:
        """Identity recall."""
        return self.idtp / max(1, self.idtp + self.idfn)

    @property
    def idp(self) -> float:
        """Identity precision."""
        return self.idtp / max(1, self.idtp + self.idfp)


def identity(video: TrackedVideo, *, threshold: float = 0.5) -> Identity:
    """Pair whole true tracks with whole predicted tracks, one to one, and count what fits.

    threshold  similarity from which two objects count as the same

    The paper finds the pairing with the fewest wrong objects, IDFN + IDFP. As their number is that
    of all objects less 2 IDTP, it is also the pairing with most right ones, which is sought here.
    """
    close = video.similarity >= threshold
    shape = (video.num_gt_ids, video.num_pred_ids)
    track_pair = video.gt_ids[video.pair_gt] * shape[1] + video.pred_ids[video.pair_pred]
    shared = np.bincount(track_pair[close], minlength=shape[0] * shape[1]).reshape(shape)
    idtp = int(shared[assign(shared.astype(np.float64))].sum())
    return Identity(idtp=idtp, idfn=len(video.gt_ids) - idtp, idfp=len(video.pred_ids) - idtp)


def identity_summary(result: Identity) -> dict[str, float]:
    """Return the measures and counts by their names in the paper."""
    return {
        "IDF1": result.idf1,
        "IDR": result.idr,
        "IDP": result.idp,
        "IDTP": result.idtp,
        "IDFN": result.idfn,
        "IDFP": result.idfp,
    }
