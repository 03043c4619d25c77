"""The truth about one image, and what of it may be learned from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Targets:
    """The objects of one image, in any order. Which losses apply follows from this alone.

    labels        [G] int64, index into the names of the prompt; 0 for an expression
    boxes_cxcywh  [G, 4] float, 0..1 of the padded image
    masks         [G, H, W] bool at the padded size, None if there are none to learn from
    track_ids     [G] int64, None outside clips
    learn_boxes   False where boxes are too rough to learn their places from, such as those of a
                  detector on web images (GRIT); they still decide which query stands for what
    marked        True where the prompt marks the object sought, which teaches confidence, and no
                  appearance, as in the released code
    follows       True on a frame of a clip that comes next after the image before it in the
                  batch; equal track ids in the two are one object
    exhaustive    [K] bool, False for names that the image may show without an annotation, which
                  therefore teach no absence; None if all are annotated
    """

    labels: Tensor
    boxes_cxcywh: Tensor
    masks: Tensor | None = None
    track_ids: Tensor | None = None
    learn_boxes: bool = True
    marked: bool = False
    follows: bool = False
    exhaustive: Tensor | None = None

    def __post_init__(self) -> None:
        if list(self.boxes_cxcywh.shape) != [len(self.boxes_cxcywh), 4]:
            raise ValueError(
                f"boxes_cxcywh must be [G, 4], got {list(self.boxes_cxcywh.shape)}; an image "
                "without objects has [0, 4]"
            )
        for name in ("boxes_cxcywh", "masks", "track_ids"):
            value = getattr(self, name)
            if value is not None and len(value) != len(self):
                raise ValueError(f"{name} has {len(value)} rows for {len(self)} labels")
        if self.masks is not None and self.masks.dtype != torch.bool:
            raise ValueError(f"masks must be bool, got {self.masks.dtype}; give masks > 0")
        if len(self) and self.follows and self.track_ids is None:
            raise ValueError("follows is set but there are no track_ids; give them")

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Tensor) -> "Targets":
        """Return some of the objects, by index or bool mask."""
        return self._map(lambda value: value[rows])

    def to(self, device: torch.device) -> "Targets":
        """Return the same targets on another device."""
        moved = self._map(lambda value: value.to(device, non_blocking=True))
        if self.exhaustive is None:
            return moved
        return replace(moved, exhaustive=self.exhaustive.to(device, non_blocking=True))

    def _map(self, change: Callable[[Tensor], Tensor]) -> "Targets":
        return replace(
            self,
            labels=change(self.labels),
            boxes_cxcywh=change(self.boxes_cxcywh),
            masks=None if self.masks is None else change(self.masks),
            track_ids=None if self.track_ids is None else change(self.track_ids),
        )


def check_labels(targets: Sequence[Targets], num_names: int) -> None:
    """Raise ValueError if a label is no index into `num_names` names."""
    labels = torch.cat([truth.labels for truth in targets])
    if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < num_names:
        raise ValueError(
            f"targets have labels {int(labels.min())} to {int(labels.max())}, but the prompt has "
            f"{num_names} names; labels must index them from 0"
        )
