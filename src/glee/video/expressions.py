"""Referring expressions, followed: the one object that each text describes, in every frame."""

from collections.abc import Sequence

from glee.inference.predictor import Predictor
from glee.results import Instances
from glee.tracking.snapshot import Snapshot
from glee.video.follower import Frame


class ExpressionFollower:
    """Follows the one object that each expression describes.

    GLEE (arXiv:2312.09158, "referring video segmentation"): to the probability that a query is
    the object, its similarity to the query that was chosen in the frame before is added.

    expressions  track ids are their places, counted from 1; `prompt_ids` from 0
    consistency  weight of that similarity, the cosine of the embeddings; 0 takes each frame by
                 itself
    threshold    objects are left out of frames in which they do not score higher, 0..1; None
                 reports the best one always, as the paper does
    masks        whether masks are wanted
    """

    def __init__(
        self,
        predictor: Predictor,
        expressions: str | Sequence[str],
        *,
        consistency: float = 1.0,
        threshold: float | None = None,
        masks: bool = True,
    ) -> None:
        raise NotImplementedError

    def change(self, expressions: str | Sequence[str]) -> None:
        """Look for other expressions from the next frame on; those that stay keep their object."""
        raise NotImplementedError

    def step(self, frame: Frame) -> Instances:
        """Return the objects of the next frame; see `Follower`."""
        raise NotImplementedError

    def state(self) -> Snapshot:
        """Return what is known of the objects; see `Follower`."""
        raise NotImplementedError

    def restore(self, state: Snapshot) -> None:
        """Go on from a state; see `Follower`."""
        raise NotImplementedError
