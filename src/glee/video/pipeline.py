"""track(): from a source and prompts to a session that yields one frame after the other."""

from collections.abc import Mapping, Sequence
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
    prompts        names, of which every object is followed; expressions, each of which describes
                   one object; or marks on the first frame. None if `at` or `mark` tells later
    at             prompts by the number of their frame: marks that lie on it, or text that takes
                   the place of earlier text from there on
    start          first frame
    every          only each so many-th frame, and those with prompts
    backward       from the start down to frame 0; not for iterators and live sources
    threshold      objects are reported where they score higher, 0..1. If not given: 0.2 for names,
                   while the object of an expression or mark is reported in each frame
    masks          whether masks are wanted
    max_memory_mb  the whole process may hold so many megabytes
    frame_rate     of folders and pictures, in frames per second; 24 if not given
    skip_damage    go on behind damaged parts of a file, whose frames are then missing
    config         further choices; `threshold` and `masks` above take the place of its own
    tracker        how objects of names are tracked

    Returns a session: an iterator of VideoFrame, which also takes further prompts on the way. It
    needs no more memory for a longer video. Raises ValueError, TypeError, FileNotFoundError and
    VideoError for what makes no sense or cannot be read; while frames come VideoError where a
    video is damaged, behind the frames before, and MemoryLimitError.
    """
    frames = FrameRange(start=start, every=every, backward=backward)
    limit = MemoryLimit(max_memory_mb)
    chosen = config or FollowConfig()
    follow = replace(
        chosen,
        threshold=chosen.threshold if threshold is None else threshold,
        tracker=tracker or chosen.tracker,
        masks=masks and chosen.masks,
    )
    wanted = None if prompts is None else Prompts.coerce(prompts)
    by_frame = {_frame_number(index): Prompts.coerce(own) for index, own in (at or {}).items()}
    opened = open_source(source, frame_rate=frame_rate, skip_damage=skip_damage)
    try:
        return VideoSession(
            predictor,
            opened,
            wanted,
            at=by_frame,
            frames=frames,
            config=follow,
            limit=limit,
        )
    except Exception:
        opened.close()
        raise


def _frame_number(index: int) -> int:
    if not isinstance(index, int):
        raise TypeError(f"at must have numbers of frames as its keys, got {index!r}")
    if index < 0:
        raise ValueError(f"at must have numbers of frames from 0, got {index}")
    return index
