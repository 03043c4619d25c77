"""Stand-ins for what follows objects: they find the bright bar, and note what they are asked."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from glee.inference.predictor import EncodedImage, Predictor
from glee.prompts import Prompts
from glee.results import Instances
from glee.tracking.snapshot import Snapshot


def object_at(ids: Sequence[int], names: Sequence[str], size: tuple[int, int]) -> Instances:
    """Return objects of 10 x 10 pixels, side by side in the order of their ids."""
    boxes = torch.tensor([[10.0 * i, 0, 10.0 * i + 10, 10] for i in ids]).reshape(-1, 4)
    masks = torch.zeros(len(ids), *size, dtype=torch.bool)
    for row, i in enumerate(ids):
        masks[row, :10, 10 * i : 10 * i + 10] = True
    return Instances(
        boxes=boxes,
        scores=torch.full((len(ids),), 0.75),
        labels=torch.zeros(len(ids), dtype=torch.int64),
        names=tuple(names),
        image_size=size,
        masks=masks,
        track_ids=torch.tensor(list(ids), dtype=torch.int64),
    )


@dataclass
class StandIn:
    """Counts its frames, and finds one object more in each, up to three."""

    predictor: Predictor
    names: Sequence[str] = ("object",)
    options: dict[str, Any] = field(default_factory=dict)
    steps: int = 0
    ids: list[int] = field(default_factory=list)

    def __init__(self, predictor: Predictor, names: Sequence[str] = (), **options: Any) -> None:
        self.predictor, self.names, self.options = predictor, tuple(names), options
        self.steps, self.ids = 0, []

    def change(self, names: Sequence[str]) -> None:
        self.names = tuple(names)

    def step(self, frame: EncodedImage) -> Instances:
        self.steps += 1
        ids = list(range(1, min(self.steps, 3) + 1))
        return object_at(ids, self.names, frame.geometry.original)

    def state(self) -> Snapshot:
        return Snapshot(
            {"steps": self.steps, "ids": self.ids}, {"seen": torch.tensor([self.steps])}
        )

    def restore(self, state: Snapshot) -> None:
        self.steps, self.ids = state.values["steps"], list(state.values["ids"])
        assert state.tensors["seen"].item() == self.steps


class MarkStandIn(StandIn):
    """Follows each marked object where it was first."""

    def mark(
        self, frame: EncodedImage, prompts: Prompts, track_ids: Sequence[int] | None = None
    ) -> Instances:
        if track_ids is None:
            track_ids = [len(self.ids) + 1 + n for n in range(len(prompts.marks))]
            self.ids += track_ids
        return object_at(track_ids, self.names, frame.geometry.original)

    def remove(self, track_id: int) -> None:
        self.ids.remove(track_id)

    def step(self, frame: EncodedImage) -> Instances:
        self.steps += 1
        return object_at(self.ids, self.names, frame.geometry.original)
