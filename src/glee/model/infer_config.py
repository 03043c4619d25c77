"""The sizes of a network, read off the tensors of a released checkpoint."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

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

TEXT_HEAD_WIDTH = 64  # of all CLIP text encoders


@dataclass(frozen=True, slots=True, kw_only=True)
class UnseenSizes:
    """The sizes of a network that no tensor shows; the defaults are those of the released models.

    num_heads     of both decoders
    fusion_heads  of early fusion
    text_heads    of the text encoder; without it one for every 64 channels
    """

    num_queries: int = 300
    num_heads: int = 8
    fusion_heads: int = 8
    text_heads: int | None = None

    def __post_init__(self) -> None:
        for name in ("num_queries", "num_heads", "fusion_heads", "text_heads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")


RELEASED_SIZES = UnseenSizes()


def infer_config(state: State, unseen: UnseenSizes = RELEASED_SIZES) -> GleeConfig:
    """Return the configuration of a released checkpoint, named officially and without prefix.

    What is neither in shapes nor in `unseen` (image sizes, dropout) is that of the released models.

    Raises ValueError if the image encoder is none of the three known ones, if a tensor that shows
    a size is missing, or if sizes do not fit each other.
    """
    levels, width = _shape(state, "pixel_decoder.transformer.level_embed")
    fusion = "pixel_decoder.transformer.encoder.vl_layers.0.b_attn.attn.v_proj.weight"
    encoder, decoder = "pixel_decoder.transformer.encoder.layers", "predictor.decoder.layers"
    return replace(
        _with_backbone(state),
        text=_text(state, unseen.text_heads),
        early_fusion=EarlyFusionConfig(
            inner_width=_shape(state, fusion)[0], num_heads=unseen.fusion_heads
        ),
        pixel_decoder=PixelDecoderConfig(
            num_layers=_count(state, encoder),
            num_heads=unseen.num_heads,
            num_points=_points(state, f"{encoder}.0.self_attn", levels, unseen.num_heads),
            mlp_width=_shape(state, f"{encoder}.0.linear1.weight")[0],
        ),
        object_decoder=ObjectDecoderConfig(
            num_layers=_count(state, decoder),
            num_queries=unseen.num_queries,
            num_heads=unseen.num_heads,
            num_points=_points(state, f"{decoder}.0.cross_attn", levels, unseen.num_heads),
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
    grid, head_width = _shape(state, "backbone.net.rope_glb.freqs_cos")
    depth = _count(state, "backbone.net.blocks")
    tables = [f"backbone.net.blocks.{n}.attn.rope.freqs_cos" for n in range(depth)]
    return Eva02Config(
        width=width,
        depth=depth,
        num_heads=width // head_width,
        mlp_width=_shape(state, "backbone.net.blocks.0.mlp.w1.weight")[0],
        patch=patch,
        window=math.isqrt(window),
        global_blocks=tuple(n for n in range(depth) if _shape(state, tables[n])[0] == grid),
        pretrain_grid=math.isqrt(cells),
        rope_grid=math.isqrt(grid),
        pyramid_width=_shape(state, "backbone.simfp_3.2.weight")[0],
    )


def _text(state: State, num_heads: int | None) -> ClipTextConfig:
    prefix = "text_encoder.text_model"
    vocabulary, width = _shape(state, f"{prefix}.embeddings.token_embedding.weight")
    return ClipTextConfig(
        vocabulary=vocabulary,
        width=width,
        num_layers=_count(state, f"{prefix}.encoder.layers"),
        num_heads=num_heads or max(1, width // TEXT_HEAD_WIDTH),
        mlp_width=_shape(state, f"{prefix}.encoder.layers.0.mlp.fc1.weight")[0],
        max_tokens=_shape(state, f"{prefix}.embeddings.position_embedding.weight")[0],
    )


def _points(state: State, attention: str, levels: int, num_heads: int) -> int:
    """Return the points that each head of a deformable attention reads on each level."""
    name = f"{attention}.attention_weights.bias"
    weights = _shape(state, name)[0]
    if weights == 0 or weights % (num_heads * levels):
        raise ValueError(
            f"{name} has {weights} values, which {num_heads} heads on {levels} levels cannot "
            "share; give the checkpoint's own num_heads"
        )
    return weights // (num_heads * levels)


def _count(state: State, prefix: str) -> int:
    """Return how many numbered modules follow a prefix."""
    numbers = (re.match(rf"{re.escape(prefix)}\.(\d+)\.", name) for name in state)
    return len({number[1] for number in numbers if number})


def _shape(state: State, name: str) -> tuple[int, ...]:
    if name not in state:
        raise ValueError(f"this is no complete GLEE checkpoint: it lacks {name}")
    return tuple(state[name].shape)
