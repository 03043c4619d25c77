"""Sizes of the parts around the image encoder, from text to objects."""

from dataclasses import dataclass, field
from typing import Literal

from glee.config.checks import require_multiple
from glee.config_json import ADDED_LATER


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
        require_multiple("text.width", self.width, "text.num_heads", self.num_heads)


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
        require_multiple("text.width", self.width, "text.num_heads", self.num_heads)


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
        require_multiple(
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
        require_multiple("visual_prompts.template_size", self.template_size, stride, 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class GlanceConfig:
    """Size of the second look at the best boxes, each enlarged.

    `count` boxes are looked at, as squares of `side` pixels. `num_names` names were learned from
    such; of others a dictionary tells.
    """

    num_names: int = 651

    count: int = 12
    side: int = 160
    num_layers: int = 4
    num_heads: int = 8
    mlp_width: int = 512

    def __post_init__(self) -> None:
        require_multiple("glances.side", self.side, "the image encoder's stride", 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectDecoderConfig:
    """Size of the transformer that turns image features into objects.

    Similarities are multiplied by `similarity_scale`: products of two long vectors, they otherwise
    change by whole units in a step of training.

    Four choices let a network learn from few images. With `cell_reach` cells say how far their
    object reaches to each side, in cells, by a head of their own, and a cell whose box a better
    one covers becomes a query only after all others (DDQ, arXiv:2303.12776). With
    `relative_boxes` layers move a box by shares of its sides. With `box_masks` a mask starts from
    an ellipse in its box and, when it is looked at, follows the colours of its image. With
    `mark_places` it also counts where a mark is, not only what is seen there, and marked objects
    are found again by their colours, too.
    """

    num_layers: int = 9
    num_queries: int = 300
    num_heads: int = 8
    num_points: int = 4
    mlp_width: int = 2048
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
            require_multiple(name, self.longest, "resize.divisor", self.divisor)
