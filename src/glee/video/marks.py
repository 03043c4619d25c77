"""Marked objects, followed: what was shown on one frame is found again in the others."""

from collections.abc import Sequence

from glee.inference.predictor import Predictor
from glee.prompts import Prompts
from glee.results import Instances
from glee.tracking.snapshot import Snapshot
from glee.video.follower import Frame


class MarkFollower:
    """Follows objects that were marked by a mask, box, click or scribble on any frame.

    Tokens of each marked object are computed once, on the frame of its mark, and prompt all
    other frames (GLEE, arXiv:2312.09158, "video object segmentation"). Objects do not see each
    other.

    names          what the marked objects may be called; labels index them
    threshold      objects are left out of frames in which they do not score higher, 0..1; None
                   reports them always, as benchmarks want
    refresh_above  after frames in which an object scores higher than this, its tokens are
                   computed anew from its mask there, at the price of a second pass; None never
    exclusive      every pixel belongs to one object at most: to the one of highest probability
                   p, where that exceeds the product of all (1 - p)
    masks          whether masks are wanted
    """

    def __init__(
        self,
        predictor: Predictor,
        names: Sequence[str] = ("object",),
        *,
        threshold: float | None = None,
        refresh_above: float | None = None,
        exclusive: bool = False,
        masks: bool = True,
    ) -> None:
        raise NotImplementedError

    @property
    def track_ids(self) -> tuple[int, ...]:
        """The ids of the objects that are followed, in the order in which they were marked."""
        raise NotImplementedError

    def mark(
        self, frame: Frame, prompts: Prompts, track_ids: Sequence[int] | None = None
    ) -> Instances:
        """Start to follow objects, or correct some, and return them as they are on this frame.

        frame      where they were marked; if the very same EncodedImage is given to `step` next,
                   nothing is computed twice
        prompts    marks only, one per object
        track_ids  of each mark, above 0; an id that is followed already is corrected: the new
                   mark replaces what was known. If not given, objects get new ids.

        Objects that were marked by a mask have just that mask on this frame, and score 1.
        Raises ValueError for marks that do not lie on the frame, a mask of another size than the
        frame, text beside the marks, and for ids that are not one per mark.
        """
        raise NotImplementedError

    def remove(self, track_id: int) -> None:
        """Stop following an object; its id is not given again.

        Raises ValueError if no such object is followed.
        """
        raise NotImplementedError

    def step(self, frame: Frame) -> Instances:
        """Return the objects of the next frame; see `Follower`. Without any there are none."""
        raise NotImplementedError

    def state(self) -> Snapshot:
        """Return what is known of the objects; see `Follower`."""
        raise NotImplementedError

    def restore(self, state: Snapshot) -> None:
        """Go on from a state; see `Follower`."""
        raise NotImplementedError
