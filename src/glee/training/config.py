"""Weights and sizes of the losses, and how a run learns, with the values of the released model."""

from dataclasses import dataclass, field
from math import inf
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class FocalConfig:
    """Focal loss (arXiv:1708.02002): weight of the ones, and falling of what is right."""

    alpha: float = 0.25
    gamma: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MatcherConfig:
    """Weights of what makes a query stand for an object, and the points that masks are read at."""

    semantic: float = 4.0
    box_l1: float = 5.0
    box_giou: float = 2.0
    mask: float = 5.0
    dice: float = 5.0
    num_points: int = 12544


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskPointsConfig:
    """Points at which a mask is compared with the truth.

    Of `oversampling` times as many candidates the least certain are kept, as many as make up
    `uncertain_share` of `num_points`; the rest lies anywhere.
    """

    num_points: int = 12544
    oversampling: float = 3.0
    uncertain_share: float = 0.75

    def __post_init__(self) -> None:
        if self.num_points < 1:
            raise ValueError(f"num_points must be at least 1, got {self.num_points}")
        if not 0 <= self.uncertain_share <= 1 or self.oversampling < self.uncertain_share:
            raise ValueError(
                f"uncertain_share ({self.uncertain_share}) must lie between 0 and 1 and not "
                f"exceed oversampling ({self.oversampling})"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class DenoisingConfig:
    """Noised copies of the truth (arXiv:2203.01305).

    num_queries  most extra queries an image; they hold as many copies of all objects as fit
    label_noise  share of the labels that are replaced by one drawn from all
    box_noise    largest shift of a centre, in halves of the box's size, and largest relative
                 change of the size
    """

    num_queries: int = 100
    label_noise: float = 0.2
    box_noise: float = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class CriterionConfig:
    """Weight of each loss, and choices where the released code departs from the paper.

    mask_loss                 how a mask's points are compared: the code uses plain cross-entropy,
                              the paper names focal loss
    distillation_of           the code compares the hidden states of all tokens by their squared
                              difference, the paper the encodings of whole texts by their distance
    proposal_confidence       also teach the cells chosen as queries whether they are the marked
                              object, by which they are chosen; the code does not
    confidence_per_object     divide the loss of confidence by the number of objects like the
                              others; the code averages it over queries instead, which makes it
                              weaker by their number
    other_queries             unmatched queries of the frame before that appearance is told from
    initial_queries           also compare what is predicted of queries before the first layer;
                              where several cells of an object are taught its name, this says the
                              opposite of other losses to the heads that all layers share
    cells_per_object          teach so many of the best cells of each object its name and box, not
                              only the one matched cell, which lets a network learn from far fewer
                              images; the released model has no such loss (0)
    cell_distillation         weight of what a detector teaches every cell, if there is one
    """

    semantic: float = 4.0
    confidence: float = 4.0
    box_l1: float = 5.0
    box_giou: float = 2.0
    mask: float = 5.0
    dice: float = 5.0
    tracking: float = 2.0
    distillation: float = 4.0
    focal: FocalConfig = field(default_factory=FocalConfig)
    matcher: MatcherConfig = field(default_factory=MatcherConfig)
    mask_points: MaskPointsConfig = field(default_factory=MaskPointsConfig)
    mask_loss: Literal["cross_entropy", "focal"] = "cross_entropy"
    distillation_of: Literal["tokens", "texts"] = "tokens"
    proposal_confidence: bool = False
    confidence_per_object: bool = False
    other_queries: int = 20
    initial_queries: bool = True
    cells_per_object: int = 0
    cells: float = 1.0
    cell_distillation: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerConfig:
    """AdamW (arXiv:1711.05101) with rates of their own for the pretrained encoders.

    backbone, text  factors of the rate; 0 freezes that encoder
    cells           factor of the rate of what cells are made of and chosen by before they read a
                    prompt: low where a first stage has taught them
    layer_decay     further factor for each block of a plain vision transformer, counted from the
                    last one (arXiv:2106.08254); 1 for none
    decay_vectors   whether norms, biases and embeddings decay too, as in the released code
    clip_norm       largest L2 norm of all gradients together; longer ones are shortened to it
    """

    rate: float = 1e-4
    weight_decay: float = 0.05
    backbone: float = 0.1
    text: float = 0.1
    cells: float = 1.0
    layer_decay: float = 1.0
    decay_vectors: bool = True
    clip_norm: float = 0.01

    def __post_init__(self) -> None:
        # So written, NaN is refused.
        if not (0 < self.rate < inf and self.clip_norm > 0 and self.weight_decay >= 0):
            raise ValueError(
                f"rate ({self.rate}) and clip_norm ({self.clip_norm}) must be more than 0, "
                f"weight_decay ({self.weight_decay}) at least 0"
            )
        if min(self.backbone, self.text, self.cells) < 0 or not 0 < self.layer_decay <= 1:
            raise ValueError(
                f"backbone ({self.backbone}), text ({self.text}) and cells ({self.cells}) must be "
                f"at least 0, layer_decay ({self.layer_decay}) within 0..1"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleConfig:
    """How the rate changes: it rises for `warmup` steps, then falls.

    steps         of the whole run
    warmup_start  factor of the rate at the first step
    shape         "drops" multiplies by `drop` at each step of `drops`; "cosine" falls to `least`
                  along half a cosine (arXiv:1608.03983)
    """

    steps: int
    warmup: int = 100
    warmup_start: float = 0.01
    shape: Literal["drops", "cosine"] = "drops"
    drops: tuple[int, ...] = ()
    drop: float = 0.1
    least: float = 0.01

    def __post_init__(self) -> None:
        if self.steps < 1 or self.warmup < 0:
            raise ValueError(
                f"steps ({self.steps}) must be at least 1, warmup ({self.warmup}) at least 0"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """How a run learns, whatever it learns from.

    accumulate         batches whose gradients are added up before each step
    precision          what most of the network computes in; losses stay in float32
    ema                share of the averaged weights that each step keeps (arXiv:1703.01780); 0
                       keeps no average
    cells_only         teach the cells alone, each by what the image encoder sees there: many times
                       faster, and a start for all else; see `GLEE.unread_cells`
    activation_checkpointing  compute the encoder's activations again instead of keeping them
    save_every, log_every, validate_every, picture_every  steps between these; 0 for never
    """

    schedule: ScheduleConfig
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    criterion: CriterionConfig = field(default_factory=CriterionConfig)
    denoising: DenoisingConfig | None = field(default_factory=DenoisingConfig)
    accumulate: int = 1
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    ema: float = 0.0
    cells_only: bool = False
    activation_checkpointing: bool = False
    seed: int = 0
    save_every: int = 1000
    log_every: int = 20
    validate_every: int = 0
    picture_every: int = 0

    def __post_init__(self) -> None:
        if self.accumulate < 1 or not 0 <= self.ema < 1:
            raise ValueError(
                f"accumulate ({self.accumulate}) must be at least 1, ema ({self.ema}) within 0..1"
            )
        if self.cells_only and self.picture_every:
            raise ValueError("cells_only predicts no objects: picture_every must be 0")
