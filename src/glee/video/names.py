"""Every object of each name, followed: the predictor finds them and the tracker links them."""

from collections.abc import Sequence

from glee.inference.predictor import Predictor
from glee.inference.text import Vocabulary
from glee.results import Instances
from glee.tracking.config import TrackerConfig
from glee.tracking.snapshot import Snapshot
from glee.video.follower import Frame


class NameFollower:
    """Follows all objects of a list of names.

    names        may be replaced at any time with `change`; tracks go on
    config       of the tracker; `birth_score` is the threshold that `predict` has for names
    masks        whether masks are wanted
    max_objects  at most so many in a frame
    """

    def __init__(
        self,
        predictor: Predictor,
        names: Sequence[str] | Vocabulary,
        *,
        config: TrackerConfig | None = None,
        masks: bool = True,
        max_objects: int = 100,
    ) -> None:
        raise NotImplementedError

    def change(self, names: Sequence[str] | Vocabulary) -> None:
        """Look for other names from the next frame on; objects that are still found keep their ids.

        Labels then index the new names.
        """
        raise NotImplementedError

    def step(self, frame: Frame) -> Instances:
        """Return the objects of the next frame; see `Follower`."""
        raise NotImplementedError

    def state(self) -> Snapshot:
        """Return what is known of the objects; see `Follower`. The names are part of it."""
        raise NotImplementedError

    def restore(self, state: Snapshot) -> None:
        """Go on from a state; see `Follower`."""
        raise NotImplementedError
