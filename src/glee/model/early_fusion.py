"""Image cells read the prompt, once, before the pixel decoder."""

import torch
from torch import Tensor, nn

from glee.config import EarlyFusionConfig
from glee.model.interfaces import FoldedTokens

# Scores held at once, in numbers: 16 MB in float32 stay near the cache and bound the memory. For
# very long prompts a block has a least number of cells, since each block reads all tokens anew.
SCORES_AT_ONCE = 2**22
LEAST_CELLS = 64


class EarlyFusion(nn.Module):
    """Cross-attention from image cells to prompt tokens.

    From GLIP (arXiv:2112.03857, "Language-aware deep fusion"), without its text side, which
    GLEE computes and never reads.
    """

    def __init__(self, width: int, config: EarlyFusionConfig) -> None:
        super().__init__()
        inner = config.inner_width
        self.num_heads = config.num_heads
        self.reads_padding = config.reads_padding
        self.image_norm, self.prompt_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key = nn.Linear(width, inner), nn.Linear(width, inner)
        self.value, self.out = nn.Linear(width, inner), nn.Linear(inner, width)
        self.dropout = nn.Dropout(config.dropout)
        self.gain = nn.Parameter(torch.full((width,), 1 / 6))
        for layer in (self.query, self.key, self.value, self.out):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def fold(self, tokens: Tensor, valid: Tensor | None = None) -> FoldedTokens:
        """Apply to the tokens all that attention would apply to cells; see FoldedTokens.

        tokens  [B, L, C]  text or template tokens; B = 1 if all images share them
        valid   [B, L]     bool, False on padding; None if there is none
        """
        tokens = self.prompt_norm(tokens)
        key = self._split(self.key(tokens))  # [B, M, L, D]
        key = key * key.shape[-1] ** -0.5
        query_weight = self.query.weight.unflatten(0, (self.num_heads, -1))  # [M, D, C]
        out_weight = self.out.weight.unflatten(1, (self.num_heads, -1))  # [C, M, D]
        bias = key @ self.query.bias.view(self.num_heads, -1, 1)  # [B, M, L, 1]
        if valid is not None and not self.reads_padding:
            bias = bias.masked_fill(~valid[:, None, :, None], -torch.inf)
        return FoldedTokens(
            keys=key @ query_weight,
            bias=bias.squeeze(-1),
            values=self._split(self.value(tokens)) @ out_weight.permute(1, 2, 0),
        )

    def forward(self, cells: Tensor, folded: FoldedTokens) -> Tensor:
        """Return the image cells [B, S, C] after they have read the prompt."""
        cells = self.image_norm(cells)
        if len(folded.keys) == 1:
            read = self._read(cells.flatten(0, 1)[None], folded).view(cells.shape)
        else:
            read = self._read(cells, folded)
        # The residual starts from the normalised cells, as in the released model.
        return cells + self.gain * (read + self.out.bias)

    def _read(self, cells: Tensor, folded: FoldedTokens) -> Tensor:
        """Attend from cells [B, S, C] to tokens of the same B, a block of cells at a time."""
        keys = folded.keys.flatten(1, 2).transpose(1, 2)  # [B, C, M*L]
        bias = folded.bias.flatten(1, 2)[:, None]
        values = folded.values.flatten(1, 2)
        # Heads share their query, the cell itself, so that all of them are one product; and the
        # sum over heads that the folded values ask for is the inner sum of the second one.
        block = cells.shape[1]
        if not torch.compiler.is_compiling():
            block = max(LEAST_CELLS, SCORES_AT_ONCE // (len(cells) * keys.shape[2]))
        parts = []
        for part in cells.split(block, dim=1):
            scores = torch.baddbmm(bias, part, keys).unflatten(2, (self.num_heads, -1))
            parts.append(self.dropout(scores.softmax(-1)).flatten(2) @ values)
        return torch.cat(parts, dim=1)

    def _split(self, x: Tensor) -> Tensor:
        """[B, L, M*D] -> [B, M, L, D]."""
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
