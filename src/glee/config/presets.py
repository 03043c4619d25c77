"""The presets nano, lite, plus, pro and tiny: a function each."""

from glee.config.backbones import Eva02Config, PairConfig, ResNetConfig, SwinConfig
from glee.config.network import GleeConfig
from glee.config.parts import (
    ClipTextConfig,
    EarlyFusionConfig,
    GlanceConfig,
    MiniLmConfig,
    ObjectDecoderConfig,
    PixelDecoderConfig,
    ResizeConfig,
    VisualPromptConfig,
)


def nano() -> GleeConfig:
    """Return the configuration of GLEE-Nano, for small devices: two light encoders and MiniLM."""
    return GleeConfig(
        backbone=PairConfig(),
        text=MiniLmConfig(),
        early_fusion=EarlyFusionConfig(
            inner_width=512, num_heads=4, dropout=0.0, reads_padding=False
        ),
        pixel_decoder=PixelDecoderConfig(
            num_layers=1, num_heads=4, num_points=2, mlp_width=256, mask_kernel=1
        ),
        visual_prompts=VisualPromptConfig(template_size=128, max_points=128, negative_points=True),
        object_decoder=ObjectDecoderConfig(
            num_layers=3,
            num_queries=100,
            num_heads=4,
            mlp_width=256,
            similarity_scale=0.1,
            cell_reach=True,
            relative_boxes=True,
            box_masks=True,
            mark_places=True,
        ),
        resize=ResizeConfig(shortest=384, longest=384),
        width=128,
        norm_groups=16,
        coarse_context=True,
        glances=GlanceConfig(),
    )


def lite() -> GleeConfig:
    """Return the configuration of GLEE-Lite: ResNet-50."""
    return GleeConfig()


def plus() -> GleeConfig:
    """Return the configuration of GLEE-Plus: Swin-L."""
    return GleeConfig(backbone=SwinConfig())


def pro() -> GleeConfig:
    """Return the configuration of GLEE-Pro: EVA02-L on square images of 1536 pixels."""
    return GleeConfig(
        backbone=Eva02Config(),
        project_levels=False,
        resize=ResizeConfig(shortest=1536, longest=1536, square=True),
    )


def tiny() -> GleeConfig:
    """Return a network that runs on a CPU in milliseconds, for tests and examples."""
    return GleeConfig(
        backbone=ResNetConfig(
            stem_width=8, bottleneck_width=8, widths=(16, 24, 32, 48), depths=(1, 1, 1, 1)
        ),
        text=ClipTextConfig(width=32, num_layers=2, num_heads=2, mlp_width=64),
        early_fusion=EarlyFusionConfig(inner_width=64, num_heads=2),
        pixel_decoder=PixelDecoderConfig(num_layers=1, num_heads=2, num_points=2, mlp_width=64),
        visual_prompts=VisualPromptConfig(template_size=64, max_points=64),
        object_decoder=ObjectDecoderConfig(
            num_layers=2, num_queries=20, num_heads=2, num_points=2, mlp_width=64
        ),
        resize=ResizeConfig(shortest=96, longest=160),
        width=32,
        norm_groups=8,
    )
