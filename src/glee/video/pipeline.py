"""track(): from a source and prompts to a session that yields one frame after the other."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction

from glee.inference.predictor import Predictor
from glee.prompts import Prompts
from glee.tracking.config import TrackerConfig
from glee.video.followers import FollowConfig
from glee.video.memory import MemoryLimit
from glee.video.reader import FramesFrom, open_source
from glee.video.session import VideoSession
from glee.video.source import FrameRange, Source


def track(  # noqa: PLR0913  # one keyword for each choice
    predictor: Predictor,
    source: FramesFrom | Source,
    prompts: Prompts | Sequence[str] | None = None,
    *,
    at: Mapping[int, Prompts | Sequence[str]] | None = None,
    start: int = 0,
    every: int = 1,
    backward: bool = False,
    threshold: float | None = None,
    masks: bool = True,
    lag: int = 0,
    max_memory_mb: float | None = None,
    frame_rate: float | Fraction | None = None,
    skip_damage: bool = False,
    config: FollowConfig | None = None,
    tracker: TrackerConfig | None = None,
) -> VideoSession:
    """Follow what the prompts ask for through a video, frame by frame.

        for frame in glee.track(predictor, "drive.mp4", ["car"]):
            print(frame.index, frame.instances.track_ids)

    source         a video file, a folder of pictures, the number of a camera, a URL, or pictures
                   themselves; see `open_source`
    prompts        names, of which every object is followed; expressions, each of one object; or
                   marks on the first frame. None if `at` or `mark` tells later
    at             prompts by number of frame: marks on it, or text that replaces earlier text
    start          first frame
    every          only each so many-th frame, and those with prompts
    backward       from the start down to frame 0; not for iterators and live sources
    threshold      objects are reported where they score higher, 0..1. If not given: 0.2 for names,
                   and always for expressions and marks
    masks          whether masks are wanted
    lag            frames come so many later, with only those objects of names that last; see `Lag`
    max_memory_mb  the whole process may hold so many megabytes
    frame_rate     of folders and pictures, in frames per second; 24 if not given
    skip_damage    go on behind damaged parts of a file, whose frames are then missing
    config         further choices; `threshold` and `masks` above take the place of its own
    tracker        how objects of names are tracked

    Returns a session, an iterator of VideoFrame that takes further prompts on the way. Raises
    ValueError, TypeError, FileNotFoundError and VideoError for what makes no sense or cannot be
    read; while frames come, behind the good ones, VideoError for damage, and MemoryLimitError.
    """
    opened = open_source(source, frame_rate=frame_rate, skip_damage=skip_damage)
    with ExitStack() as stack:
        stack.callback(opened.close)
        session = VideoSession(
            predictor,
            opened,
            None if prompts is None else Prompts.coerce(prompts),
            at={_frame_number(index): Prompts.coerce(own) for index, own in (at or {}).items()},
            frames=FrameRange(start=start, every=every, backward=backward),
            config=_chosen(config or FollowConfig(), threshold, tracker, masks=masks),
            lag=lag,
            limit=MemoryLimit(max_memory_mb),
        )
        stack.pop_all()  # the session closes its source
    return session


def _chosen(
    config: FollowConfig, threshold: float | None, tracker: TrackerConfig | None, *, masks: bool
) -> FollowConfig:
    """Let what was given by itself take the place of what the configuration says."""
    return replace(
        config,
        threshold=config.threshold if threshold is None else threshold,
        tracker=tracker or config.tracker,
        masks=masks and config.masks,
    )


def _frame_number(index: int) -> int:
    if not isinstance(index, int):
        raise TypeError(f"at must have numbers of frames as its keys, got {index!r}")
    if index < 0:
        raise ValueError(f"at must have numbers of frames from 0, got {index}")
    return index
