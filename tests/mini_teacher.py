"""NanoDet-g with random weights, under the names that its own were published by."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from glee.config import CspConfig
from glee.training.nanodet import COCO_NAMES, NanoDet


def published_encoder(teacher: NanoDet) -> dict[str, Tensor]:
    """Return the encoder's weights by their published names."""
    parts = {"conv.": "", "blocks": "res", "reduce": "a", "refine": "b"}
    parts |= {f"stages.{number}": f"stage{number + 2}" for number in range(4)}
    parts |= {f"neck.laterals.{number}": f"neck.lateral{number + 3}" for number in range(3)}
    published = {}
    for name, value in teacher.encoder.state_dict().items():
        source = name
        for ours, theirs in parts.items():
            source = source.replace(ours, theirs)
        published[source if source.startswith("neck") else f"backbone.{source}"] = value
    return published


def published_head(teacher: NanoDet) -> dict[str, Tensor]:
    """Return the head's weights by their published names."""
    published = {}
    for name, value in teacher.head.state_dict().items():
        part, level, kind = name.split(".")
        theirs = {"towers": "tower", "predictors": "pred"}[part]
        published[f"head.{theirs}.p{int(level) + 3}.{kind}"] = value
    return published


def write_teacher(path: Path) -> None:
    """Write a detector of COCO's names that knows nothing."""
    torch.manual_seed(0)
    teacher = NanoDet(CspConfig(has_neck=True), len(COCO_NAMES))
    path.parent.mkdir(parents=True)
    save_file(published_encoder(teacher) | published_head(teacher), path)
