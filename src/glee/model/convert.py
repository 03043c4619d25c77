"""Released checkpoints become weights of ours: every entry is used or ignored for a reason."""

import pickle
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from glee.config import GleeConfig
from glee.model.infer_config import RELEASED_SIZES, UnseenSizes, infer_config
from glee.model.released_names import (
    ALIASES,
    EARLY_FUSION,
    EVA02,
    HEADS,
    IGNORED,
    NECK,
    OBJECT_DECODER,
    PIXEL_DECODER,
    RESNET,
    SWIN,
    TEXT,
    TRAINING_ONLY,
    TRANSPOSED,
    VISUAL_PROMPTS,
    WITHOUT_TEMPLATE_ENCODER,
    Ignored,
)
from glee.model.weights import check_fit, list_names, save_weights

PARTS = (
    *RESNET,
    *SWIN,
    *EVA02,
    *TEXT,
    *VISUAL_PROMPTS,
    *NECK,
    *EARLY_FUSION,
    *PIXEL_DECODER,
    *OBJECT_DECODER,
    *HEADS,
)


@dataclass(frozen=True, slots=True)
class Conversion:
    """A released checkpoint in our terms.

    config    sizes of the network
    weights   its parameters by our names
    training  entries that only training reads, by their official names
    ignored   names of all entries left out, each with the reason
    """

    config: GleeConfig
    weights: Mapping[str, Tensor]
    training: Mapping[str, Tensor]
    ignored: Mapping[str, str]


def convert_file(
    source: str | Path, target: str | Path, *, keep_training: bool = False
) -> Conversion:
    """Convert a released checkpoint (.pth) to a weight file of ours (.safetensors).

    A leading ~ of either path is the home folder. With `keep_training` the entries that only
    training reads are stored too. Nothing is written if anything is wrong; see `read_released`
    and `convert_state` for the errors.
    """
    source, target = Path(source).expanduser(), Path(target).expanduser()
    conversion = convert_state(read_released(source))
    training = conversion.training if keep_training else {}
    save_weights(
        target, conversion.config, conversion.weights, training=training, origin=source.name
    )
    return conversion


def read_released(path: Path) -> dict[str, Tensor]:
    """Read a released checkpoint (.pth) without running any code that it may contain.

    Raises FileNotFoundError if there is no such file, ValueError if it is not a checkpoint or
    holds anything but tensors.
    """
    if not path.is_file():
        raise FileNotFoundError(f"checkpoint not found: {path}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickles that are then refused anyway
            content = torch.load(path, map_location="cpu", weights_only=True)
    # None of these repeats torch's text, which advises to load such files unsafely.
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))
        raise ValueError(
            f"{path} is refused: it holds more than tensors{f' ({found[1]})' if found else ''}, or "
            "is no checkpoint. Loading it could run code that it contains."
        ) from error
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    except Exception as error:  # bytes that are no pickle lead an unpickler to any error at all
        raise ValueError(
            f"{path} is not a readable checkpoint, or is cut short ({type(error).__name__})"
        ) from error
    return unwrap_state(content, str(path))


def unwrap_state(content: object, source: str) -> dict[str, Tensor]:
    """Return the flat name-to-tensor table inside what a checkpoint file holds.

    Training checkpoints keep it under "model" or "state_dict"; names may start with "module."
    and "glee.".

    Raises ValueError if there is no such table, if it holds anything but tensors, or if two names
    are the same without their prefixes.
    """
    for wrapper in ("model", "state_dict"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not content:
        raise ValueError(f"{source} holds no table of tensors but {type(content).__name__}")
    bad = [str(name) for name, value in content.items() if not isinstance(value, Tensor)]
    if bad:
        raise ValueError(f"{source} holds entries that are not tensors: {list_names(bad)}")
    short = [str(name).removeprefix("module.").removeprefix("glee.") for name in content]
    twice = sorted(name for name, count in Counter(short).items() if count > 1)
    if twice:
        raise ValueError(
            f"{source} holds entries twice, under different prefixes: {list_names(twice)}"
        )
    return dict(zip(short, content.values(), strict=True))


def convert_state(state: Mapping[str, Tensor], unseen: UnseenSizes = RELEASED_SIZES) -> Conversion:
    """Convert the tensors of a released checkpoint, named as `unwrap_state` leaves them.

    Numbers of any precision become float32.

    unseen  sizes of the network that no tensor shows

    Raises ValueError that lists the names of unknown entries, of missing ones, of copies that
    differ, and of tensors whose shape or type does not fit.
    """
    state = drop_copies(in_full_precision(state))
    kept, training, ignored = _sort_out(state)
    config = infer_config(state, unseen)
    weights = rename_all(kept)
    check_fit(config, weights)
    _check_trained(weights)
    return Conversion(config, weights, training, ignored)


def rename_all(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors by our names and in our layout.

    Raises ValueError that lists entries unknown.
    """
    weights: dict[str, Tensor] = {}
    unknown = []
    for name, value in _unpack_attention(state).items():
        ours = rename(name)
        if ours is None:
            unknown.append(name)
        else:
            weights[ours] = _reshape(name, value)
    if unknown:
        raise ValueError(
            f"the checkpoint has entries that GLEE does not know: {list_names(unknown)}"
        )
    return weights


def rename(official: str) -> str | None:
    """Return our name of an official parameter, None if there is none."""
    for part in PARTS:
        prefix = re.match(part.official, official)
        if prefix is not None:
            rest = official[prefix.end() :]
            for pattern, replacement in part.inside:
                rest = re.sub(pattern, replacement, rest, count=1)
            return part.ours + rest
    return None


def in_full_precision(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Turn numbers of other precision into float32; whole ones (tables of indices) stay."""
    return {n: v.float() if v.is_floating_point() else v for n, v in state.items()}


def drop_copies(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Keep one of each shared tensor, after a look whether its copies agree."""
    kept: dict[str, Tensor] = {}
    differing = []
    for name, value in state.items():
        original = name
        for pattern, replacement in ALIASES:
            original = re.sub(f"^{pattern}$", replacement, original)
        first = kept.setdefault(original, value)
        if first is not value and not torch.equal(first, value):
            differing.append(name)
    if differing:
        raise ValueError(f"copies of one shared tensor differ: {list_names(differing)}")
    return kept


def _sort_out(
    state: Mapping[str, Tensor],
) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, str]]:
    """Divide entries into weights, entries for training, and names ignored with their reason."""
    useless = list(IGNORED)
    if not any(name.startswith("sot_fuser.") for name in state):
        useless.append(WITHOUT_TEMPLATE_ENCODER)
    training = {n: v for n, v in state.items() if _reason(n, TRAINING_ONLY) is not None}
    reasons = {n: _reason(n, (*TRAINING_ONLY, *useless)) for n in state}
    ignored = {name: reason for name, reason in reasons.items() if reason is not None}
    return {n: v for n, v in state.items() if n not in ignored}, training, ignored


def _reason(name: str, entries: Iterable[Ignored]) -> str | None:
    return next((e.reason for e in entries if re.fullmatch(e.pattern, name)), None)


def _unpack_attention(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Split the packed projections of the decoder's self-attention into query, key and value."""
    unpacked: dict[str, Tensor] = {}
    for name, value in state.items():
        packed = re.fullmatch(r"(.+\.self_attn)\.in_proj_(weight|bias)", name)
        if packed is None:
            unpacked[name] = value
            continue
        for role, third in zip(("query", "key", "value"), value.chunk(3), strict=True):
            unpacked[f"{packed[1]}.{role}.{packed[2]}"] = third
    return unpacked


def _reshape(name: str, value: Tensor) -> Tensor:
    """Bring a tensor to the layout that our module of it has."""
    if re.fullmatch(TRANSPOSED, name):
        return value.T
    if name == "pixel_decoder.mask_features.weight":  # a 1x1 convolution, a linear layer of ours
        return value.flatten(1)
    return value


def _check_trained(weights: Mapping[str, Tensor]) -> None:
    """Refuse weights that hold NaN or infinity, or that were never trained."""
    broken = [name for name, value in weights.items() if not value.isfinite().all()]
    if broken:
        raise ValueError(f"the checkpoint holds NaN or infinity in: {list_names(broken)}")
    similarity = weights["heads.similarity.weight"]
    if similarity.numel() and similarity.min() >= 0 and similarity.max() < 1:
        raise ValueError(
            "predictor.category_embed still has its initial values in 0..1: "
            "the checkpoint was never trained"
        )
