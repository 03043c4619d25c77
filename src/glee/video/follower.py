"""Follower: what finds the same objects in frame after frame."""

from collections.abc import Sequence
from typing import Protocol

from glee.images import ImageSource
from glee.inference.predictor import EncodedImage, Predictor
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


class FrameSize:
    """The size that all frames of one video have, known from the first one on."""

    def __init__(self) -> None:
        self.value: tuple[int, int] | None = None

    def encode(self, predictor: Predictor, frame: Frame) -> EncodedImage:
        """Return the encoded frame; raise ValueError if it has another size than those before."""
        encoded = frame if isinstance(frame, EncodedImage) else predictor.encode(frame)
        size = encoded.geometry.original
        if self.value is None:
            self.value = size
        if size != self.value:
            raise ValueError(
                f"frame has {list(size)} pixels, but the frames before had {list(self.value)} "
                "(height, width); resize it, or start anew with a new follower"
            )
        return encoded

    def state(self) -> list[int] | None:
        """Return the size as a JSON value."""
        return None if self.value is None else list(self.value)

    def restore(self, size: Sequence[int] | None) -> None:
        """Take the size that `state` returned; raise ValueError for what is no size."""
        if size is None:
            self.value = None
            return
        height, width = (int(side) for side in size)
        self.value = height, width
