"""Weights and sizes of the losses, with the values of the released model."""

from dataclasses import dataclass, field
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
