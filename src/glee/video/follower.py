"""Follower: what finds the same objects in frame after frame."""

from typing import Protocol

from glee.images import ImageSource
from glee.inference.predictor import EncodedImage
from glee.results import Instances
from glee.tracking.snapshot import Snapshot

Frame = ImageSource | EncodedImage
"""One frame; encode it with the follower's predictor to share the work between followers."""


class Follower(Protocol):
    """Follows objects through a video, whatever asked for them: names, expressions or marks.

    Frames are given in order, forward or backward, and may be left out. What `step` returns is
    final, and memory does not grow with the number of frames.
    """

    def step(self, frame: Frame) -> Instances:
        """Return the objects of the next frame, with `track_ids`.

        Raises ValueError for a frame of another size than those before.
        """

    def state(self) -> Snapshot:
        """Return what is known of the objects, to go on later; plain values and tensors."""

    def restore(self, state: Snapshot) -> None:
        """Go on from what `state` returned, of a follower built in the same way.

        Raises ValueError for values that are not such a state.
        """
