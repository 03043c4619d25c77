"""Reading back the JSON lines of a followed video, which the reports are made of."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class TrackSummary:
    """What one track was over the whole video.

    votes   sum of the scores for each name
    score   sum of all scores
    frames  in how many frames it was
    size    characters of its masks, which tells how much memory they need
    """

    votes: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    score: float = 0.0
    frames: int = 0
    size: int = 0

    @property
    def name(self) -> str:
        """The name with the most votes."""
        return max(self.votes, key=lambda name: self.votes[name])

    @property
    def mean_score(self) -> float:
        """The mean of its scores."""
        return self.score / self.frames


@dataclass(frozen=True, slots=True)
class Journal:
    """The lines of a video, and what they say on the whole.

    path        of the JSON lines
    frames      number of each frame that was written, in order
    image_size  (height, width), (0, 0) without frames
    names       all names that were looked for, in order of appearance
    tracks      by number
    """

    path: Path
    frames: list[int]
    image_size: tuple[int, int]
    names: list[str]
    tracks: dict[int, TrackSummary]

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield the frames one by one."""
        return read_lines(self.path)

    def category(self, track: int) -> int:
        """Return the number of a track's name, from 1."""
        return self.names.index(self.tracks[track].name) + 1


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield what each whole line of a file holds; a last one that was cut off is passed over."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def read_journal(path: Path) -> Journal:
    """Read the lines once, and keep what reports need of all frames at once."""
    frames, size = [], (0, 0)
    names: dict[str, None] = {}
    tracks: dict[int, TrackSummary] = defaultdict(TrackSummary)
    for line in read_lines(path):
        frames.append(line["frame"])
        height, width = line["image_size"]
        size = (height, width)
        names |= dict.fromkeys(line["names"])
        for one in line["objects"]:
            track = tracks[one["track_id"]]
            track.votes[one["name"]] += one["score"]
            track.score += one["score"]
            track.frames += 1
            track.size += len(one["mask"]["counts"]) if "mask" in one else 0
    return Journal(path, frames, size, list(names), dict(sorted(tracks.items())))
