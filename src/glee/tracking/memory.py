"""Memory: what is remembered of each identity, in tensors with a row for each, and for how long."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from glee.tracking.appearance import add_views, compare
from glee.tracking.config import TrackerConfig
from glee.tracking.motion import correct, expect
from glee.tracking.sightings import SHAPE_CELLS, Sightings

# What has been seen only n times is forgotten after so many times n frames.
_FRAMES_PER_SIGHTING = 10

# How much of a new sighting enters the mean of recent ones, once there were many.
_RECENT_SHARE = 0.2

# An object whose box overlaps another one by more is not seen clearly: no view for the gallery.
_CLEAR_OVERLAP = 0.4

# In every sighting, earlier votes for names count less by this factor; few names are kept.
_KEEP_VOTES, _MOST_NAMES = 0.95, 8

Votes = dict[str, float]


@dataclass(slots=True)
class Memory:
    """All identities that are remembered, M rows.

    ids        [M] int64
    last_seen  [M] int64, the frame in which it was seen last
    sightings  [M] int64, how often it was seen
    steady     [M] int64, how often in a row it was seen where it was expected
    places     [M, 4]     where, see `motion`
    velocity   [M, 4]
    recent     [M, C]     mean of recent embeddings, of length 1
    views      [M, V, C]  gallery of embeddings, of length 1
    weights    [M, V]     sightings that each view stands for, 0 where there is none
    shapes     [M, S, S]  the mask inside its box; zeros without masks
    votes      of each, names and how often they were seen of late
    """

    ids: Tensor
    last_seen: Tensor
    sightings: Tensor
    steady: Tensor
    places: Tensor
    velocity: Tensor
    recent: Tensor
    views: Tensor
    weights: Tensor
    shapes: Tensor
    votes: list[Votes]

    @staticmethod
    def empty(width: int, num_views: int) -> "Memory":
        """Return a memory of nothing, for embeddings of `width` numbers."""
        return Memory(
            ids=torch.zeros(0, dtype=torch.int64),
            last_seen=torch.zeros(0, dtype=torch.int64),
            sightings=torch.zeros(0, dtype=torch.int64),
            steady=torch.zeros(0, dtype=torch.int64),
            places=torch.zeros(0, 4),
            velocity=torch.zeros(0, 4),
            recent=torch.zeros(0, width),
            views=torch.zeros(0, num_views, width),
            weights=torch.zeros(0, num_views),
            shapes=torch.zeros(0, SHAPE_CELLS, SHAPE_CELLS),
            votes=[],
        )

    @staticmethod
    def restore(tensors: Mapping[str, Tensor], votes: list[Votes], num_views: int) -> "Memory":
        """Return the memory that has these tensors and votes, which were stored.

        Raises ValueError if a tensor is missing, or does not fit the others or the number of views.
        """
        missing = {one.name for one in fields(Memory)} - {"votes"} - set(tensors)
        if missing:
            raise ValueError(f"the state of a tracker lacks {', '.join(sorted(missing))}")
        width = tensors["recent"].shape[-1]
        parts = {}
        for name, form in Memory.empty(width, num_views).tensors().items():
            value = tensors[name]
            if value.shape != (len(votes), *form.shape[1:]) or value.dtype != form.dtype:
                raise ValueError(
                    f"{name} of the state must be {form.dtype} {[len(votes), *form.shape[1:]]}, "
                    f"got {value.dtype} {list(value.shape)}"
                )
            parts[name] = value.clone()
        return Memory(**parts, votes=[dict(one) for one in votes])

    def __len__(self) -> int:
        return len(self.ids)

    def tensors(self) -> dict[str, Tensor]:
        """Return all but the votes, by name."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name != "votes"}

    def take(self, rows: Tensor) -> "Memory":
        """Return the identities of some rows [M'] int64."""
        parts = {name: value[rows] for name, value in self.tensors().items()}
        return Memory(**parts, votes=[self.votes[row] for row in rows.tolist()])

    def join(self, others: "Memory") -> "Memory":
        """Return these identities and others."""
        theirs = others.tensors()
        parts = {name: torch.cat([own, theirs[name]]) for name, own in self.tensors().items()}
        return Memory(**parts, votes=self.votes + others.votes)

    def similarity(self, embeddings: Tensor) -> Tensor:
        """Return the cosine [M, N] of what is remembered and objects, embeddings [N, C]."""
        known = torch.cat([self.views, self.recent[:, None]], dim=1)
        return compare(known, F.pad(self.weights, (0, 1), value=1), embeddings)

    def keep_known(self, frame: int, config: TrackerConfig) -> "Memory":
        """Return what is still remembered in a frame: what was seen of late, or often enough."""
        unseen = frame - self.last_seen
        life = (_FRAMES_PER_SIGHTING * self.sightings).clamp(max=config.remember_frames)
        tentative = self.sightings < config.birth_frames
        life = torch.where(tentative, 1, life)
        kept = (unseen <= life).nonzero().flatten()
        if len(kept) > config.max_remembered:
            latest = unseen[kept].argsort(stable=True)[: config.max_remembered]
            kept = kept[latest].sort().values
        return self if len(kept) == len(self) else self.take(kept)

    def see_again(
        self, rows: Tensor, seen: Sightings, objects: Tensor, names: Sequence[str], frame: int
    ) -> None:
        """Learn from objects that were recognised.

        rows     [P] int64, the identities, each once
        objects  [P] int64, which sightings they are
        names    [P], what each was called
        frame    number of the frame
        """
        frames = frame - self.last_seen[rows]
        expected = expect(self.places[rows], self.velocity[rows], frames)
        self.places[rows], self.velocity[rows], self.steady[rows] = correct(
            expected, self.velocity[rows], seen.places[objects], frames, self.steady[rows]
        )
        self.last_seen[rows] = frame
        self.sightings[rows] += 1
        share = (1 / self.sightings[rows].float()).clamp(min=_RECENT_SHARE)[:, None]
        embeddings = seen.embeddings[objects]
        recent = (1 - share) * self.recent[rows] + share * embeddings
        self.recent[rows] = F.normalize(recent, dim=1)
        clear = seen.clear(_CLEAR_OVERLAP)[objects]
        good = rows[clear]
        self.views[good], self.weights[good] = add_views(
            self.views[good], self.weights[good], embeddings[clear]
        )
        if seen.shapes is not None:
            self.shapes[rows] = seen.shapes[objects]
        for row, name, score in zip(
            rows.tolist(), names, seen.scores[objects].tolist(), strict=True
        ):
            self.votes[row] = _vote(self.votes[row], name, score)

    def first_seen(
        self, ids: Tensor, seen: Sightings, objects: Tensor, names: Sequence[str], frame: int
    ) -> "Memory":
        """Return a memory of new identities only; arguments as in `see_again`."""
        count, num_views = len(ids), self.views.shape[1]
        embeddings = seen.embeddings[objects]
        shapes = torch.zeros(count, SHAPE_CELLS, SHAPE_CELLS)
        views, weights = add_views(
            torch.zeros(count, num_views, embeddings.shape[1]),
            torch.zeros(count, num_views),
            embeddings,
        )
        scores = seen.scores[objects].tolist()
        return Memory(
            ids=ids,
            last_seen=torch.full((count,), frame),
            sightings=torch.ones(count, dtype=torch.int64),
            steady=torch.ones(count, dtype=torch.int64),
            places=seen.places[objects],
            velocity=torch.zeros(count, 4),
            recent=embeddings,
            views=views,
            weights=weights,
            shapes=shapes if seen.shapes is None else seen.shapes[objects],
            votes=[_vote({}, name, score) for name, score in zip(names, scores, strict=True)],
        )


def _vote(votes: Votes, name: str, score: float) -> Votes:
    """Let a sighting vote for its name with its score; keep the names with most votes."""
    votes = {known: weight * _KEEP_VOTES for known, weight in votes.items()}
    votes[name] = votes.get(name, 0.0) + score
    best = sorted(votes.items(), key=lambda vote: vote[1], reverse=True)
    return dict(best[:_MOST_NAMES])
