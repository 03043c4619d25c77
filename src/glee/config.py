"""Sizes and choices of every part of the network, and the presets nano, lite, plus, pro, tiny."""

from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, ClassVar, Literal

from glee.config_json import ADDED_LATER


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNetConfig:
    """Size of a bottleneck ResNet (arXiv:1512.03385) with the stride on its 3x3 convolutions.

    `frozen_norm` keeps batch norms with fixed statistics beside the convolutions, as they are
    trained; without it the convolutions carry a bias and the norms are folded into them.
    """

    kind: Literal["resnet"] = "resnet"
    stem_width: int = 64
    bottleneck_width: int = 64
    widths: tuple[int, ...] = (256, 512, 1024, 2048)
    depths: tuple[int, ...] = (3, 4, 6, 3)
    frozen_norm: bool = True

    def __post_init__(self) -> None:
        if len(self.widths) != len(self.depths):
            raise ValueError(
                f"backbone.widths has {len(self.widths)} stages but backbone.depths "
                f"has {len(self.depths)}"
            )

    @property
    def out_widths(self) -> tuple[int, ...]:
        """Channels of the pyramid's maps, finest first."""
        return self.widths


@dataclass(frozen=True, slots=True, kw_only=True)
class SwinConfig:
    """Size of a Swin transformer (arXiv:2103.14030)."""

    kind: Literal["swin"] = "swin"
    width: int = 192
    depths: tuple[int, ...] = (2, 2, 18, 2)
    num_heads: tuple[int, ...] = (6, 12, 24, 48)
    window: int = 12
    patch: int = 4
    mlp_ratio: float = 4.0
    drop_path: float = 0.3

    def __post_init__(self) -> None:
        if len(self.depths) != len(self.num_heads):
            raise ValueError(
                f"backbone.depths has {len(self.depths)} stages but backbone.num_heads "
                f"has {len(self.num_heads)}"
            )
        for width, heads in zip(self.out_widths, self.num_heads, strict=True):
            _require_multiple("backbone width", width, "backbone.num_heads", heads)

    @property
    def out_widths(self) -> tuple[int, ...]:
        """Channels of the pyramid's maps, finest first: each stage doubles the width."""
        return tuple(self.width * 2**stage for stage in range(len(self.depths)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Eva02Config:
    """Size of an EVA-02 vision transformer (arXiv:2303.11331) and of the pyramid on top of it.

    Blocks not listed in `global_blocks` attend within windows of `window` x `window` tokens.

    `rope_grid` is the side, in tokens, of the table of rotary positions of the global blocks.
    With `rope_by_flat_index` token i reads row i of that flattened table whatever the shape of
    the image, as the released weights were trained; positions are then right only for images of
    exactly rope_grid x rope_grid tokens, and larger ones are refused. Without it each token reads
    the position of its own row and column.
    """

    kind: Literal["eva02"] = "eva02"
    width: int = 1024
    depth: int = 24
    num_heads: int = 16
    mlp_width: int = 2730
    patch: int = 16
    window: int = 16
    global_blocks: tuple[int, ...] = (2, 5, 8, 11, 14, 17, 20, 23)
    pretrain_grid: int = 14
    rope_reference: int = 16
    rope_grid: int = 96
    rope_by_flat_index: bool = True
    pyramid_width: int = 256
    drop_path: float = 0.3

    def __post_init__(self) -> None:
        _require_multiple("backbone.width", self.width, "backbone.num_heads", self.num_heads)
        if not all(0 <= block < self.depth for block in self.global_blocks):
            raise ValueError(
                f"backbone.global_blocks {self.global_blocks} must lie in 0..{self.depth - 1}"
            )

    @property
    def out_widths(self) -> tuple[int, ...]:
        """Channels of the pyramid's maps, finest first (strides 8, 16, 32, 64)."""
        return (self.pyramid_width,) * 4


@dataclass(frozen=True, slots=True, kw_only=True)
class EfficientNetConfig:
    """Size of an EfficientNet-Lite (arXiv:1905.11946), of seven stages.

    The defaults are those of Lite0; the larger ones have wider and deeper stages.
    """

    kind: Literal["efficientnet"] = "efficientnet"
    stem_width: int = 32
    widths: tuple[int, ...] = (16, 24, 40, 80, 112, 192, 320)
    depths: tuple[int, ...] = (1, 2, 2, 3, 3, 4, 1)

    # The last stages at strides 4, 8, 16 and 32.
    map_stages: ClassVar[tuple[int, ...]] = (1, 2, 4, 6)

    def __post_init__(self) -> None:
        if not len(self.widths) == len(self.depths) == 7:  # noqa: PLR2004  # the stages
            raise ValueError(
                f"backbone.widths has {len(self.widths)} stages and backbone.depths "
                f"{len(self.depths)}; an EfficientNet has 7"
            )

    @property
    def out_widths(self) -> tuple[int, ...]:
        """Channels of the pyramid's maps, finest first."""
        return tuple(self.widths[stage] for stage in self.map_stages)


@dataclass(frozen=True, slots=True, kw_only=True)
class CspConfig:
    """Size of a cross-stage partial network (arXiv:1911.11929), as in NanoDet-g by default.

    With `has_neck` its maps but the finest exchange what they hold and get `neck_width` channels;
    with `has_towers` as many follow that have passed one more convolution of their level.
    """

    kind: Literal["csp"] = "csp"
    stem_width: int = 32
    depths: tuple[int, ...] = (1, 2, 2, 3)
    neck_width: int = 128
    has_neck: bool = False
    has_towers: bool = field(default=False, metadata=ADDED_LATER)

    def __post_init__(self) -> None:
        if self.has_towers and not self.has_neck:
            raise ValueError("backbone.has_towers needs backbone.has_neck, whose maps towers read")

    @property
    def stage_widths(self) -> tuple[int, ...]:
        """Channels that the stages give, finest first: each doubles what it takes."""
        return tuple(self.stem_width << number for number in range(1, len(self.depths) + 1))

    @property
    def out_widths(self) -> tuple[int, ...]:
        """Channels of the pyramid's maps, finest first."""
        first, *others = self.stage_widths
        if not self.has_neck:
            return self.stage_widths
        return (first, *(self.neck_width * (1 + self.has_towers) for _ in others))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConceptsConfig:
    """Size of a frozen classifier whose guesses become a map of text embeddings.

    num_classes  classes that it knows
    head_width   channels between the encoder's last map and the classes
    width        channels of a text embedding, which each class has one of
    """

    num_classes: int = 1000
    head_width: int = 1280
    width: int = 384


@dataclass(frozen=True, slots=True, kw_only=True)
class PairConfig:
    """Two encoders side by side: one knows many words, the other where things are.

    Their maps are joined at each stride; `concepts` adds to the coarsest what the first encoder's
    classifier takes each cell to be.
    """

    kind: Literal["pair"] = "pair"
    words: EfficientNetConfig = field(default_factory=EfficientNetConfig)
    places: CspConfig = field(default_factory=lambda: CspConfig(has_neck=True, has_towers=True))
    concepts: ConceptsConfig = field(default_factory=ConceptsConfig)

    @property
    def out_widths(self) -> tuple[int, ...]:
        """Channels of the pyramid's maps, finest first."""
        pairs = zip(self.words.out_widths, self.places.out_widths, strict=True)
        *finer, coarsest = (sum(pair) for pair in pairs)
        return (*finer, coarsest + self.concepts.width)


BackboneConfig = (
    ResNetConfig | SwinConfig | Eva02Config | EfficientNetConfig | CspConfig | PairConfig
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipTextConfig:
    """Size of the CLIP text transformer (arXiv:2103.00020)."""

    kind: Literal["clip"] = "clip"
    vocabulary: int = 49408
    width: int = 512
    num_layers: int = 12
    num_heads: int = 8
    mlp_width: int = 2048
    max_tokens: int = 77

    def __post_init__(self) -> None:
        _require_multiple("text.width", self.width, "text.num_heads", self.num_heads)


@dataclass(frozen=True, slots=True, kw_only=True)
class MiniLmConfig:
    """Size of the sentence encoder all-MiniLM-L6-v2, a BERT (arXiv:1810.04805).

    `max_tokens` is less than the 512 of the published weights: expressions of a few words need no
    more, and the network pads them to it.
    """

    kind: Literal["minilm"] = "minilm"
    vocabulary: int = 30522
    width: int = 384
    num_layers: int = 6
    num_heads: int = 12
    mlp_width: int = 1536
    max_tokens: int = 64

    def __post_init__(self) -> None:
        _require_multiple("text.width", self.width, "text.num_heads", self.num_heads)


TextConfig = ClipTextConfig | MiniLmConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyFusionConfig:
    """Size of the attention by which image cells read the prompt.

    With `reads_padding` the cells also read the padding behind an expression, as in the released
    weights, whose mask had no effect.
    """

    inner_width: int = 2048
    num_heads: int = 8
    dropout: float = 0.1
    reads_padding: bool = True

    def __post_init__(self) -> None:
        _require_multiple(
            "early_fusion.inner_width", self.inner_width, "early_fusion.num_heads", self.num_heads
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelDecoderConfig:
    """Size of the deformable encoder (arXiv:2010.04159) that refines the pyramid.

    `mask_kernel` is the side of the convolution that makes the mask features; of 3, it is most of
    the work of a small network.
    """

    num_layers: int = 6
    num_heads: int = 8
    num_points: int = 4
    mlp_width: int = 2048
    mask_kernel: int = field(default=3, metadata=ADDED_LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class VisualPromptConfig:
    """How a marked region becomes prompt tokens.

    `template_size` is the side in pixels of the crop around the region, `max_points` the number
    of cells sampled inside it, `num_levels` the number of pyramid levels sampled (finest first).
    `negative_points` says that the network was trained to read points on what is not meant.
    """

    template_size: int = 256
    max_points: int = 512
    num_levels: int = 3
    negative_points: bool = False

    def __post_init__(self) -> None:
        stride = "the image encoder's stride"
        _require_multiple("visual_prompts.template_size", self.template_size, stride, 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectDecoderConfig:
    """Size of the transformer that turns image features into objects.

    A cell that becomes a query starts from a square box, whose size depends on its level: with
    `coarse_priors` it doubles with each coarser level, as the cells do; without, it doubles with
    each finer one, as the released weights were trained. Similarities are multiplied by
    `similarity_scale`: products of two long vectors, they otherwise change by whole units in a
    step of training.

    Three choices let a network learn from few images. With `cell_reach` cells say how far their
    object reaches to each side, in cells, by a head of their own, and a cell whose box a better
    one covers becomes a query only after all others (DDQ, arXiv:2303.12776). With
    `relative_boxes` layers move a box by shares of its sides. With `box_masks` a mask starts from
    an ellipse in its box. With `mark_places` it also counts where a mark is, not only what is
    seen there.
    """

    num_layers: int = 9
    num_queries: int = 300
    num_heads: int = 8
    num_points: int = 4
    mlp_width: int = 2048
    coarse_priors: bool = field(default=False, metadata=ADDED_LATER)
    similarity_scale: float = field(default=1.0, metadata=ADDED_LATER)
    cell_reach: bool = field(default=False, metadata=ADDED_LATER)
    relative_boxes: bool = field(default=False, metadata=ADDED_LATER)
    box_masks: bool = field(default=False, metadata=ADDED_LATER)
    mark_places: bool = field(default=False, metadata=ADDED_LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizeConfig:
    """How an image is brought to the size that the network sees.

    Without `square` the shortest edge becomes `shortest`, unless the longest would then exceed
    `longest`; the right and bottom are padded with zeros after normalisation to a multiple of
    `divisor`. With it the longest edge becomes `longest` and the image is padded with the grey
    value 128 to a square.
    """

    shortest: int = 800
    longest: int = 1333
    divisor: int = 32
    square: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.shortest <= self.longest:
            raise ValueError(
                f"resize.shortest ({self.shortest}) must lie between 1 and resize.longest "
                f"({self.longest})"
            )
        if self.square:
            name = "resize.longest, the side of a square canvas,"
            _require_multiple(name, self.longest, "resize.divisor", self.divisor)


@dataclass(frozen=True, slots=True, kw_only=True)
class GleeConfig:
    """The whole network.

    `width` is the number of channels of everything behind the backbone, `num_levels` the number
    of pyramid levels in the decoders, `norm_groups` the groups of its group norms. With
    `project_levels` the backbone's maps but the finest are projected to `width` and one coarser
    level is added; without it all maps are used as they are. The finest map always feeds the
    mask features. With `coarse_context` each level also reads the coarsest map, and its cells are
    left to be normalised one by one: how strong a map is, tells. With `box_names` the coarsest two
    maps also name what is in a box, see glee.model.box_names. Networks without `visual_prompts`
    take text only.
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
    box_names: bool = field(default=False, metadata=ADDED_LATER)

    def __post_init__(self) -> None:
        _require_positive("", self)
        for name in ("pixel_decoder", "object_decoder"):
            heads = getattr(self, name).num_heads
            _require_multiple("width", self.width, f"{name}.num_heads", heads)
        _require_multiple("width", self.width, "norm_groups", self.norm_groups)
        _require_multiple("width", self.width, "the sines and cosines of two axes", 4)
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
        if self.coarse_context and not self.project_levels:
            raise ValueError("coarse_context needs project_levels, which it adds to")
        if not self.project_levels and set(self.backbone.out_widths) != {self.width}:
            raise ValueError(
                f"without project_levels the backbone's maps must have width {self.width}, "
                f"got {self.backbone.out_widths}"
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


def _require_positive(prefix: str, config: Any) -> None:
    """Check all sizes of a configuration and of its parts: whole numbers >= 1, others >= 0."""
    for f in fields(config):
        name, value = prefix + f.name, getattr(config, f.name)
        if is_dataclass(value):
            _require_positive(f"{name}.", value)
        elif f.name != "global_blocks":  # indices, which its class checks
            for number in value if isinstance(value, tuple) else (value,):
                least = {int: 1, float: 0.0}.get(type(number))
                if least is not None and not number >= least:  # NaN is wrong, too
                    raise ValueError(f"{name} ({value}) must be at least {least}")


def _require_multiple(name: str, value: int, of: str, divisor: int) -> None:
    if divisor < 1 or value % divisor:
        raise ValueError(f"{name} ({value}) must be a multiple of {of} ({divisor})")
