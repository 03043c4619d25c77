"""Every object of each name, followed: the predictor finds them and the tracker links them."""

from collections.abc import Sequence

from glee.inference.predictor import EncodedImage, Predictor
from glee.inference.text import Vocabulary
from glee.results import Instances
from glee.tracking.config import TrackerConfig
from glee.tracking.snapshot import Snapshot
from glee.tracking.tracker import Tracker
from glee.video.follower import Frame

# The default of `predict` would leave out objects behind others, with whose tracks they may be
# mixed up.
NESTED = 0.8


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
        self.predictor, self.masks, self.max_objects = predictor, masks, max_objects
        self._tracker = Tracker(config)
        self.change(names)

    def change(self, names: Sequence[str] | Vocabulary) -> None:
        """Look for other names from the next frame on; objects that are still found keep their ids.

        Labels then index the new names.
        """
        self._vocabulary = (
            names if isinstance(names, Vocabulary) else self.predictor.vocabulary(names)
        )

    def step(self, frame: Frame) -> Instances:
        """Return the objects of the next frame; see `Follower`."""
        encoded = frame if isinstance(frame, EncodedImage) else self.predictor.encode(frame)
        found = self.predictor.predict(
            encoded,
            self._vocabulary,
            threshold=self._tracker.config.keep_score,
            max_objects=self.max_objects,
            masks=self.masks,
            nested=NESTED if self.predictor.model.config.object_decoder.cell_reach else None,
            second_look=False,
        )
        return self._tracker.step(found, consume=True)

    def state(self) -> Snapshot:
        """Return what is known of the objects; see `Follower`. The names are part of it."""
        tracker = self._tracker.state()
        values = {"names": list(self._vocabulary.names), "tracker": tracker.values}
        return Snapshot(values, tracker.tensors)

    def restore(self, state: Snapshot) -> None:
        """Go on from a state; see `Follower`."""
        try:
            names, values = list(state.values["names"]), state.values["tracker"]
        except (KeyError, TypeError) as error:
            raise ValueError(f"state is not that of a NameFollower: {error!r}") from error
        self._tracker.restore(Snapshot(values, state.tensors))
        if tuple(names) != self._vocabulary.names:
            self.change(names)
