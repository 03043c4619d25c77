"""Multi-head attention."""

import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """Queries read values by the similarity of their keys (arXiv:1706.03762, "Attention").

    Starts as `nn.MultiheadAttention` does, with zero biases and Xavier weights.
    """

    def __init__(self, width: int, *, num_heads: int) -> None:
        super().__init__()
        if width % num_heads:
            raise ValueError(f"width ({width}) must be a multiple of num_heads ({num_heads})")
        self.num_heads = num_heads
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)
        for linear in (self.query, self.key, self.value):
            # sqrt(1/2): Xavier's bound of the one [3C, C] matrix that they usually are.
            nn.init.xavier_uniform_(linear.weight, gain=0.5**0.5)
            nn.init.zeros_(linear.bias)
        nn.init.xavier_uniform_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, *, readable: Tensor | None = None
    ) -> Tensor:
        """Return what each query reads, [B, Q, C].

        query     [B, Q, C]
        key       [B, L, C]
        value     [B, L, C]
        readable  [B, M, Q, L]  bool, True where the query may read, at least once per query; the
                  first three axes may have size one for all. Or float, added to the similarities.
                  None if everything may be read.
        """
        read = F.scaled_dot_product_attention(
            self._split(self.query(query)),
            self._split(self.key(key)),
            self._split(self.value(value)),
            attn_mask=readable,
        )
        return self.out(read.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        heads = x.view(*x.shape[:2], self.num_heads, x.shape[2] // self.num_heads)
        return heads.transpose(1, 2)  # [B, M, L, D]
