"""What a query says: its similarity to each name, confidence, box, mask and appearance."""

import torch
from torch import Tensor, nn

from glee.config import ObjectDecoderConfig
from glee.model.interfaces import ObjectOutputs
from glee.model.layers.mlp import MLP
from glee.model.layers.position import inverse_sigmoid

MOST_GROWTH = 3.0
"""Largest change of a size, as a logarithm."""

ELLIPSE_LOGIT, ELLIPSE_REACH = 3.0, 1.4
"""Of an ellipse's centre; and the square of its radius, in halves of the box, where the logit is
zero."""

LEAST_SIDE = 0.01
"""Sides of a box that an ellipse is made of, in shares of the image's."""


class Heads(nn.Module):
    """Prediction heads, shared by the chosen cells, the initial queries and all decoder layers.

    GLEE (arXiv:2312.09158, section 3.1); boxes and masks as in Mask DINO (arXiv:2206.02777).
    """

    def __init__(self, width: int, size: ObjectDecoderConfig) -> None:
        super().__init__()
        self.similarity_scale = size.similarity_scale
        self.relative_boxes = size.relative_boxes
        self.ellipse = Ellipse(width) if size.box_masks else None
        self.norm = nn.LayerNorm(width)
        self.similarity = nn.Linear(width, width, bias=False)
        self.confidence = MLP(width, width, 1)
        self.box = MLP(width, width, width, 4)
        self.mask = MLP(width, width, width, width)
        self.mask_features = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.similarity.weight)
        for parameter in self.box.layers[-1].parameters():
            nn.init.zeros_(parameter)  # boxes start where they come from

    def class_logits(self, x: Tensor, classes: Tensor) -> Tensor:
        """Compare x [B, Q, C] with names [B or 1, K, C] -> [B, Q, K]: dot products."""
        query = self.similarity(x)
        if self.similarity_scale != 1:
            query = query * self.similarity_scale
        return query @ classes.transpose(1, 2)

    def refine(self, x: Tensor, reference: Tensor) -> Tensor:
        """Move boxes `reference` [B, Q, 4] (cxcywh, 0..1) by what x [B, Q, C] says."""
        change = self.box(x)
        if not self.relative_boxes:
            return (change + inverse_sigmoid(reference)).sigmoid()
        shift, growth = change.split(2, dim=-1)
        centre, sides = reference.split(2, dim=-1)
        growth = growth.clamp(-MOST_GROWTH, MOST_GROWTH).exp()
        return torch.cat([centre + shift * sides, sides * growth], dim=-1).clamp(0, 1)

    def forward(self, x: Tensor, boxes_cxcywh: Tensor, classes: Tensor) -> ObjectOutputs:
        """Return all predictions.

        x             [B, Q, C]       queries; those of decoder layers have been normalised once
                                      already and are normalised again here, as in the released
                                      model
        boxes_cxcywh  [B, Q, 4]       their boxes, passed through
        classes       [B or 1, K, C]  names
        """
        y = self.norm(x)
        # The mask features pass a last linear layer before the product with the masks' kernels.
        # Applied to the few kernels, it need not be applied to all pixels.
        kernels = self.mask(y)
        bias = kernels @ self.mask_features.bias
        kernels = kernels @ self.mask_features.weight
        if self.ellipse is not None:
            shape, start = self.ellipse(y, boxes_cxcywh)
            kernels, bias = torch.cat([kernels, shape], dim=-1), bias + start
        return ObjectOutputs(
            logits=self.class_logits(y, classes),
            confidence=self.confidence(y).squeeze(-1),
            boxes_cxcywh=boxes_cxcywh,
            kernels=kernels,
            kernel_bias=bias,
            embeddings=x,
        )


class Ellipse(nn.Module):
    """Where a mask is expected before its image is looked at: an ellipse in its box.

    Its logit falls with the square of the distance from the box's centre. That is linear in x, y
    and their squares, so that four more numbers of a kernel add it to any mask, see mask_maps.py.
    Relative coordinates as in CondInst (arXiv:2003.05664, section 3.2) without features of their
    own for each object.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.shape = nn.Linear(width, 2)
        for parameter in self.shape.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, boxes_cxcywh: Tensor) -> tuple[Tensor, Tensor]:
        """Return the kernels [B, Q, 4] and bias [B, Q] of queries x [B, Q, C] and their boxes."""
        height, reach = self.shape(x).clamp(-MOST_GROWTH, MOST_GROWTH).exp().unbind(-1)
        height, reach = ELLIPSE_LOGIT * height, ELLIPSE_REACH * reach
        centre, sides = boxes_cxcywh.detach().split(2, dim=-1)
        fall = (height / reach)[..., None] * (2 / sides.clamp(min=LEAST_SIDE)) ** 2
        squares, lines = -fall, 2 * fall * centre
        bias = height - (fall * centre**2).sum(-1)
        return torch.cat([squares, lines], dim=-1), bias
