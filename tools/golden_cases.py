"""The cases of a directory of recordings, run through our network, tensor by tensor."""

import json
import runpy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from glee.inference.postprocess import Found, Selection, find_objects
from glee.inference.preprocess import ImageGeometry, normalise
from glee.model.convert import convert_state
from glee.model.glee import GLEE
from glee.model.infer_config import UnseenSizes
from glee.model.interfaces import (
    GleeOutputs,
    PromptBatch,
    Regions,
    TextTokens,
    VisualTokens,
)
from glee.model.mask_maps import mask_logits
from glee.model.query_selection import prior_boxes
from glee.model.text.clip import pool_tokens
from glee.model.text.tokenizer import Tokenizer, clip_tokenizer
from glee.model.weights import model_from_weights
from glee.ops.boxes import xyxy_to_xywh
from glee.tracking.reference import ReferenceConfig, ReferenceTracks
from glee.video.reference import place_tracks

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Golden:
    """A directory of recordings and the network that they are compared with.

    training  what only training reads of the weights, by official names
    """

    folder: Path
    config: Mapping[str, Any]
    inputs: Tensors
    model: GLEE
    tokenizer: Tokenizer
    training: Mapping[str, Tensor]

    @property
    def tasks(self) -> Mapping[str, Any]:
        """Return the texts and sizes of the cases."""
        return self.config["tasks"]


@dataclass
class Case:
    """What one case feeds to the network.

    images   uint8 [H, W, 3], padded together
    text     names, or expressions if `grounding`
    marks    [H, W] uint8, one per image, and their kind
    results  "pair" or "object", how results are chosen, at `size`; at most `most`
    tracked  the images are the frames of a video, and the results are tracks, at `size`
    """

    images: list[Tensor]
    text: list[str]
    grounding: bool = False
    marks: list[Tensor] = field(default_factory=list)
    kind: str = ""
    first_frame_only: bool = False
    results: str = ""
    size: tuple[int, int] = (0, 0)
    most: int = 100
    tracked: bool = False


def load_golden(folder: Path) -> Golden:
    """Build the network of a directory of recordings."""
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"no directory of recordings: {folder / 'config.json'} is missing")
    config = json.loads((folder / "config.json").read_text())
    shapes = json.loads((folder / config["weights"]["names_and_shapes"]).read_text())
    recipe = runpy.run_path(str(folder / config["weights"]["recipe"]))["recipe_state"]
    arrays = recipe(shapes, config["weights"]["seed"])
    state = {name.removeprefix("glee."): torch.from_numpy(a) for name, a in arrays.items()}
    converted = convert_state(state, _unseen_sizes(config))
    dropout = config["fusion_dropout_in_training"]
    fusion = replace(converted.config.early_fusion, dropout=dropout)
    model = model_from_weights(replace(converted.config, early_fusion=fusion), converted.weights)
    inputs = load_file(folder / "inputs.safetensors")
    return Golden(folder, config, inputs, model, clip_tokenizer(), converted.training)


def _unseen_sizes(config: Mapping[str, Any]) -> UnseenSizes:
    return UnseenSizes(
        num_queries=config["num_queries"],
        num_heads=config["heads"],
        fusion_heads=config["fusion_heads"],
        text_heads=config["text"]["heads"],
    )


def build_cases(golden: Golden) -> dict[str, Case]:
    """Return the inference cases that README describes, by name."""
    inputs, tasks = golden.inputs, golden.tasks
    main, pair = [inputs["main.image"]], [inputs["batch0.image"], inputs["batch1.image"]]
    frames = [inputs[f"video.frame{i}.image"] for i in range(tasks["video"][3])]
    wide = inputs["wide.image"]
    out, twice = tuple(tasks["out_hw"]), (2 * wide.shape[0], 2 * wide.shape[1])
    cases = {
        "coco": Case(main, golden.config["coco_names"], results="pair", size=out),
        "names": Case([wide], tasks["names"], results="object", size=twice, most=15),
        "grounding": Case(
            main, tasks["expr"][:1], grounding=True, results="pair", size=out, most=1
        ),
        "object": Case(main, ["object"], results="object", size=out, most=30),
        "batch": Case(pair, tasks["bnames"]),
        "batch_grounding": Case(pair, tasks["expr"], grounding=True),
        "batch_prompt": Case(
            pair,
            ["object"],
            marks=[inputs["batch0.prompt"], inputs["batch1.prompt"]],
            kind="mask",
        ),
        "video": Case(
            frames,
            golden.config["ytvis19_names"],
            tracked=True,
            size=tuple(golden.config["tasks"]["video_hw"]),
        ),
        "vos": Case(
            frames, ["object"], marks=[inputs["video.prompt"]], kind="mask", first_frame_only=True
        ),
    }
    for kind in ("point", "scribble", "box", "mask"):
        marks = [inputs[f"prompt.{kind}"]]
        cases[f"prompt_{kind}"] = Case(
            main, ["object"], marks=marks, kind=kind, results="object", size=out, most=1
        )
    return cases


def pad_together(images: list[Tensor], divisor: int = 32) -> Tensor:
    """Normalise and pad images to one size, [B, 3, H, W], as the original pads a batch."""
    height, width = (
        -(-max(image.shape[axis] for image in images) // divisor) * divisor for axis in (0, 1)
    )
    batch = torch.zeros(len(images), 3, height, width)
    for row, image in zip(batch, images, strict=True):
        row[:, : image.shape[0], : image.shape[1]] = normalise(image.permute(2, 0, 1).float())
    return batch


@torch.no_grad()
def run_case(golden: Golden, case: Case) -> Tensors:
    """Run the network and return its tensors under the names of the recordings."""
    model, pixels = golden.model, pad_together(case.images)
    text, found = encode_text(golden, case)
    with recorded(model) as seen:
        regions = _regions(case, pixels)
        if case.first_frame_only:
            first = model(pixels[:1], PromptBatch(text, regions))
            memory = _repeat(_visual(first), len(pixels))
            found |= {key: value for key, value in seen.items() if "template" in key}
            seen.clear()
            outputs = model(pixels, PromptBatch(text, remembered=memory), every_layer=True)
        else:
            outputs = model(pixels, PromptBatch(text, regions), every_layer=True)
    found |= seen
    found["backbone.input"] = pixels
    found |= _name_outputs(model, outputs)
    if outputs.visual is not None:
        found |= _name_visual(outputs.visual)
    _name_fusion(found, case, outputs, len(pixels))
    if case.results:
        found |= _name_result(case, outputs, pixels)
    if case.tracked:
        found |= _name_tracks(case, outputs, pixels)
    return found


def _visual(outputs: GleeOutputs) -> VisualTokens:
    if outputs.visual is None:
        raise AssertionError("a marked object has visual tokens")
    return outputs.visual


def encode_text(golden: Golden, case: Case) -> tuple[TextTokens, Tensors]:
    """Return the text prompt, and the text tensors as the original pads them."""
    model, length = golden.model, golden.model.config.text.max_tokens
    batch = golden.tokenizer.encode(case.text, max_tokens=length, pad_to=length)
    hidden = model.text_encoder(batch.ids, batch.valid)
    tokens = model.text_projection(hidden)
    classes = pool_tokens(tokens, batch.valid)
    found = {
        "text.input_ids": batch.ids,
        "text.attention_mask": batch.valid,
        "text.last_hidden_state": hidden,
    }
    if case.grounding:
        found |= {
            "extra.grounding_tokens": tokens.transpose(0, 1),
            "extra.grounding_nonzero_mask": ~batch.valid,
            "extra.grounding_class": classes,
            "fusion.lang_in": tokens,
            "fusion.lang_mask": batch.valid,
        }
        return model.expression_prompt(tokens, batch.valid), found
    read = tokens[batch.valid]
    found |= {"extra.class_embeddings": classes, "fusion.lang_in": read[None]}
    return model.names_prompt(read, classes), found


def _name_fusion(found: Tensors, case: Case, outputs: GleeOutputs, rows: int) -> None:
    """Complete what enters early fusion: text, and template tokens behind or before it."""
    if "fusion.lang_mask" in found:
        return
    tokens = found["fusion.lang_in"].expand(rows, -1, -1)
    if outputs.visual is not None:
        both = [tokens, outputs.visual.template]
        tokens = torch.cat(both[::-1] if case.first_frame_only else both, dim=1)
    found["fusion.lang_in"] = tokens
    found["fusion.lang_mask"] = torch.ones(tokens.shape[:2], dtype=torch.bool)


def _regions(case: Case, pixels: Tensor) -> Regions | None:
    if not case.marks:
        return None
    masks = torch.zeros(len(case.marks), *pixels.shape[2:], dtype=torch.bool)
    for mask, mark in zip(masks, case.marks, strict=True):
        mask[: mark.shape[0], : mark.shape[1]] = mark > 0
    brightened = torch.full((len(masks),), case.kind in ("point", "scribble"))
    return Regions(masks, masks, brightened)


def _repeat(visual: VisualTokens, rows: int) -> VisualTokens:
    points = tuple(level.expand(rows, -1, -1) for level in visual.points)
    return VisualTokens(visual.template.expand(rows, -1, -1), points, visual.valid.expand(rows, -1))


@contextmanager
def recorded(model: GLEE) -> Iterator[Tensors]:
    """Record the values between the parts of the network during a pass."""
    seen: Tensors = {}
    hooks = [
        model.backbone.register_forward_hook(partial(_see_backbone, seen)),
        model.early_fusion.register_forward_hook(partial(_see_fusion, seen)),
        model.pixel_decoder.layers[0].register_forward_hook(partial(_see_position, seen)),
        model.query_selection.register_forward_hook(partial(_see_selection, seen)),
        model.object_decoder.register_forward_hook(partial(_see_decoder, seen)),
        model.pixel_decoder.register_forward_hook(partial(_see_levels, seen)),
    ]
    if model.config.visual_prompts is not None:
        hooks.append(model.template_encoder.register_forward_hook(partial(_see_template, seen)))
    for number, layer in enumerate(model.pixel_decoder.layers):
        hooks.append(layer.register_forward_hook(partial(_see, seen, f"encoder.layer{number}")))
    for number, layer in enumerate(model.object_decoder.layers):
        name = f"decoder.layer{number}"
        hooks.append(layer.register_forward_hook(partial(_see_queries, seen, name)))
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _see(seen: Tensors, name: str, _module: Any, _inputs: Any, output: Tensor) -> None:
    seen[name] = output


def _see_queries(seen: Tensors, name: str, _module: Any, _inputs: Any, output: Tensor) -> None:
    seen[name] = output.transpose(0, 1)


def _see_backbone(seen: Tensors, _module: Any, inputs: Any, output: Any) -> None:
    # The image comes first; a second call sees the crops around marks.
    prefix = "template" if "backbone.input" in seen else "backbone"
    seen[f"{prefix}.input"] = inputs[0]
    for number, level in enumerate(output.maps):
        seen[f"{prefix}.res{number + 2}"] = level


def _see_fusion(seen: Tensors, _module: Any, inputs: Any, output: Tensor) -> None:
    seen["encoder.src"], seen["fusion.visual_out"] = inputs[0], output


def _see_position(seen: Tensors, _module: Any, inputs: Any, _output: Any) -> None:
    cells, position = inputs[:2]
    seen["encoder.pos"] = position.expand(cells.shape)


def _see_levels(seen: Tensors, _module: Any, _inputs: Any, output: Any) -> None:
    seen |= {f"pixel.level{number}": level for number, level in enumerate(output)}


def _see_template(seen: Tensors, _module: Any, _inputs: Any, output: Tensor) -> None:
    side = int(output.shape[1] ** 0.5)
    seen["prompt.fused_template"] = output.transpose(1, 2).unflatten(2, (side, side))


def _see_selection(seen: Tensors, _module: Any, inputs: Any, output: Any) -> None:
    memory, shapes = inputs[:2]
    priors, valid = prior_boxes(shapes, memory)
    seen["proposals.memory"] = memory * valid[:, None]
    seen["proposals.anchors"] = priors.expand(len(memory), -1, -1)
    seen["proposals.spatial_shapes"] = torch.tensor(shapes)
    seen["proposals.score_max"], seen["proposals.topk_index"] = output.scores, output.index


def _see_decoder(seen: Tensors, _module: Any, inputs: Any, output: Any) -> None:
    references = [inputs[0].boxes, *(state.reference for state in output)]
    seen |= {f"decoder.reference{number}": boxes for number, boxes in enumerate(references)}


def _name_outputs(model: GLEE, outputs: GleeOutputs) -> Tensors:
    sets = {"out": outputs.final, "interm": outputs.proposals}
    sets |= {f"aux{number}": layer for number, layer in enumerate(outputs.auxiliary)}
    features = model.heads.mask_features(outputs.mask_features.movedim(1, -1)).movedim(-1, 1)
    named: Tensors = {
        "out.pred_track_embed": outputs.final.embeddings,
        "pixel.mask_features": features,
    }
    for prefix, predicted in sets.items():
        if predicted is None:
            continue
        named |= {
            f"{prefix}.pred_logits": predicted.logits,
            f"{prefix}.pred_scores": predicted.confidence[..., None],
            f"{prefix}.pred_boxes": predicted.boxes_cxcywh,
            f"{prefix}.pred_masks": mask_logits(predicted, outputs.mask_features),
        }
    return named


def _name_visual(visual: VisualTokens) -> Tensors:
    named: Tensors = {}
    for number, level in enumerate(visual.points):
        # What fills the padding differs and is never read.
        named[f"extra.visual_prompt_tokens{number}"] = level.transpose(0, 1)
        named[f"extra.visual_prompt_nonzero_mask{number}"] = ~visual.valid
    return named


def _name_result(case: Case, outputs: GleeOutputs, pixels: Tensor) -> Tensors:
    geometry = _geometry(case, pixels)
    pair = case.results == "pair"
    selection = Selection(
        scoring="pair" if pair else "object",
        max_objects=case.most,
        clip=not pair,
    )
    found = find_objects(outputs, 0, geometry, selection)
    return _name_found(found)


def _geometry(case: Case, pixels: Tensor) -> ImageGeometry:
    image, padded = case.images[0], (pixels.shape[2], pixels.shape[3])
    size = (image.shape[0], image.shape[1])
    return ImageGeometry(original=case.size, resized=size, padded=padded, content=size)


def _name_tracks(case: Case, outputs: GleeOutputs, pixels: Tensor) -> Tensors:
    """Track the frames as the original does, with its mistake in placing boxes."""
    config = ReferenceConfig(released_boxes=True)
    tracks, named = ReferenceTracks(), Tensors()
    final = outputs.final
    for frame, (embeddings, logits) in enumerate(zip(final.embeddings, final.logits, strict=True)):
        if frame:
            named[f"track.memory{frame - 1}"] = tracks.memory
            named[f"track.match{frame - 1}"] = tracks.step(embeddings, logits)
        else:
            tracks.step(embeddings, logits)
    chosen, geometry = tracks.choose(config), _geometry(case, pixels)
    placed = [
        place_tracks(
            outputs, geometry, chosen, tracks.query(frame, chosen.tracks), config, row=frame
        )
        for frame in range(len(pixels))
    ]
    masks = torch.stack([frame.masks for frame in placed if frame.masks is not None], dim=1)
    boxes = torch.stack([frame.boxes for frame in placed], dim=1)
    return named | {
        "result.scores": chosen.scores,
        "result.labels": chosen.labels,
        "result.boxes_xywh": xyxy_to_xywh(boxes).int(),
        "result.mask_area": masks.flatten(2).sum(2),
        "result.masks_sub7": masks[:10, :, ::7, ::7],
    }


def _name_found(found: Found) -> Tensors:
    masks = found.masks
    if masks is None:
        raise AssertionError("masks were asked for")
    return {
        "result.scores": found.scores,
        "result.labels": found.labels,
        "result.boxes": found.boxes,
        "result.query": found.query,
        "result.mask_area": masks.flatten(1).sum(1),
        "result.masks_sub5": masks[:20, ::5, ::5],
    }


def tensor_error(key: str, found: Tensors, expected: Tensor, entry: Mapping[str, Any]) -> float:
    """Return the largest error of a tensor, relative to its largest value.

    Of masks it is the share that differs. It is infinite if the shape differs, and for whole
    numbers that are not equal.
    """
    ours = found[key]
    if list(ours.shape) != entry["shape"]:
        return torch.inf
    ours = ours.contiguous()
    if key.startswith("extra.visual_prompt_tokens"):
        padding = found[key.replace("tokens", "nonzero_mask")].T[..., None].expand(ours.shape)
    else:
        padding = torch.zeros_like(ours, dtype=torch.bool)
    stride = entry.get("flat_stride", 1)
    ours, padding = ours.flatten()[::stride], padding.flatten()[::stride]
    expected = expected.flatten()
    if key.startswith("result.masks"):
        return (ours != expected).double().mean().item()
    if not expected.is_floating_point():
        return 0.0 if bool((ours == expected).all()) else torch.inf
    finite = expected.isfinite()
    if not torch.equal(ours.isfinite(), finite) or not torch.equal(
        ours[~finite], expected[~finite]
    ):
        return torch.inf
    used = finite & ~padding
    difference = (ours.float() - expected)[used].abs().max()
    largest = max(abs(entry["max"]), expected[used].abs().max().item(), 1e-12)
    return difference.item() / largest
