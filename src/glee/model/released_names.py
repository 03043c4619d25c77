"""Names in released checkpoints, and what we call the same parameters: a table for each part."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """Parameters under one prefix.

    official  pattern of the prefix
    ours      its replacement
    inside    (pattern, replacement) pairs applied in turn to what follows the prefix
    """

    official: str
    ours: str
    inside: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Ignored:
    """Entries of a checkpoint that we have no use for, and why."""

    pattern: str
    reason: str


DEFORMABLE = (
    (r"sampling_offsets\.", "offsets."),
    (r"attention_weights\.", "weights."),
    (r"value_proj\.", "value."),
    (r"output_proj\.", "out."),
)

RESNET = (
    Part(r"backbone\.stem\.conv1\.", "backbone.stem.", ((r"^weight$", "conv.weight"),)),
    *(
        Part(
            rf"backbone\.res{stage + 2}\.",
            f"backbone.stages.{stage}.",
            ((r"(conv\d|shortcut)\.weight$", r"\1.conv.weight"),),
        )
        for stage in range(4)
    ),
)

SWIN = (
    Part(r"backbone\.patch_embed\.proj\.", "backbone.patch_embedding."),
    Part(r"backbone\.patch_embed\.norm\.", "backbone.patch_norm."),
    Part(
        r"backbone\.layers\.(?=\d+\.blocks\.)",
        "backbone.stages.",
        (
            (r"norm1\.", "attention_norm."),
            (r"norm2\.", "mlp_norm."),
            (r"attn\.relative_position_bias_table$", "attention.position_bias"),
            (r"attn\.proj\.", "attention.out."),
            (r"attn\.qkv\.", "attention.qkv."),
            (r"mlp\.fc1\.", "expand."),
            (r"mlp\.fc2\.", "reduce."),
        ),
    ),
    Part(
        r"backbone\.layers\.(?=\d+\.downsample\.)",
        "backbone.merges.",
        ((r"downsample\.norm\.", "norm."), (r"downsample\.reduction\.", "reduce.")),
    ),
    Part(r"backbone\.norm(?=\d)", "backbone.norms."),
)

EVA02 = (
    Part(r"backbone\.net\.patch_embed\.proj\.", "backbone.patch_embedding."),
    Part(r"backbone\.net\.pos_embed$", "backbone.position_embedding"),
    Part(
        r"backbone\.net\.blocks\.",
        "backbone.blocks.",
        (
            (r"norm1\.", "attention_norm."),
            (r"norm2\.", "mlp_norm."),
            (r"attn\.q_proj\.weight$", "attention.query.weight"),
            (r"attn\.q_bias$", "attention.query.bias"),
            (r"attn\.k_proj\.weight$", "attention.key.weight"),
            (r"attn\.v_proj\.weight$", "attention.value.weight"),
            (r"attn\.v_bias$", "attention.value.bias"),
            (r"attn\.proj\.", "attention.out."),
            (r"mlp\.w1\.", "mlp.gate."),
            (r"mlp\.w2\.", "mlp.expand."),
            (r"mlp\.ffn_ln\.", "mlp.norm."),
            (r"mlp\.w3\.", "mlp.reduce."),
        ),
    ),
    Part(r"backbone\.simfp_3\.0\.", "backbone.pyramid.upsample."),
    # Each map has two convolutions; what lies before them has no parameters but in the first.
    *(
        Part(
            rf"backbone\.simfp_{level}\.{index}\.",
            f"backbone.pyramid.{role}.{level - 3}.",
            ((r"^weight$", "conv.weight"),),
        )
        for level, indices in ((3, (1, 2)), (4, (0, 1)), (5, (1, 2)))
        for role, index in zip(("project", "smooth"), indices, strict=True)
    ),
)

TEXT = (
    Part(
        r"text_encoder\.text_model\.",
        "text_encoder.",
        (
            (r"^embeddings\.", ""),
            (r"^final_layer_norm\.", "norm."),
            (r"^encoder\.", ""),
            (r"layer_norm1\.", "attention_norm."),
            (r"layer_norm2\.", "mlp_norm."),
            (r"self_attn\.q_proj\.", "attention.query."),
            (r"self_attn\.k_proj\.", "attention.key."),
            (r"self_attn\.v_proj\.", "attention.value."),
            (r"self_attn\.out_proj\.", "attention.out."),
            (r"mlp\.fc1\.", "expand."),
            (r"mlp\.fc2\.", "reduce."),
        ),
    ),
    Part(r"lang_projection$", "text_projection.weight"),
)

VISUAL_PROMPTS = (
    Part(r"sot_fuser\.refine\.", "template_encoder.levels."),
    Part(r"mask_sptial_embed\.", "point_sampler.levels.", ((r"$", ".weight"),)),
    Part(r"pn_indicator\.", "point_sampler.sign."),
)

NECK = (
    Part(
        r"pixel_decoder\.input_proj\.3\.",
        "neck.coarser.0.",
        ((r"^0\.", "conv."), (r"^1\.", "norm.")),
    ),
    Part(
        r"pixel_decoder\.input_proj\.",
        "neck.levels.",
        ((r"^(\d)\.0\.", r"\1.conv."), (r"^(\d)\.1\.", r"\1.norm.")),
    ),
    Part(r"pixel_decoder\.adapter_1\.", "neck.lateral.", ((r"^weight$", "conv.weight"),)),
)

EARLY_FUSION = (
    Part(
        r"pixel_decoder\.transformer\.encoder\.vl_layers\.0\.b_attn\.",
        "early_fusion.",
        (
            (r"^gamma_v$", "gain"),
            (r"^layer_norm_v\.", "image_norm."),
            (r"^layer_norm_l\.", "prompt_norm."),
            (r"^attn\.v_proj\.", "query."),
            (r"^attn\.l_proj\.", "key."),
            (r"^attn\.values_l_proj\.", "value."),
            (r"^attn\.out_v_proj\.", "out."),
        ),
    ),
)

PIXEL_DECODER = (
    Part(
        r"pixel_decoder\.transformer\.encoder\.layers\.",
        "pixel_decoder.layers.",
        (
            (r"self_attn\.", "attention."),
            *DEFORMABLE,
            (r"norm1\.", "attention_norm."),
            (r"norm2\.", "feed_forward_norm."),
            (r"linear1\.", "feed_forward.expand."),
            (r"linear2\.", "feed_forward.reduce."),
        ),
    ),
    Part(r"pixel_decoder\.transformer\.level_embed$", "pixel_decoder.level_embedding"),
    Part(r"pixel_decoder\.layer_1\.", "pixel_decoder.output.", ((r"^weight$", "conv.weight"),)),
    Part(r"pixel_decoder\.mask_features\.", "heads.mask_features."),
)

OBJECT_DECODER = (
    Part(r"predictor\.enc_output\.", "query_selection.project."),
    Part(r"predictor\.enc_output_norm\.", "query_selection.norm."),
    Part(
        r"predictor\.decoder\.layers\.",
        "object_decoder.layers.",
        (
            (r"self_attn\.out_proj\.", "self_attention.out."),
            (r"self_attn\.", "self_attention."),
            (r"cross_attn\.", "cross_attention."),
            *DEFORMABLE,
            (r"norm1\.", "cross_attention_norm."),
            (r"norm2\.", "self_attention_norm."),
            (r"norm3\.", "feed_forward_norm."),
            (r"linear1\.", "feed_forward.expand."),
            (r"linear2\.", "feed_forward.reduce."),
        ),
    ),
    Part(r"predictor\.decoder\.ref_point_head\.", "object_decoder.box_position."),
)

HEADS = (
    Part(r"predictor\.category_embed$", "heads.similarity.weight"),
    Part(r"predictor\.confidence_score\.", "heads.confidence."),
    Part(r"predictor\.mask_embed\.", "heads.mask."),
    Part(r"predictor\._bbox_embed\.", "heads.box."),
    Part(r"predictor\.decoder_norm\.", "heads.norm."),
)

# One tensor under several names: (pattern of the copy, name of the original).
ALIASES = (
    (r"predictor\.(?:decoder\.)?bbox_embed\.\d+\.(.+)", r"predictor._bbox_embed.\1"),
    (r"predictor\.decoder\.norm\.(.+)", r"predictor.decoder_norm.\1"),
)

# Used as x @ W by the original, as x @ W.T by a linear layer.
TRANSPOSED = r"lang_projection|predictor\.category_embed|mask_sptial_embed\.\d"

DENOISING_TABLES = (
    r"predictor\.(coco_label_enc|obj365_label_enc|vg_label_enc|grounding_label_enc"
    r"|ytvis19_label_enc|ytvis21_label_enc|ovis_label_enc|uvo_label_enc|bdd_det|bdd_inst)\.weight"
)
TEACHER = r"text_encoder_teacher\..+"

# Read by training only; conversion hands them over beside the weights.
TRAINING_ONLY = (
    Ignored(TEACHER, "frozen text encoder that training distils from"),
    Ignored(DENOISING_TABLES, "label embeddings of the denoising queries of training"),
)

IGNORED = (
    Ignored(
        r".*\.b_attn\.(gamma_l|attn\.(values_v_proj|out_l_proj)\.(weight|bias))",
        "text side of early fusion, whose result nothing reads",
    ),
    Ignored(r"mask_sptial_embed\.3", "samples the coarsest level, which no decoder layer reads"),
    Ignored(r"criterion\.empty_weight", "weight of a class that no loss uses"),
    Ignored(r".*\.relative_position_index", "index table that follows from the window size"),
    Ignored(r".*\.freqs_(cos|sin)", "rotary position table that follows from the sizes"),
    Ignored(r".*\.embeddings\.position_ids", "the numbers 0 to 76"),
    Ignored(r"pixel_(mean|std)", "normalisation of the image, a constant of ours"),
)

# Trained only in some stages; without a template encoder the rest is of no use.
WITHOUT_TEMPLATE_ENCODER = Ignored(
    r"mask_sptial_embed\.\d|pn_indicator\.weight",
    "visual prompts of a checkpoint that was trained without them",
)
