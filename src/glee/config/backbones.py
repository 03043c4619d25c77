"""Sizes of the image encoders."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from glee.config.checks import require_multiple
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
            require_multiple("backbone width", width, "backbone.num_heads", heads)

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
        require_multiple("backbone.width", self.width, "backbone.num_heads", self.num_heads)
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
    classifier takes each cell to be. What it takes boxes to be counts with names, see
    glee.model.concept_names.
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
