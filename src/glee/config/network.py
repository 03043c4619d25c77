"""Sizes and choices of the whole network."""

from dataclasses import dataclass, field

from glee.config.backbones import BackboneConfig, PairConfig, ResNetConfig
from glee.config.checks import require_multiple, require_positive
from glee.config.parts import (
    ClipTextConfig,
    EarlyFusionConfig,
    GlanceConfig,
    ObjectDecoderConfig,
    PixelDecoderConfig,
    ResizeConfig,
    TextConfig,
    VisualPromptConfig,
)
from glee.config_json import ADDED_LATER


@dataclass(frozen=True, slots=True, kw_only=True)
class GleeConfig:
    """The whole network.

    `width` is the number of channels of everything behind the backbone, `num_levels` the number
    of pyramid levels in the decoders, `norm_groups` the groups of its group norms. With
    `project_levels` the backbone's maps but the finest are projected to `width` and one coarser
    level is added; without it all maps are used as they are. The finest map always feeds the
    mask features. With `coarse_context` each level also reads the coarsest map, and its cells are
    left to be normalised one by one: how strong a map is, tells. Networks without
    `visual_prompts` take text only. Those with `glances`, which need a PairConfig, look again at
    the best boxes.
    """

    backbone: BackboneConfig = field(default_factory=ResNetConfig)
    text: TextConfig = field(default_factory=ClipTextConfig)
    early_fusion: EarlyFusionConfig = field(default_factory=EarlyFusionConfig)
    pixel_decoder: PixelDecoderConfig = field(default_factory=PixelDecoderConfig)
    visual_prompts: VisualPromptConfig | None = field(default_factory=VisualPromptConfig)
    object_decoder: ObjectDecoderConfig = field(default_factory=ObjectDecoderConfig)
    resize: ResizeConfig = field(default_factory=ResizeConfig)
    width: int = 256
    num_levels: int = 4
    norm_groups: int = 32
    project_levels: bool = True
    coarse_context: bool = field(default=False, metadata=ADDED_LATER)
    glances: GlanceConfig | None = field(default=None, metadata=ADDED_LATER)

    def __post_init__(self) -> None:
        require_positive("", self)
        self._check_heads()
        require_multiple("width", self.width, "norm_groups", self.norm_groups)
        require_multiple("width", self.width, "the sines and cosines of two axes", 4)
        if self.object_decoder.mark_places and not self.object_decoder.cell_reach:
            raise ValueError("object_decoder.mark_places needs object_decoder.cell_reach")
        maps = len(self.backbone.out_widths)
        if maps != self.num_levels:
            raise ValueError(
                f"num_levels is {self.num_levels} but the backbone gives {maps} maps; "
                "they must agree"
            )
        if self.visual_prompts and self.visual_prompts.num_levels > self.num_levels:
            raise ValueError(
                f"visual_prompts.num_levels ({self.visual_prompts.num_levels}) must be at most "
                f"num_levels ({self.num_levels})"
            )
        if self.glances is not None and not isinstance(self.backbone, PairConfig):
            raise ValueError(
                "glances need a backbone of two encoders (PairConfig), got "
                f"{type(self.backbone).__name__}"
            )
        if self.coarse_context and not self.project_levels:
            raise ValueError("coarse_context needs project_levels, which it adds to")
        if not self.project_levels and set(self.backbone.out_widths) != {self.width}:
            raise ValueError(
                f"without project_levels the backbone's maps must have width {self.width}, "
                f"got {self.backbone.out_widths}"
            )

    def _check_heads(self) -> None:
        for name in ("pixel_decoder", "object_decoder", "glances"):
            if (part := getattr(self, name)) is not None:
                require_multiple("width", self.width, f"{name}.num_heads", part.num_heads)
