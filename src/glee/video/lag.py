"""Lag: frames are held back for a while, so that those behind them tell which objects were real."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from glee.results import Instances, VideoFrame
from glee.tracking.config import TrackerConfig
from glee.tracking.snapshot import Snapshot


@dataclass(frozen=True, slots=True, eq=False)
class HeldFrame:
    """A frame that is held back.

    named  numbers of its objects that were found by a name; marks and expressions need no proof
    state  of the session behind it, None if that is not wanted
    """

    frame: VideoFrame
    named: frozenset[int]
    state: Snapshot | None


class Lag:
    """Holds back frames, and lets each go with what those behind it have proved.

    An object that was found by a name is shown if it is seen in more than half of the frames that
    are held, counted from the one that is let go, and then in all frames from there on; if not, it
    is left out. Its name is the one that the tracker gives it in the last of these frames. Nothing
    is invented: where an object was not found, it is not shown.

    frames   so many are held back; with 0 all pass as they are
    tracker  an object must be seen `birth_frames` times too, and is known as long as the tracker
             remembers it

    Raises TypeError or ValueError for a number that is none, and where `birth_frames` is more than
    can be seen in time.
    """

    def __init__(self, frames: int, tracker: TrackerConfig) -> None:
        if not isinstance(frames, int):
            raise TypeError(f"lag must be a whole number of frames, got {frames!r}")
        if frames < 0:
            raise ValueError(f"lag must be at least 0 frames, got {frames}")
        if frames and tracker.birth_frames > frames + 1:
            raise ValueError(
                f"birth_frames of the tracker is {tracker.birth_frames}, but with a lag of "
                f"{frames} an object is seen {frames + 1} times at most before it is shown; give a "
                "longer lag"
            )
        self.frames, self._tracker = frames, tracker
        self._held: deque[HeldFrame] = deque()
        self._unseen: dict[int, int] = {}  # frames since each proved object was seen

    def __len__(self) -> int:
        return len(self._held)

    @property
    def full(self) -> bool:
        """Whether a frame can go."""
        return len(self._held) > self.frames

    def hold(self, held: HeldFrame) -> None:
        """Add the next frame."""
        self._held.append(held)

    def let_go(self) -> HeldFrame:
        """Return the first frame that is held, as it is to be shown."""
        if not self.frames:
            return self._held.popleft()
        first, behind = self._held[0], list(self._held)
        counts = Counter(track for one in behind for track in one.named)
        needed = max(self._tracker.birth_frames, len(behind) // 2 + 1)
        proved = {t for t in first.named if t in self._unseen or counts[t] >= needed}
        life = self._tracker.remember_frames
        unseen = {track: count + 1 for track, count in self._unseen.items() if count < life}
        self._unseen = unseen | dict.fromkeys(proved, 0)
        names = {track: name for one in behind for track, name in _names(one).items()}
        shown = _renamed(_without(first.frame.instances, first.named - proved), names)
        self._held.popleft()
        return replace(first, frame=replace(first.frame, instances=shown))

    def state(self) -> list[list[int]]:
        """Return which objects are proved, as plain JSON values; held frames are not part of it."""
        return [[track, count] for track, count in self._unseen.items()]

    def restore(self, state: Sequence[Sequence[int]]) -> None:
        """Go on from what `state` returned."""
        self._unseen = {int(track): int(count) for track, count in state}


def _names(held: HeldFrame) -> dict[int, str]:
    """Return the names of a frame's objects, by number, of those found by names."""
    found = held.frame.instances
    ids = [] if found.track_ids is None else found.track_ids.tolist()
    rows = zip(ids, found.label_names(), strict=True)
    return {track: name for track, name in rows if track in held.named}


def _without(found: Instances, hidden: frozenset[int]) -> Instances:
    """Leave out objects; where there are none to leave out nothing is copied."""
    if found.track_ids is None or not hidden:
        return found
    kept = [row for row, track in enumerate(found.track_ids.tolist()) if track not in hidden]
    return found[torch.tensor(kept, dtype=torch.int64, device=found.device)]


def _renamed(found: Instances, names: dict[int, str]) -> Instances:
    """Call objects by other names, as far as these were looked for in their frame."""
    if found.track_ids is None:
        return found
    places = {name: place for place, name in enumerate(found.names)}
    labels = [
        places.get(names.get(track, ""), label)
        for track, label in zip(found.track_ids.tolist(), found.labels.tolist(), strict=True)
    ]
    return replace(found, labels=torch.tensor(labels, dtype=torch.int64, device=found.device))
