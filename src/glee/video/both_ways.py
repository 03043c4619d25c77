"""Marked objects followed through a list of frames, forward and backward."""

from collections.abc import Iterator, Mapping, Sequence

from glee.inference.predictor import EncodedImage
from glee.prompts import Prompts
from glee.results import Instances
from glee.video.follower import Frame
from glee.video.marks import MarkFollower


def follow_both_ways(
    follower: MarkFollower, frames: Sequence[Frame], marks: Mapping[int, Prompts]
) -> Iterator[tuple[int, Instances]]:
    """Yield the number of each frame of a list, and the objects that were marked in it.

    follower  without objects as yet
    marks     by the number of the frame that they are on. Those of the first marked frame are
              also followed backward from there; later marks are new objects from their frame on

    Frames come forward from the first marked one to the last, then backward to frame 0.
    Raises ValueError for marks on a frame that there is not, or if there are none.
    """
    wrong = [number for number in marks if not 0 <= number < len(frames)]
    if wrong or not marks:
        raise ValueError(
            f"marks must lie on one of frames 0 to {len(frames) - 1}, "
            f"got {f'frame {wrong[0]}' if wrong else 'none'}"
        )
    first = min(marks)
    before = None
    for number in range(first, len(frames)):
        frame = frames[number]
        if number in marks:
            if not isinstance(frame, EncodedImage):
                frame = follower.predictor.encode(frame)
            follower.mark(frame, marks[number])
        before = before or follower.state()
        yield number, follower.step(frame)
    if before is not None:
        follower.restore(before)
    for number in range(first - 1, -1, -1):
        yield number, follower.step(frames[number])
