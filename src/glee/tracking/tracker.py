"""Tracker: objects of one frame after the other get the identities that they had before."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

import numpy as np
import torch
from torch import Tensor

from glee.results import Instances
from glee.tracking.appearance import CosineScale
from glee.tracking.association import assign, gains, is_cut, position_agreement
from glee.tracking.config import TrackerConfig
from glee.tracking.memory import Memory
from glee.tracking.motion import expect, place_affinity
from glee.tracking.sightings import Sightings, read_sightings, shape_overlap
from glee.tracking.snapshot import Snapshot

# Weak objects continue a track only where their position agrees so much with it.
_WEAK_POSITION = 0.3

# Without masks, an object whose box overlaps that of a stronger one by more starts no track.
_TWIN_OVERLAP = 0.7


class Tracker:
    """Links the objects of each frame with those of earlier frames, one frame at a time.

    What `step` returns is final. Memory does not grow with the number of frames.
    """

    def __init__(self, config: TrackerConfig | None = None) -> None:
        self.config = TrackerConfig() if config is None else config
        self._memory: Memory | None = None
        self._image_size: tuple[int, int] | None = None
        self._frame = 0
        self._next_id = 1
        self._scale = CosineScale()

    def step(self, found: Instances, *, consume: bool = False) -> Instances:
        """Return the objects of the next frame that belong to tracks, with `track_ids`.

        found    all objects of the frame, with embeddings; those of low score help to continue
                 tracks, so give them down to `config.keep_score`. Masks are used if there are any:
                 of several objects with nearly the same one, only the strongest counts.
        consume  whether `found` is not needed any more: its masks then make room for those of the
                 objects that are returned, which saves the time and the memory of copying all

        Rows keep their order; objects of no track are left out. A label is the one that the track
        has had most often of late; `names` may change from frame to frame. Ids count from 1 and
        are never given twice.
        Raises ValueError for objects without embeddings, or with embeddings of another length or
        an image of another size than before.
        """
        self._require_size(found)
        self._frame += 1
        if len(found) == 0:
            return replace(found, track_ids=torch.zeros(0, dtype=torch.int64, device=found.device))
        seen = read_sightings(found)
        memory = self._remembered(seen.embeddings.shape[1]).keep_known(self._frame, self.config)
        rows, objects = self._recognise(memory, seen)
        names = found.label_names()
        memory.see_again(rows, seen, objects, [names[n] for n in objects.tolist()], self._frame)
        born = self._births(seen, objects)
        self._memory = self._with_births(memory, seen, born, [names[n] for n in born.tolist()])
        self._learn_unlike(seen)
        known = torch.cat([rows, torch.arange(len(memory), len(self._memory))])
        return self._report(found, torch.cat([objects, born]), known, consume=consume)

    def state(self) -> Snapshot:
        """Return all that is remembered, at most a few megabytes."""
        memory = self._memory
        values = {
            "frame": self._frame,
            "next_id": self._next_id,
            "image_size": None if self._image_size is None else list(self._image_size),
            "scale": asdict(self._scale),
            "votes": None if memory is None else [dict(votes) for votes in memory.votes],
        }
        tensors = {} if memory is None else memory.tensors()
        return Snapshot(values, {name: value.clone() for name, value in tensors.items()})

    def restore(self, state: Snapshot) -> None:
        """Go on from what `state` returned, of a tracker of the same configuration.

        Raises ValueError for values that are not such a state.
        """
        values = state.values
        try:
            size, votes = values["image_size"], values["votes"]
            memory = None
            if votes is not None:
                memory = Memory.restore(state.tensors, votes, self.config.views)
            scale = CosineScale(**{name: float(x) for name, x in values["scale"].items()})
            frame, next_id = int(values["frame"]), int(values["next_id"])
            image_size = None if size is None else (int(size[0]), int(size[1]))
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise ValueError(f"state is not that of a Tracker: {error!r}") from error
        self._memory, self._scale, self._image_size = memory, scale, image_size
        self._frame, self._next_id = frame, next_id

    def _require_size(self, found: Instances) -> None:
        if self._image_size is None:
            self._image_size = found.image_size
        if found.image_size != self._image_size:
            raise ValueError(
                f"found is of an image of {list(found.image_size)} pixels, but the frames before "
                f"had {list(self._image_size)} (height, width); start a new Tracker"
            )

    def _remembered(self, width: int) -> Memory:
        if self._memory is None:
            self._memory = Memory.empty(width, self.config.views)
        known = self._memory.recent.shape[1]
        if known != width:
            raise ValueError(
                f"embeddings have {width} numbers, but those of the frames before had {known}"
            )
        return self._memory

    def _recognise(self, memory: Memory, seen: Sightings) -> tuple[Tensor, Tensor]:
        """Return rows of the memory and the objects [P] that they are: strong objects first."""
        unseen = self._frame - memory.last_seen
        position = self._positions(memory, seen, unseen)
        cosine = memory.similarity(seen.embeddings)
        appearance = self._scale.agreement(cosine)
        strong = seen.scored(self.config.birth_score)
        if is_cut(appearance[unseen == 1][:, strong]):
            position = torch.zeros_like(position)
        gain = gains(appearance, position, unseen, self.config)
        # Of two answers that fit an identity about equally well, the surer one is the object.
        rows, objects = assign(gain * strong * (1 + seen.scores) / 2)
        self._scale.learn_alike(cosine[rows, objects][unseen[rows] == 1])
        weak = seen.scored(self.config.keep_score) & ~strong
        free = unseen == 1
        free[rows] = False
        if not (weak.any() and free.any()):
            return rows, objects
        close = position > _WEAK_POSITION
        weak_rows, weak_objects = assign(gain * weak * free[:, None] * close)
        return torch.cat([rows, weak_rows]), torch.cat([objects, weak_objects])

    def _positions(self, memory: Memory, seen: Sightings, unseen: Tensor) -> Tensor:
        """Return how well positions agree with those expected, [M, N]."""
        expected = expect(memory.places, memory.velocity, unseen)
        shapes = None if seen.shapes is None else shape_overlap(memory.shapes, seen.shapes)
        return position_agreement(place_affinity(expected, unseen, seen.places), shapes)

    def _births(self, seen: Sightings, recognised: Tensor) -> Tensor:
        """Return the objects [N'] that start tracks, by falling score."""
        explained = np.zeros(len(seen), dtype=np.bool_)
        explained[recognised.numpy()] = True
        strong = seen.scored(self.config.birth_score)
        if explained[strong.numpy()].all():
            return torch.zeros(0, dtype=torch.int64)
        # With masks those of one object are doubles already, and others may cover each other.
        twins = ((seen.overlaps > _TWIN_OVERLAP) & (seen.shapes is None)).numpy()
        born: list[int] = []
        by_score = seen.scores.argsort(descending=True, stable=True)
        for row in by_score[strong[by_score]].tolist():
            if not explained[row] and not (twins[row] & explained).any():
                explained[row] = True
                born.append(row)
        return torch.tensor(born, dtype=torch.int64)

    def _with_births(
        self, memory: Memory, seen: Sightings, born: Tensor, names: Sequence[str]
    ) -> Memory:
        """Return a memory with the objects [N'] that start tracks, each with its name, added."""
        if not len(born):
            return memory
        ids = torch.arange(self._next_id, self._next_id + len(born))
        self._next_id += len(born)
        return memory.join(memory.first_seen(ids, seen, born, names, self._frame))

    def _learn_unlike(self, seen: Sightings) -> None:
        """Learn how alike different objects look, from those that are side by side."""
        strong = seen.scored(self.config.birth_score)
        apart = (seen.overlaps == 0) & strong & strong[:, None]
        apart.fill_diagonal_(False)
        self._scale.learn_unlike((seen.embeddings @ seen.embeddings.T)[apart])

    def _report(
        self, found: Instances, objects: Tensor, rows: Tensor, *, consume: bool
    ) -> Instances:
        """Return the objects [P] of tracks, in their order, with the ids and names of the tracks.

        rows  [P] which identity of the memory each is
        """
        memory = self._memory
        if memory is None:
            raise AssertionError("there is a memory once an object was seen")
        settled = memory.sightings[rows] >= self.config.birth_frames
        objects, order = objects[settled].sort()
        rows = rows[settled][order]
        # Masks are large: where every object belongs to a track they are not copied.
        kept = found if len(objects) == len(found) else _chosen(found, objects, consume=consume)
        places = {name: place for place, name in enumerate(found.names)}
        labels = [
            _voted(memory.votes[row], places, label)
            for row, label in zip(rows.tolist(), kept.labels.tolist(), strict=True)
        ]
        return replace(
            kept,
            labels=torch.tensor(labels, dtype=torch.int64, device=found.device),
            track_ids=memory.ids[rows].to(found.device),
        )


def _chosen(found: Instances, objects: Tensor, *, consume: bool) -> Instances:
    """Return objects [P], rising; if `found` is consumed their masks move up in its memory.

    But a few do not keep the memory of many.
    """
    index = objects.to(found.device)
    if found.masks is None or not consume or 2 * len(objects) < len(found):
        return found[index]
    for place, row in enumerate(objects.tolist()):
        if place < row:
            found.masks[place] = found.masks[row]
    return replace(replace(found, masks=None)[index], masks=found.masks[: len(objects)])


def _voted(votes: Mapping[str, float], places: Mapping[str, int], label: int) -> int:
    """Return the name with most votes that is still asked for, as label; else the present one."""
    known = [name for name in votes if name in places]
    return places[max(known, key=votes.__getitem__)] if known else label
