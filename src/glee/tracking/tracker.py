"""Tracker: objects of one frame after the other get the identities that they had before."""

from glee.results import Instances
from glee.tracking.config import TrackerConfig
from glee.tracking.snapshot import Snapshot


class Tracker:
    """Links the objects of each frame with those of earlier frames, one frame at a time.

    What `step` returns is final. Memory does not grow with the number of frames.
    """

    def __init__(self, config: TrackerConfig | None = None) -> None:
        self.config = TrackerConfig() if config is None else config

    def step(self, found: Instances) -> Instances:
        """Return the objects of the next frame that belong to tracks, with `track_ids`.

        found  all objects of the frame, with embeddings; those of low score help to continue
               tracks, so give them down to `config.keep_score`. Masks are used if there are any.

        Rows keep their order; objects of no track are left out. A label is the one that the track
        has had most often of late; `names` may change from frame to frame. Ids count from 1 and
        are never given twice.
        Raises ValueError for objects without embeddings, or with embeddings of another length or
        an image of another size than before.
        """
        raise NotImplementedError

    def state(self) -> Snapshot:
        """Return all that is remembered, a few hundred kilobytes."""
        raise NotImplementedError

    def restore(self, state: Snapshot) -> None:
        """Go on from what `state` returned, of a tracker of the same configuration.

        Raises ValueError for values that are not such a state.
        """
        raise NotImplementedError
