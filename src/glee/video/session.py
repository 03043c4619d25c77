"""VideoSession: one video being followed, frame by frame, whose prompts may change on the way."""

import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from glee.inference.predictor import EncodedImage, Predictor
from glee.prompts import Prompts
from glee.results import Instances, Timings, VideoFrame
from glee.tracking.snapshot import Snapshot
from glee.video.followers import FollowConfig, Followers, part_of
from glee.video.lag import HeldFrame, Lag
from glee.video.memory import MemoryLimit
from glee.video.prefetch import Prefetch
from glee.video.source import FrameRange, Source, SourceFrame, SourceInfo


class VideoSession:
    """Follows objects through a video: iterate over it for one VideoFrame after the other.

    The next frame is computed when it is asked for, so that a slow consumer slows everything
    down, and no frame is changed later. While the network is busy, a thread reads ahead, but
    not before the first frame was followed.

    `mark`, `set_prompts` and `remove` take effect from the next frame on that is followed, and may
    be called from other threads. `glee.track` builds sessions.

    source   opened; closed with the session
    prompts  what to look for, None if that is told later. Marks lie on the first frame
    at       prompts by the number of their frame: marks on it, or text to look for from there on
    frames   which are wanted
    lag      so many frames are followed before the first one is returned; see `Lag`
    limit    of the memory of the process
    """

    def __init__(  # noqa: PLR0913  # what a session joins
        self,
        predictor: Predictor,
        source: Source,
        prompts: Prompts | None,
        *,
        at: Mapping[int, Prompts],
        frames: FrameRange,
        config: FollowConfig,
        lag: int,
        limit: MemoryLimit,
    ) -> None:
        self._predictor, self._source = predictor, source
        # Also a session that is left in the middle of a loop gives up its threads.
        weakref.finalize(self, source.close)
        self._limit = limit
        self._lag = Lag(lag, config.tracker_config())
        self._followers = Followers(predictor, config.at_once() if lag else config)
        self._text: Prompts | None = None
        self._waiting = dict(at)
        self._lock = threading.Lock()
        self._last: _Seen | None = None
        self._shown: _Seen | None = None
        self._behind_shown: Snapshot | None = None  # with a lag, the state behind that frame
        self._changes: list[Snapshot] = []  # with a lag, the states behind what came later
        self._reader: Iterator[SourceFrame] | None = None
        self._ahead: Prefetch | None = None
        self._closed = False
        self._end: Exception | None = None  # what comes behind the frames that are held back
        self._frames = replace(frames, always=frames.always | self._waiting.keys())
        self._begin(prompts)
        self._require_in_range(source.info)

    @property
    def info(self) -> SourceInfo:
        """Facts about the source."""
        return self._source.info

    def __iter__(self) -> Iterator[VideoFrame]:
        return self

    def __next__(self) -> VideoFrame:
        if self._closed:
            raise StopIteration
        while self._end is None and not self._lag.full:
            self._advance()
        if not len(self._lag):
            self.close()
            assert self._end is not None  # or there is a frame
            raise self._end
        held = self._lag.let_go()
        if self._shown is not None:
            self._forget_changes(self._shown.index)
        self._shown = _Seen(held.frame.index, held.frame.image)
        self._behind_shown = held.state
        return held.frame

    def set_prompts(self, prompts: Prompts | Sequence[str]) -> None:
        """Look for other names or expressions from the next frame on; marked objects stay.

        Raises ValueError for marks among them.
        """
        text = Prompts.coerce(prompts)
        with self._lock:
            self._followers.set_text(text)
            self._text = text
            self._note_change()

    def mark(
        self,
        prompts: Prompts,
        on: VideoFrame | None = None,
        track_ids: Sequence[int] | None = None,
    ) -> Instances:
        """Follow marked objects from now on, or correct some.

        prompts    one mark for each object
        on         the frame that they were marked on; if not given, the last one returned
        track_ids  of marked objects, one for each mark, which these marks correct; if not given,
                   they are new objects
        Returns them as they are on that frame. Raises ValueError for marks that do not fit it, and
        if no frame was returned yet.
        """
        with self._lock:
            seen = self._shown if on is None else _Seen(on.index, on.image)
            if seen is None:
                raise ValueError("no frame was returned yet; give marks with the prompts, or in at")
            marked = self._followers.mark(self._encoded(seen), prompts, track_ids)
            self._note_change()
            return marked

    def remove(self, track_id: int) -> None:
        """Stop following a marked object; its number is not given again.

        Raises ValueError for one that was not marked.
        """
        with self._lock:
            self._followers.remove(track_id)
            self._note_change()

    def state(self) -> Snapshot:
        """Return all that is needed to go on behind the last frame; see `restore`.

        With a lag, what was marked or changed since that frame was followed is part of it, and
        takes effect behind the same frame again.
        """
        with self._lock:
            state = self._behind_shown or self._state_now()
            changes = self._changes if self._lag.frames else []
            values = {"lag": self._lag.state(), "changes": [c.values for c in changes]}
            tensors = {
                f"{_change(n)}{name}": value.clone()  # files hold no tensor twice
                for n, change in enumerate(changes)
                for name, value in change.tensors.items()
            }
            return Snapshot({**state.values, **values}, {**state.tensors, **tensors})

    def restore(self, state: Snapshot) -> None:
        """Go on where a session of the same source, prompts and options was.

        Raises ValueError if this session has begun already, and for what is no such state.
        """
        if self._reader is not None:
            raise ValueError("a session that has begun cannot take another's state")
        missing = {"last", "text", "followers", "lag"} - state.values.keys()
        if missing:
            raise ValueError(f"the state of a session lacks {', '.join(sorted(missing))}")
        last = state.values["last"]
        with self._lock:
            self._take_up(state)
            self._changes = [
                Snapshot(values, part_of(state.tensors, _change(n)))
                for n, values in enumerate(state.values.get("changes", ()))
            ]
            self._make_changes(last)
            self._forget_changes(last)
            self._lag.restore(state.values["lag"])
            self._frames = replace(self._frames, after=last)
            self._waiting = {i: p for i, p in self._waiting.items() if self._frames.wants(i)}

    def close(self) -> None:
        """Stop reading and give up the source. Sessions that reach their end do so themselves."""
        self._closed = True
        if self._ahead is not None:
            self._ahead.close()
        self._source.close()

    def __enter__(self) -> "VideoSession":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _begin(self, prompts: Prompts | None) -> None:
        """Take the prompts of the first frame, text at once and marks when it is there."""
        if prompts is None:
            return
        if prompts.marks:
            start = self._frames.start
            if start in self._waiting:
                raise ValueError(f"prompts has marks, which lie on frame {start}, and so has at")
            self._waiting[start] = prompts
        else:
            self.set_prompts(prompts)

    def _require_in_range(self, info: SourceInfo) -> None:
        """Refuse a start, and prompts on frames, that will not come."""
        start, count = self._frames.start, info.num_frames
        if count is not None and start >= count:
            raise ValueError(
                f"start is {start}, but {info.name} has {count} frames (0 to {count - 1})"
            )
        for index in self._waiting:
            if not self._frames.wants(index):
                raise ValueError(
                    f"at has prompts for frame {index}, but frames are read from "
                    f"{self._frames.start} {'down' if self._frames.backward else 'on'}"
                )
            if count is not None and index >= count:
                raise ValueError(
                    f"there are prompts for frame {index}, but {info.name} has {count} frames "
                    f"(0 to {count - 1})"
                )

    def _unused(self) -> ValueError | None:
        """Return what is wrong if the source ended before the start, or before some prompts."""
        if self._last is None and self._frames.after is None:
            return ValueError(
                f"start is {self._frames.start}, but {self.info.name} ended before it"
            )
        if not self._waiting:
            return None
        return ValueError(
            f"there are prompts for frame {min(self._waiting)}, but {self.info.name} ended "
            "before it"
        )

    def _frames_from(self) -> Iterator[SourceFrame]:
        """Return where the next frame comes from: the first at once, others by a thread."""
        if self._reader is None:
            self._reader = self._source.read(self._frames)
            return self._reader
        if self.info.live:  # it has a thread of its own
            return self._reader
        if self._ahead is None:
            assert self._last is not None  # the first frame was followed
            depth = self._limit.read_ahead(self._last.image.nbytes)
            self._ahead = Prefetch(self._reader, depth)
            weakref.finalize(self, self._ahead.close)
        return self._ahead

    def _advance(self) -> None:
        """Follow one more frame, or note what ends them."""
        began = time.perf_counter()
        try:
            frame = next(self._frames_from())
            there = time.perf_counter()
            with self._lock:
                instances = self._follow(frame)
                named = self._followers.named(instances) if self._lag.frames else frozenset()
                state = self._state_now() if self._lag.frames else None
                self._make_changes(frame.index)
            ready = time.perf_counter()
            self._limit.require(frame.index)
        except StopIteration as end:
            self._end = self._unused() or end
            return
        except Exception as error:  # whatever it is, the frames before it come first
            self._end = error
            return
        timings = Timings(decode=frame.seconds, wait=there - began, network=ready - there)
        followed = VideoFrame(
            index=frame.index,
            timestamp=frame.timestamp,
            instances=instances,
            image=frame.image,
            timings=timings,
            dropped=frame.dropped,
        )
        self._lag.hold(HeldFrame(followed, named, state))

    def _state_now(self) -> Snapshot:
        """Return what is known behind the frame that was followed last."""
        state = self._followers.state()
        values = {
            "last": self._frames.after if self._last is None else self._last.index,
            "text": None if self._text is None else self._text.to_json(),
            "followers": state.values,
        }
        return Snapshot(values, state.tensors)

    def _take_up(self, state: Snapshot) -> None:
        """Know of the objects what `_state_now` returned."""
        text = state.values["text"]
        self._text = None if text is None else Prompts.from_json(text)
        self._followers.restore(Snapshot(state.values["followers"], state.tensors), self._text)

    def _note_change(self) -> None:
        """With a lag, keep the state behind a change, for the states of frames that are held."""
        if self._lag.frames and self._last is not None:
            self._forget_changes(self._last.index)
            self._changes.append(self._state_now())

    def _make_changes(self, index: int | None) -> None:
        """Make the changes that an earlier session made behind a frame."""
        for change in self._changes:
            if change.values["last"] == index:
                self._take_up(change)

    def _forget_changes(self, index: int | None) -> None:
        self._changes = [one for one in self._changes if one.values["last"] != index]

    def _follow(self, frame: SourceFrame) -> Instances:
        self._last = None  # its features are large
        prompts = self._waiting.pop(frame.index, None)
        if prompts is None and not self._followers.active:
            self._last = _Seen(frame.index, frame.image)
            height, width = frame.image.shape[:2]
            return self._followers.nothing((height, width))
        encoded = self._predictor.encode(frame.image)
        if prompts is not None:
            if prompts.marks:
                self._followers.mark(encoded, prompts)
            else:
                self._followers.set_text(prompts)
                self._text = prompts
        instances = self._followers.step(encoded)
        self._last = _Seen(frame.index, frame.image, encoded)
        return instances

    def _encoded(self, frame: "_Seen") -> EncodedImage:
        """Return a frame encoded; the last one mostly is so already."""
        last = self._last
        if last is not None and frame.index == last.index and last.encoded is not None:
            return last.encoded
        return self._predictor.encode(frame.image)


def _change(number: int) -> str:
    """Return what the names of a change's tensors begin with in a state."""
    return f"change{number}."


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """A frame that was followed.

    encoded  None if nothing was looked for in it, or if its features are not kept
    """

    index: int
    image: NDArray[np.uint8]
    encoded: EncodedImage | None = None
