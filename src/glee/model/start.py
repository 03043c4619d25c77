"""Weights to begin training with: of MaskDINO, Swin, EVA-02 and CLIP, in place of random ones."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from glee.config import ClipTextConfig, Eva02Config, GleeConfig, ResNetConfig, SwinConfig
from glee.model.build import sketch_glee
from glee.model.convert import drop_copies, in_full_precision, read_released, rename_all
from glee.model.glee import GLEE
from glee.model.released_names import IGNORED, TRAINING_ONLY, Ignored
from glee.model.weights import list_names

Kind = Literal["maskdino", "swin", "eva02", "clip"]

SIGNS: dict[Kind, str] = {
    "clip": r"text_model\.embeddings\.token_embedding\.weight",
    "maskdino": r"(sem_seg_head\.)?pixel_decoder\.transformer\.level_embed",
    "swin": r"layers\.0\.blocks\.0\.attn\.relative_position_bias_table",
    "eva02": r"blocks\.0\.attn\.q_proj\.weight",
}
"""An entry by which each kind of file is known."""

PREFIXES: dict[Kind, str] = {
    "clip": "text_encoder.",
    "maskdino": "",
    "swin": "backbone.",
    "eva02": "backbone.net.",
}
"""What the names of entries lack to be those of a released checkpoint of GLEE."""

FILLED: dict[Kind, str] = {
    "clip": r"text_encoder\..+",
    "maskdino": r"(pixel_decoder|query_selection|object_decoder)\..+"
    r"|heads\.(mask_features|mask|box|norm)\..+",
    "swin": r"backbone\.(?!norms\.).+",
    "eva02": r"backbone\.(?!pyramid\.).+",
}
"""Our parameters that each kind of file must fill, all of them."""

READS_RESNET = r"backbone\..+|neck\..+"
"""Our parameters that MaskDINO fills too if the image encoder is its own."""

LEFT_OUT: dict[Kind, tuple[Ignored, ...]] = {
    "clip": (
        Ignored(r"(vision_model|visual_projection|text_projection)\..+", "not of CLIP's text part"),
        Ignored(r"logit_scale", "not of CLIP's text part"),
        Ignored(r"text_model\.embeddings\.position_ids", "the numbers 0 to 76"),
    ),
    "maskdino": (
        Ignored(r"predictor\.class_embed\.(weight|bias)", "classifier of fixed classes"),
        Ignored(r"predictor\.label_enc\.weight", "label embeddings of fixed classes"),
        *IGNORED,
        *TRAINING_ONLY,
    ),
    "swin": (
        Ignored(r"head\.(weight|bias)", "classifier of its pretraining"),
        Ignored(r"norm\.(weight|bias)", "last norm of its pretraining; GLEE has one for each map"),
        Ignored(r".+\.attn_mask", "table that follows from the window size"),
        Ignored(r".+\.relative_position_index", "table that follows from the window size"),
    ),
    "eva02": (
        Ignored(r".*rope.*", "rotary position table that follows from the sizes"),
        Ignored(r"(cls_token|mask_token)", "token of its pretraining"),
        Ignored(r"(lm_head|head|norm|fc_norm)\..+", "head of its pretraining"),
    ),
}

OTHER_ENCODER = Ignored(
    r"(backbone|pixel_decoder\.input_proj|pixel_decoder\.adapter_1)\..+",
    "is or reads the image encoder of MaskDINO, which is not that of this network",
)


@dataclass(frozen=True, slots=True)
class StartWeights:
    """What a file gives to a network.

    kind     of file
    weights  tensors by our names
    ignored  names of all entries left out, each with the reason
    fresh    our parameters that keep their random values
    """

    kind: Kind
    weights: Mapping[str, Tensor]
    ignored: Mapping[str, str]
    fresh: tuple[str, ...]


def load_start_weights(model: GLEE, path: Path) -> StartWeights:
    """Copy the weights of a file into a network that is to be trained.

    path  MaskDINO R50, in its own layout or in that of GLEE's authors; Swin or EVA-02 as their
          authors publish them; CLIP's text encoder or all of CLIP as transformers stores it

    No code inside the file is run. Nothing is copied if anything is wrong.
    Raises FileNotFoundError without the file, ValueError if it is none of these, or as
    `convert_start` does.
    """
    start = convert_start(read_start(path), model.config)
    model.load_state_dict({**model.state_dict(), **start.weights})
    return start


def read_start(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a checkpoint (.pth, .pt, .bin) or of a safetensors file.

    Raises FileNotFoundError without the file, ValueError for one that holds anything else.
    """
    if path.suffix != ".safetensors":
        return read_released(path)
    if not path.is_file():
        raise FileNotFoundError(f"checkpoint not found: {path}")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is no safetensors file, or is cut short: {error}") from error


def convert_start(state: Mapping[str, Tensor], config: GleeConfig) -> StartWeights:
    """Return what a network can begin training with.

    state   of a file of any kind, without wrappers
    config  of the network

    Raises ValueError if the kind is not known or does not suit the network, and lists entries
    that are unknown, parameters that are missing, and shapes that differ.
    """
    kind = _tell(state)
    _check_kind(kind, config)
    state, useless = in_full_precision(state), LEFT_OUT[kind]
    if kind == "maskdino":
        state = drop_copies({n.removeprefix("sem_seg_head."): v for n, v in state.items()})
    own_encoder = kind != "maskdino" or isinstance(config.backbone, ResNetConfig)
    if not own_encoder:
        useless += (OTHER_ENCODER,)
    reasons = {name: _reason(name, useless) for name in state}
    ignored = {name: reason for name, reason in reasons.items() if reason is not None}
    weights = rename_all({PREFIXES[kind] + n: v for n, v in state.items() if n not in ignored})
    required = FILLED[kind]
    if kind == "maskdino" and own_encoder:
        required += "|" + READS_RESNET
    return StartWeights(kind, weights, ignored, _check_start(weights, config, required))


def _tell(state: Mapping[str, Tensor]) -> Kind:
    for kind, sign in SIGNS.items():
        if any(re.fullmatch(sign, name) for name in state):
            return kind
    raise ValueError(
        "weights to start with must be those of MaskDINO, Swin, EVA-02 or CLIP's text encoder; "
        f"these have {list_names(sorted(state), most=5)}"
    )


def _check_kind(kind: Kind, config: GleeConfig) -> None:
    suits = {
        "clip": isinstance(config.text, ClipTextConfig),
        "maskdino": True,
        "swin": isinstance(config.backbone, SwinConfig),
        "eva02": isinstance(config.backbone, Eva02Config),
    }
    if not suits[kind]:
        encoders = f"{config.backbone.kind} for images and {config.text.kind} for text"
        raise ValueError(f"weights of {kind} do not suit this network, which has {encoders}")


def _reason(name: str, entries: tuple[Ignored, ...]) -> str | None:
    return next((e.reason for e in entries if re.fullmatch(e.pattern, name)), None)


def _check_start(
    weights: Mapping[str, Tensor], config: GleeConfig, required: str
) -> tuple[str, ...]:
    """Return the parameters of the network that get no weights; raise if any do not fit."""
    needed = sketch_glee(config).state_dict()
    missing = [name for name in needed if re.fullmatch(required, name) and name not in weights]
    problems = {
        "missing": missing,
        "not of this network": sorted(weights.keys() - needed.keys()),
        "of another shape": [
            f"{name} {list(value.shape)} instead of {list(needed[name].shape)}"
            for name, value in sorted(weights.items())
            if name in needed and value.shape != needed[name].shape
        ],
        "of another type": [n for n, value in weights.items() if value.dtype != torch.float32],
        "with NaN or infinity": [n for n, value in weights.items() if not value.sum().isfinite()],
    }
    if any(problems.values()):
        listed = "; ".join(f"{kind}: {list_names(n)}" for kind, n in problems.items() if n)
        raise ValueError(f"weights to start with do not fit the network; {listed}")
    return tuple(name for name in needed if name not in weights)
