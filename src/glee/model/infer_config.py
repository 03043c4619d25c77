"""The sizes of a network, read off the tensors of a released checkpoint."""

import math
import re
from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from glee.config import (
    ClipTextConfig,
    EarlyFusionConfig,
    Eva02Config,
    GleeConfig,
    ObjectDecoderConfig,
    PixelDecoderConfig,
    ResNetConfig,
    SwinConfig,
    VisualPromptConfig,
    lite,
    plus,
    pro,
)

State = Mapping[str, Tensor]

HEADS = 8  # of both decoders
HEAD_WIDTH = 64  # of the text encoder and of EVA-02


def infer_config(state: State, *, num_queries: int) -> GleeConfig:
    """Return the configuration of a released checkpoint, named officially and without prefix.

    What shapes cannot tell (numbers of heads, image sizes) is that of the released models.

    Raises ValueError if the image encoder is none of the three known ones, or if a tensor that
    shows a size is missing.
    """
    levels, width = _shape(state, "pixel_decoder.transformer.level_embed")
    fusion = "pixel_decoder.transformer.encoder.vl_layers.0.b_attn.attn.v_proj.weight"
    encoder, decoder = "pixel_decoder.transformer.encoder.layers", "predictor.decoder.layers"
    return replace(
        _with_backbone(state),
        text=_text(state),
        early_fusion=EarlyFusionConfig(inner_width=_shape(state, fusion)[0]),
        pixel_decoder=PixelDecoderConfig(
            num_layers=_count(state, encoder),
            num_heads=HEADS,
            num_points=_points(state, f"{encoder}.0.self_attn", levels),
            mlp_width=_shape(state, f"{encoder}.0.linear1.weight")[0],
        ),
        object_decoder=ObjectDecoderConfig(
            num_layers=_count(state, decoder),
            num_queries=num_queries,
            num_heads=HEADS,
            num_points=_points(state, f"{decoder}.0.cross_attn", levels),
            mlp_width=_shape(state, f"{decoder}.0.linear1.weight")[0],
        ),
        visual_prompts=VisualPromptConfig() if _count(state, "sot_fuser.refine") else None,
        width=width,
        num_levels=levels,
    )


def _with_backbone(state: State) -> GleeConfig:
    """Return the preset of the image encoder that the checkpoint has, at its sizes."""
    if "backbone.stem.conv1.weight" in state:
        return replace(lite(), backbone=_resnet(state))
    if "backbone.patch_embed.proj.weight" in state:
        return replace(plus(), backbone=_swin(state))
    if "backbone.net.patch_embed.proj.weight" in state:
        backbone = _eva02(state)
        side = backbone.rope_grid * backbone.patch
        preset = pro()
        return replace(
            preset,
            backbone=backbone,
            resize=replace(preset.resize, shortest=side, longest=side),
        )
    raise ValueError(
        "this is no GLEE checkpoint: it has none of the image encoders ResNet (backbone.stem), "
        "Swin (backbone.patch_embed) and EVA-02 (backbone.net)"
    )


def _resnet(state: State) -> ResNetConfig:
    stages = [f"backbone.res{stage}" for stage in range(2, 6)]
    return ResNetConfig(
        stem_width=_shape(state, "backbone.stem.conv1.weight")[0],
        bottleneck_width=_shape(state, "backbone.res2.0.conv1.weight")[0],
        widths=tuple(_shape(state, f"{stage}.0.conv3.weight")[0] for stage in stages),
        depths=tuple(_count(state, stage) for stage in stages),
    )


def _swin(state: State) -> SwinConfig:
    stages = [f"backbone.layers.{n}.blocks" for n in range(_count(state, "backbone.layers"))]
    tables = [_shape(state, f"{s}.0.attn.relative_position_bias_table") for s in stages]
    width, _, patch, _ = _shape(state, "backbone.patch_embed.proj.weight")
    return SwinConfig(
        width=width,
        depths=tuple(_count(state, stage) for stage in stages),
        num_heads=tuple(heads for _, heads in tables),
        window=(math.isqrt(tables[0][0]) + 1) // 2,
        patch=patch,
        mlp_ratio=_shape(state, f"{stages[0]}.0.mlp.fc1.weight")[0] / width,
    )


def _eva02(state: State) -> Eva02Config:
    width, _, patch, _ = _shape(state, "backbone.net.patch_embed.proj.weight")
    cells = _shape(state, "backbone.net.pos_embed")[1] - 1  # without the class token
    window = _shape(state, "backbone.net.rope_win.freqs_cos")[0]
    grid = _shape(state, "backbone.net.rope_glb.freqs_cos")[0]
    depth = _count(state, "backbone.net.blocks")
    tables = [f"backbone.net.blocks.{n}.attn.rope.freqs_cos" for n in range(depth)]
    return Eva02Config(
        width=width,
        depth=depth,
        num_heads=width // HEAD_WIDTH,
        mlp_width=_shape(state, "backbone.net.blocks.0.mlp.w1.weight")[0],
        patch=patch,
        window=math.isqrt(window),
        global_blocks=tuple(n for n in range(depth) if _shape(state, tables[n])[0] == grid),
        pretrain_grid=math.isqrt(cells),
        rope_grid=math.isqrt(grid),
        pyramid_width=_shape(state, "backbone.simfp_3.2.weight")[0],
    )


def _text(state: State) -> ClipTextConfig:
    prefix = "text_encoder.text_model"
    vocabulary, width = _shape(state, f"{prefix}.embeddings.token_embedding.weight")
    return ClipTextConfig(
        vocabulary=vocabulary,
        width=width,
        num_layers=_count(state, f"{prefix}.encoder.layers"),
        num_heads=width // HEAD_WIDTH,
        mlp_width=_shape(state, f"{prefix}.encoder.layers.0.mlp.fc1.weight")[0],
        max_tokens=_shape(state, f"{prefix}.embeddings.position_embedding.weight")[0],
    )


def _points(state: State, attention: str, levels: int) -> int:
    """Return the points that each head of a deformable attention reads on each level."""
    return _shape(state, f"{attention}.attention_weights.bias")[0] // (HEADS * levels)


def _count(state: State, prefix: str) -> int:
    """Return how many numbered modules follow a prefix."""
    numbers = (re.match(rf"{re.escape(prefix)}\.(\d+)\.", name) for name in state)
    return len({number[1] for number in numbers if number})


def _shape(state: State, name: str) -> tuple[int, ...]:
    if name not in state:
        raise ValueError(f"this is no complete GLEE checkpoint: it lacks {name}")
    return tuple(state[name].shape)
