"""ObjectMemory: the tokens of marked objects by their ids, from which they are found again."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from glee.inference.remembered import Remembered, join_remembered
from glee.model.interfaces import MarkColours, VisualTokens
from glee.tracking.snapshot import Snapshot

COLOURS, PARTS = "colours.", fields(MarkColours)
"""What the names of their tensors begin with in a state, and what follows."""


class ObjectMemory:
    """Tokens of marked objects, each under an id above 0 that is never given twice."""

    def __init__(self) -> None:
        self.ids: tuple[int, ...] = ()
        self._tokens: Remembered | None = None  # a row for each id
        self._next_id = 1

    def choose_ids(self, count: int, wanted: Sequence[int] | None) -> list[int]:
        """Return an id for each of some marks: those wanted, or else new ones.

        Raises ValueError for ids that are not one per mark or that were removed.
        """
        if wanted is None:
            return list(range(self._next_id, self._next_id + count))
        ids = [int(i) for i in wanted]
        if len(ids) != count or len(set(ids)) != count or min(ids, default=1) < 1:
            raise ValueError(
                f"track_ids must be {count} different numbers above 0, one per mark, got {ids}"
            )
        gone = [i for i in ids if i < self._next_id and i not in self.ids]
        if gone:
            raise ValueError(
                f"track_ids has {gone[0]}, which is not followed; there are: {self._listed()}"
            )
        return ids

    def keep(self, ids: Sequence[int], tokens: Remembered) -> None:
        """Keep tokens [P] of objects; they replace those that were known of the same ones."""
        before = [] if self._tokens is None else [self._tokens]
        last = {i: row for row, i in enumerate([*self.ids, *ids])}  # the later row counts
        rows = torch.tensor(list(last.values()))
        joined = join_remembered([*before, tokens])
        self._tokens = joined if len(rows) == len(joined) else joined.take(rows)
        self.ids = tuple(last)
        self._next_id = max(self._next_id, *(i + 1 for i in ids))

    def remove(self, track_id: int) -> None:
        """Forget an object; raise ValueError if there is none of this id."""
        if track_id not in self.ids:
            raise ValueError(f"track {track_id} is not followed; there are: {self._listed()}")
        rows = [row for row, own in enumerate(self.ids) if own != track_id]
        self.ids = tuple(self.ids[row] for row in rows)
        tokens = self._tokens
        self._tokens = tokens.take(torch.tensor(rows)) if tokens is not None and rows else None

    def tokens_of(self, ids: Sequence[int]) -> Remembered:
        """Return the tokens of some of the objects; not copied for all of them in order."""
        if self._tokens is None:
            raise ValueError(f"tracks {list(ids)} are not followed; there are none")
        if tuple(ids) == self.ids:
            return self._tokens
        return self._tokens.take(torch.tensor([self.ids.index(i) for i in ids]))

    def state(self) -> Snapshot:
        """Return all of it."""
        tensors: dict[str, Tensor] = {}
        values: dict[str, Any] = {"ids": list(self.ids), "next_id": self._next_id}
        if self._tokens is not None:
            visual = self._tokens.visual
            values["network"] = self._tokens.network
            tensors = {"template": visual.template.cpu(), "valid": visual.valid.cpu()}
            tensors |= {f"points{n}": level.cpu() for n, level in enumerate(visual.points)}
            if (colours := visual.colours) is not None:
                tensors |= {f"{COLOURS}{f.name}": getattr(colours, f.name).cpu() for f in PARTS}
        return Snapshot(values, tensors)

    def restore(self, state: Snapshot, names: tuple[str, ...], device: torch.device) -> None:
        """Take what `state` returned; raise ValueError for what it has not."""
        try:
            ids = tuple(int(i) for i in state.values["ids"])
            next_id, tokens = int(state.values["next_id"]), None
            if ids:
                own = {name: value.to(device) for name, value in state.tensors.items()}
                count = sum(name.startswith("points") for name in own)
                points = tuple(own[f"points{n}"] for n in range(count))
                colours = None
                if any(name.startswith(COLOURS) for name in own):
                    colours = MarkColours(**{f.name: own[COLOURS + f.name] for f in PARTS})
                visual = VisualTokens(own["template"], points, own["valid"], colours)
                tokens = Remembered(names, visual, state.values["network"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"state is not that of marked objects: {error!r}") from error
        if tokens is not None and {len(t) for t in state.tensors.values()} != {len(ids)}:
            raise ValueError(f"the state has {len(ids)} objects but not one row of tokens for each")
        self.ids, self._next_id, self._tokens = ids, next_id, tokens

    def _listed(self) -> str:
        return ", ".join(map(str, self.ids)) or "none"
