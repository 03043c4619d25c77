"""Compare training steps with recorded ones of the original: losses, matchings, gradients.

Called by compare_golden.py --training, which says what the directory holds; here also
expected_train_<case>.json. All that was random in the original is read from the recordings.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from glee.config import ClipTextConfig
from glee.model.convert import rename
from glee.model.interfaces import ExtraQueries, GleeOutputs, PromptBatch
from glee.model.object_decoder import join_queries
from glee.training.config import CriterionConfig, DenoisingConfig, MaskPointsConfig, MatcherConfig
from glee.training.criterion import Criterion, Losses
from glee.training.denoising import Denoising, noise_targets
from glee.training.distillation import EncodedTexts, released_teacher
from glee.training.matching import Assignment
from golden_cases import (
    Case,
    Golden,
    Tensors,
    encode_text,
    pad_together,
    recorded,
    tensor_error,
)
from golden_steps import RecordedRandomness, Step, build_steps

LOSS_TOLERANCE = 1e-3
GRADIENT_TOLERANCE = 1e-2
TENSOR_TOLERANCE = 1e-3

# What the original calls our losses.
TERMS = {
    "ce": "semantic",
    "conf": "confidence",
    "bbox": "box_l1",
    "giou": "box_giou",
    "mask": "mask",
    "dice": "dice",
}
OTHER_TERMS = {"track_loss": "tracking", "dist_loss": "distillation"}


@dataclass(frozen=True)
class Result:
    """Errors of one case, relative to the recorded numbers, and whether each matching is equal."""

    losses: Mapping[str, float]
    gradients: Mapping[str, float]
    tensors: Mapping[str, float]
    matchings: Mapping[str, bool]

    @property
    def good(self) -> bool:
        """Return whether everything lies within the tolerances."""
        return (
            all(self.matchings.values())
            and max(self.losses.values()) <= LOSS_TOLERANCE
            and max(self.gradients.values()) <= GRADIENT_TOLERANCE
            and max(self.tensors.values()) <= TENSOR_TOLERANCE
        )


def _criterion_config(loss: Mapping[str, Any]) -> CriterionConfig:
    weights, costs = loss["weight_dict"], loss["matcher"]
    return CriterionConfig(
        **{ours: weights[f"loss_{official}"] for official, ours in TERMS.items()},
        **{ours: weights[official] for official, ours in OTHER_TERMS.items()},
        matcher=MatcherConfig(
            semantic=costs["cost_class"],
            box_l1=costs["cost_box"],
            box_giou=costs["cost_giou"],
            mask=costs["cost_mask"],
            dice=costs["cost_dice"],
            num_points=loss["num_points"],
        ),
        mask_points=MaskPointsConfig(
            num_points=loss["num_points"],
            oversampling=loss["oversample_ratio"],
            uncertain_share=loss["importance_sample_ratio"],
        ),
    )


def compare_step(golden: Golden, name: str, step: Step) -> Result:
    """Run one training step and compare all that is recorded of it."""
    model, randomness = golden.model.train(), RecordedRandomness(golden.inputs)
    model.zero_grad()
    text, found = encode_text(golden, Case(step.images, step.text, grounding=step.grounding))
    table = nn.Parameter(golden.training[f"predictor.{step.table}.weight"].clone())
    denoising = _noise(golden, step, table, randomness)
    with recorded(model) as seen:
        prompts = PromptBatch(text, step.regions, frames=step.frames)
        pixels = pad_together(step.images)
        outputs = model(pixels, prompts, every_layer=True, extra=denoising.queries)
    texts = None if step.grounding else _encoded_texts(golden, found)
    criterion = Criterion(_criterion_config(golden.config["loss"]), randomness)
    losses = criterion(outputs, step.targets, denoising=denoising, texts=texts)
    losses.total().backward()
    expected = json.loads((golden.folder / f"expected_train_{name}.json").read_text())
    found = seen | _name_outputs(outputs, denoising.queries)
    return Result(
        losses=_loss_errors(losses, expected),
        gradients=_gradient_errors(golden, {f"predictor.{step.table}": table}, expected),
        tensors=_tensor_errors(golden, name, found),
        matchings=_compare_matchings(golden, name, criterion.match(outputs, step.targets)),
    )


def _noise(
    golden: Golden, step: Step, table: nn.Parameter, randomness: RecordedRandomness
) -> Denoising:
    loss = golden.config["loss"]
    config = DenoisingConfig(
        num_queries=loss["dn_num"],
        label_noise=loss["noise_scale"] / 2,
        box_noise=loss["noise_scale"],
    )
    denoising = noise_targets(step.targets, table[None], config, randomness)
    if denoising is None:
        raise SystemExit("denoising was recorded, but there are no or too many objects for it")
    return denoising


def _encoded_texts(golden: Golden, found: Tensors) -> EncodedTexts:
    config = golden.model.config.text
    if not isinstance(config, ClipTextConfig):
        raise AssertionError("released checkpoints read texts with CLIP")
    teacher = released_teacher(golden.training, config)
    valid = found["text.attention_mask"]
    with torch.no_grad():
        frozen = teacher(found["text.input_ids"], valid)
    return EncodedTexts(found["text.last_hidden_state"], frozen, valid)


def _loss_errors(losses: Losses, expected: Mapping[str, Any]) -> dict[str, float]:
    numbers = losses.numbers()
    errors = {"total": _relative(losses.total().item(), expected["total"])}
    for official, value in expected["losses"].items():
        errors[official] = _relative(numbers.pop(_our_name(official)), value)
    if numbers:
        raise SystemExit(f"the original has no loss like {', '.join(numbers)}")
    return errors


def _our_name(official: str) -> str:
    if official in OTHER_TERMS:
        return OTHER_TERMS[official]
    parts = re.fullmatch(r"loss_([a-z]+?)(_dn)?(_interm|_\d+)?", official)
    if parts is None:
        raise SystemExit(f"unknown loss in the recordings: {official}")
    sets = {None: "last", "_interm": "cells"}.get(parts[3], (parts[3] or "").removeprefix("_"))
    return f"{'noised_' if parts[2] else ''}{TERMS[parts[1]]}/{sets}"


def _relative(ours: float, expected: float) -> float:
    return abs(ours - expected) / max(abs(expected), 1e-6)


def _gradient_errors(
    golden: Golden, tables: Mapping[str, nn.Parameter], expected: Mapping[str, Any]
) -> dict[str, float]:
    parameters = dict(golden.model.named_parameters())
    every = [*parameters.values(), *tables.values()]
    errors = {"all": _relative(_norm(every), expected["grad_norm_all"])}
    for official, value in expected["grad_norm"].items():
        if official.removesuffix(".weight") in tables:
            ours = _norm([tables[official.removesuffix(".weight")]])
        elif official in golden.training:
            ours = 0.0  # a table of another kind of data
        else:
            ours = _norm([parameters[name] for name in _our_parameters(official)])
        errors[official] = _relative(ours, value or 0.0)
    return errors


def _our_parameters(official: str) -> list[str]:
    """Return our names of an official parameter; queries, keys and values are one there."""
    names = [official]
    packed = re.fullmatch(r"(.+\.self_attn)\.in_proj_(weight|bias)", official)
    if packed is not None:
        names = [f"{packed[1]}.{role}.{packed[2]}" for role in ("query", "key", "value")]
    ours = [rename(name) for name in names]
    return [name for name in ours if name is not None]


def _norm(parameters: list[nn.Parameter]) -> float:
    squares = [p.grad.double().square().sum() for p in parameters if p.grad is not None]
    return float(torch.stack(squares).sum().sqrt()) if squares else 0.0


def _name_outputs(outputs: GleeOutputs, extra: ExtraQueries) -> Tensors:
    final = outputs.final
    joined = join_queries(final.embeddings, final.boxes_cxcywh, extra)
    if joined.readable is None:
        raise AssertionError("extra queries restrict who reads what")
    return {
        "out.pred_logits": final.logits,
        "out.pred_scores": final.confidence[..., None],
        "out.pred_boxes": final.boxes_cxcywh,
        "out.pred_track_embed": final.embeddings,
        "dn.box_unsigmoid": extra.box_logits,
        "dn.attn_mask": ~joined.readable,
    }


def _tensor_errors(golden: Golden, name: str, found: Tensors) -> dict[str, float]:
    with safe_open(golden.folder / f"expected_train_{name}.safetensors", "pt") as file:
        index = json.loads(file.metadata()["index"])
        return {
            key: tensor_error(key, found, file.get_tensor(key), entry)
            for key, entry in index.items()
            if not key.startswith("match")
        }


def _compare_matchings(
    golden: Golden, name: str, assigned: Mapping[str, list[Assignment]]
) -> dict[str, bool]:
    *layers, last, cells = assigned.values()
    calls, equal = [last, *layers, cells], {}
    with safe_open(golden.folder / f"expected_train_{name}.safetensors", "pt") as file:
        keys = [key for key in file.keys() if key.startswith("match")]  # noqa: SIM118  # no dict
        if len(keys) > len(calls) * len(last):
            calls.insert(0, last)  # the tracking loss of the original matches for itself
        for key in keys:
            call, image = map(int, re.findall(r"\d+", key))
            pairs = calls[call][image]
            ours = torch.stack([pairs.query, pairs.target])
            equal[key] = torch.equal(_by_target(ours), _by_target(file.get_tensor(key).long()))
    return equal


def _by_target(pairs: Tensor) -> Tensor:
    return pairs[:, pairs[1].argsort()]


def compare_all(golden: Golden, *, verbose: bool) -> bool:
    """Compare all training cases of a directory, print a line for each; return if all are good."""
    good = True
    for name, step in build_steps(golden).items():
        if not (golden.folder / f"expected_train_{name}.json").is_file():
            continue
        result = compare_step(golden, name, step)
        good &= result.good
        kinds = {
            "losses": result.losses,
            "gradients": result.gradients,
            "tensors": result.tensors,
        }
        worst = ", ".join(
            f"{kind} {max(errors.values()):.1e} ({max(errors, key=errors.__getitem__)}) of "
            f"{len(errors)}"
            for kind, errors in kinds.items()
        )
        print(
            f"train_{name:13} {'ok' if result.good else 'FAILED':6} worst {worst}, "
            f"{sum(result.matchings.values())} of {len(result.matchings)} matchings equal"
        )
        if verbose:
            for kind, errors in kinds.items():
                for key, error in errors.items():
                    print(f"    {error:.1e} {kind} {key}")
    return good
