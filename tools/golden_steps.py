"""The recorded training steps: images, texts, targets and marks, and what stands for chance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from glee.data.targets import Targets
from glee.model.interfaces import Regions
from glee.ops.boxes import scale_boxes, xyxy_to_cxcywh
from glee.ops.masks import mask_to_boxes
from golden_cases import Golden, Tensors, pad_together

VIDEO_LABELS, VIDEO_IDS = (4, 9, 30), (7, 2, 3)
CLIPS = ((0, 2), (1, 3))
# In the last frame the second object is absent, where it counts.
ABSENT = (3, 1)


class RecordedRandomness:
    """The numbers that the original was given in place of random ones."""

    def __init__(self, inputs: Tensors) -> None:
        self.inputs = inputs

    def points(self, rows: int, count: int) -> Tensor:
        """Return the same points for all rows."""
        return self.inputs["random.points"][:count].expand(rows, -1, -1)

    def label_chances(self, count: int) -> Tensor:
        """Return the first numbers recorded."""
        return self.inputs["random.dn_label_u"][:count]

    def labels(self, count: int, num_labels: int) -> Tensor:
        """Return labels made of the first numbers recorded."""
        return (self.inputs["random.dn_class_u"][:count] * num_labels).long()

    def box_shifts(self, count: int) -> Tensor:
        """Return the first numbers recorded."""
        return 2 * self.inputs["random.dn_box_u"][:count] - 1

    def queries(self, _count: int, num_queries: int) -> Tensor:
        """Return the queries recorded."""
        index = self.inputs["random.neg_index"].long()
        return index[index < num_queries]


@dataclass(frozen=True)
class Step:
    """What one training step is given.

    images   uint8 [H, W, 3], padded together
    text     names, or expressions if `grounding`
    targets  one per image
    table    official name of the table of denoising labels
    regions  marks on the images, or on the first frame of each clip of `frames`
    """

    images: list[Tensor]
    text: list[str]
    targets: list[Targets]
    table: str
    grounding: bool = False
    regions: Regions | None = None
    frames: int = 1


def build_steps(golden: Golden) -> dict[str, Step]:
    """Return the training steps that README describes, by name."""
    coco = golden.config["coco_names"]
    images = [golden.inputs[f"train{number}.image"] for number in (0, 1)]
    targets = _image_targets(golden)
    first = [replace(own.take(torch.tensor([0])), labels=torch.tensor([0])) for own in targets]
    steps = {
        "coco": Step(images, coco, targets, "coco_label_enc"),
        "grounding": Step(
            images, golden.tasks["expr"], first, "grounding_label_enc", grounding=True
        ),
    }
    picked = [
        _mark(own.take(torch.tensor(pick)))
        for own, pick in zip(targets, golden.tasks["pick"], strict=True)
    ]
    masks = torch.cat([own.masks for own in picked if own.masks is not None])
    for kind in ("mask", "box", "point"):
        regions = _regions(masks, kind)
        steps[f"prompt_{kind}"] = Step(images, coco, picked, "coco_label_enc", regions=regions)
    return steps | _video_steps(golden)


def _video_steps(golden: Golden) -> dict[str, Step]:
    names = golden.config["ytvis19_names"]
    frames = [frame for clip in CLIPS for frame in clip]
    images = [golden.inputs[f"video.frame{frame}.image"] for frame in frames]
    targets = [_clip_targets(golden, place, frame) for place, frame in enumerate(frames)]
    length = len(CLIPS[0])
    # Of the first clip the second object is marked, of the second clip the third.
    picked = [
        _mark(own.take(own.labels == VIDEO_LABELS[1 + place // length]))
        for place, own in enumerate(targets)
    ]
    masks = torch.cat([own.masks for own in picked[::length] if own.masks is not None])
    return {
        "video": Step(images, names, targets, "ytvis19_label_enc"),
        "video_prompt": Step(
            images,
            names,
            picked,
            "ytvis19_label_enc",
            regions=_regions(masks, "mask"),
            frames=length,
        ),
    }


def _image_targets(golden: Golden) -> list[Targets]:
    inputs = golden.inputs
    padded = pad_together([inputs["train0.image"], inputs["train1.image"]]).shape[2:]
    return [
        _targets(
            labels, inputs[f"train{number}.boxes_xyxy"], inputs[f"train{number}.masks"], padded
        )
        for number, labels in enumerate(golden.tasks["classes"])
    ]


def _clip_targets(golden: Golden, place: int, frame: int) -> Targets:
    """Return the targets of one frame, at its place in the batch."""
    padded = pad_together([golden.inputs[f"video.frame{frame}.image"]]).shape[2:]
    masks = golden.inputs[f"video.frame{frame}.masks"]
    present = torch.ones(len(masks), dtype=torch.bool)
    if place == ABSENT[0]:
        present[ABSENT[1]] = False
    return replace(
        _targets(VIDEO_LABELS, mask_to_boxes(masks > 0), masks, padded),
        track_ids=torch.tensor(VIDEO_IDS),
        follows=place % len(CLIPS[0]) > 0,
    ).take(present)


def _targets(labels: Sequence[int], xyxy: Tensor, masks: Tensor, padded: torch.Size) -> Targets:
    """Return objects with boxes [G, 4] and masks [G, H, W] in pixels, on a larger canvas."""
    canvas = torch.zeros(len(masks), *padded, dtype=torch.bool)
    canvas[:, : masks.shape[1], : masks.shape[2]] = masks > 0
    boxes = xyxy_to_cxcywh(scale_boxes(xyxy, (1 / padded[0], 1 / padded[1])))
    return Targets(labels=torch.tensor(labels), boxes_cxcywh=boxes, masks=canvas)


def _mark(targets: Targets) -> Targets:
    return replace(targets, marked=True)


def _regions(masks: Tensor, kind: str) -> Regions:
    """Return the marks made of true masks [B, H, W] as the original makes them in training."""
    template = masks
    if kind == "point":
        template = torch.zeros_like(masks)
        reach_y, reach_x = masks.shape[1] // 40, masks.shape[2] // 40
        for mark, mask in zip(template, masks, strict=True):
            y, x = mask.nonzero()[0].tolist()
            mark[y - reach_y : y + reach_y, x - reach_x : x + reach_x] = True
    tokens = masks.clone()
    if kind != "mask":
        tokens.zero_()
        for mark, box in zip(tokens, mask_to_boxes(template).long().tolist(), strict=True):
            # The last row and column of the box are left out.
            mark[box[1] : box[3] - 1, box[0] : box[2] - 1] = True
    for mark in tokens:
        # Instead of any 512 pixels the first ones were recorded.
        mark.flatten()[mark.flatten().nonzero()[512:]] = False
    return Regions(template, tokens, torch.full((len(masks),), kind == "point"))
