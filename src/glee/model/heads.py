"""What a query says: its similarity to each name, confidence, box, mask and appearance."""

import torch
from torch import Tensor, nn

from glee.model.interfaces import ObjectOutputs
from glee.model.layers.mlp import MLP
from glee.model.layers.position import inverse_sigmoid


class Heads(nn.Module):
    """Prediction heads, shared by the chosen cells, the initial queries and all decoder layers.

    GLEE (arXiv:2312.09158, section 3.1); boxes and masks as in Mask DINO (arXiv:2206.02777).
    """

    def __init__(self, width: int, similarity_scale: float = 1.0) -> None:
        super().__init__()
        self.similarity_scale = similarity_scale
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
        return (self.box(x) + inverse_sigmoid(reference)).sigmoid()

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
        return ObjectOutputs(
            logits=self.class_logits(y, classes),
            confidence=self.confidence(y).squeeze(-1),
            boxes_cxcywh=boxes_cxcywh,
            kernels=kernels @ self.mask_features.weight,
            kernel_bias=kernels @ self.mask_features.bias,
            embeddings=x,
        )


def mask_logits(outputs: ObjectOutputs, mask_features: Tensor) -> Tensor:
    """Return the mask logits [B, Q, h, w] of all queries; features are [B, C, h, w]."""
    product = torch.einsum("bqc,bchw->bqhw", outputs.kernels, mask_features)
    return product + outputs.kernel_bias[:, :, None, None]
