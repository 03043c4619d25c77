"""Two light image encoders side by side, the image encoder of GLEE-Nano."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glee.config import ConceptsConfig, PairConfig
from glee.model.backbones.csp import CspNet
from glee.model.backbones.efficientnet import EfficientNet
from glee.model.interfaces import FeaturePyramid
from glee.ops.box_means import average_in_boxes


class Concepts(nn.Module):
    """What a classifier takes each cell to be, as the mean text embedding of its guesses.

    "ConSE" (Norouzi et al., arXiv:1312.5650) for every cell: names that the classifier does not
    know lie between those that it does. Of classes whose embedding is zero nothing is told.
    """

    embeddings: Tensor

    def __init__(self, width_in: int, config: ConceptsConfig) -> None:
        super().__init__()
        self.head = nn.Conv2d(width_in, config.head_width, 1)
        self.classes = nn.Conv2d(config.head_width, config.num_classes, 1)
        self.register_buffer("embeddings", torch.zeros(config.num_classes, config.width))

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of embeddings [B, width, h, w] of the encoder's last map [B, C, h, w]."""
        guesses = self.classes(F.relu6(self.head(x))).softmax(dim=1)
        return F.conv2d(guesses, self.embeddings.T[:, :, None, None].to(guesses.dtype))


class Pair(nn.Module):
    """EfficientNet, which knows a thousand names, beside NanoDet's encoder, which localises.

    Of frozen features the first separates objects outside COCO far better, the second says
    better where they are; docs/nano.md has the figures.
    """

    def __init__(self, config: PairConfig) -> None:
        super().__init__()
        self.words = EfficientNet(config.words)
        self.places = CspNet(config.places)
        self.concepts = Concepts(config.words.out_widths[-1], config.concepts)

    def forward(self, pixels: Tensor) -> FeaturePyramid:
        """Return maps of strides 4, 8, 16 and 32 of `pixels` [B, 3, H, W].

        Raises ValueError if H or W is no multiple of 32.
        """
        words, places = self.words(pixels).maps, self.places(pixels).maps
        maps = [list(pair) for pair in zip(words, places, strict=True)]
        concepts = self.concepts(words[-1])
        maps[-1].append(concepts)
        return FeaturePyramid(tuple(torch.cat(pair, dim=1) for pair in maps), concepts)

    def look(self, pixels: Tensor, boxes_cxcywh: Tensor) -> Tensor:
        """Return what the classifier sees [N, E] in boxes [N, 4] of 0..1, before it guesses."""
        seen = F.relu6(self.concepts.head(self.words(pixels).maps[-1]))
        return average_in_boxes(seen, boxes_cxcywh[:, None])[:, 0]

    def guess(self, seen: Tensor, softness: float) -> Tensor:
        """Return the classes' probabilities [..., K] for what was seen [..., E].

        softness  the logits are divided by it
        """
        logits = self.concepts.classes(seen.flatten(0, -2)[..., None, None])
        return (logits / softness).softmax(dim=1).view(*seen.shape[:-1], -1)
