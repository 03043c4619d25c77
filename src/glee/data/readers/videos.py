"""VideoIndex: annotated clips, on top of the index of all their frames."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glee.data.readers.index import ImageIndex, Rows
from glee.data.report import Report
from glee.data.schema import Frame, RandomAccess, Sample


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VideoIndex:
    """The annotated clips of one source.

    frames  all frames as samples of their own, clip after clip: those that show an object
    starts  [V + 1] the first frame of each clip among the rows of `frames.columns`
    videos  those that are samples
    """

    frames: ImageIndex
    starts: Rows
    videos: Rows

    @property
    def names(self) -> RandomAccess[str]:
        """The names that objects may have."""
        return self.frames.names

    @property
    def report(self) -> Report:
        """What was left out."""
        return self.frames.report

    def portrait(self) -> NDArray[np.bool_]:
        """Return which samples are higher than wide, [len(self)]."""
        sizes = np.array(self.frames.columns.sizes, dtype=np.int64).reshape(-1, 2)
        tall: NDArray[np.bool_] = (sizes[:, 0] > sizes[:, 1])[self.starts[self.videos]]
        return tall

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, index: int) -> Sample:
        video = int(self.videos[index])
        rows = range(int(self.starts[video]), int(self.starts[video + 1]))
        file = Path(self.frames.columns.files[rows.start])
        return Sample(
            key=str(self.frames.folder / file.parent),
            frames=ClipFrames(self.frames, rows),
            expressions=self.frames.expressions(rows.start),
            supervision=self.frames.cover(rows),
        )


@dataclass(frozen=True, slots=True, eq=False)
class ClipFrames:
    """The frames of one clip.

    frames  all frames of the source
    rows    those of the clip
    """

    frames: ImageIndex
    rows: range

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Frame:
        return self.frames.frame(self.rows[index])


def join_frames(frames: ImageIndex, lengths: list[int]) -> VideoIndex:
    """Return the clips of an index of frames.

    lengths  how many frames each clip has, in their order; clips where no frame is a sample are
             left out
    """
    starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    clips = np.searchsorted(starts, frames.images, side="right") - 1
    return VideoIndex(frames=frames, starts=starts, videos=np.unique(clips))
