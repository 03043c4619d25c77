"""Image cells read the prompt, once, before the pixel decoder."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from glee.config import EarlyFusionConfig
from glee.model.interfaces import FoldedTokens

# Scores held at once, in numbers: 16 MB in float32 stay near the cache and bound the memory. For
# very long prompts a block has a least number of cells, since each block reads all tokens anew.
SCORES_AT_ONCE = 2**22
LEAST_CELLS = 64


@dataclass(frozen=True, slots=True)
class _Part:
    """Folded tokens as factors of matrix products; those that all images share lack the B.

    keys    [B, C, M * L]
    bias    [B, 1, M * L]
    values  [B, M * L, C]
    """

    keys: Tensor
    bias: Tensor
    values: Tensor

    @staticmethod
    def of(folded: FoldedTokens, cells: Tensor) -> "_Part":
        keys, bias, values = (
            folded.keys.flatten(1, 2).transpose(1, 2),
            folded.bias.flatten(1, 2)[:, None],
            folded.values.flatten(1, 2),
        )
        if torch.is_autocast_enabled(cells.device.type):  # once, not in every block
            dtype = torch.get_autocast_dtype(cells.device.type)
            keys, values = keys.to(dtype), values.to(dtype)
        if len(keys) == 1:
            return _Part(keys[0], bias[0], values[0])
        return _Part(keys, bias, values)


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

    def forward(self, cells: Tensor, *prompts: FoldedTokens) -> Tensor:
        """Return the image cells [B, S, C] after they have read the prompts as one.

        Each part of the prompt has B rows, or one row that all images share.
        """
        cells = self.image_norm(cells)
        parts = [_Part.of(prompt, cells) for prompt in prompts]
        width = len(cells) * sum(part.keys.shape[-1] for part in parts)
        block = cells.shape[1]
        if not torch.compiler.is_compiling():
            block = max(LEAST_CELLS, SCORES_AT_ONCE // width)
        read = [self._read(some, parts) for some in cells.split(block, dim=1)]
        # The residual starts from the normalised cells, as in the released model.
        return cells + self.gain * (torch.cat(read, dim=1) + self.out.bias)

    def _read(self, cells: Tensor, parts: "list[_Part]") -> Tensor:
        """Attend from a block of cells [B, s, C] to all tokens."""
        # Heads share their query, the cell itself, so that all of them are one product; and the
        # sum over heads that the folded values ask for is the inner sum of the second one.
        scores = [
            (cells @ part.keys + part.bias).unflatten(2, (self.num_heads, -1)) for part in parts
        ]  # [B, s, M, L] each
        weights = self.dropout(torch.cat(scores, dim=-1).softmax(-1))
        shares = weights.split([each.shape[-1] for each in scores], dim=-1)
        read = [share.flatten(2) @ part.values for share, part in zip(shares, parts, strict=True)]
        return torch.stack(read).sum(0)

    def _split(self, x: Tensor) -> Tensor:
        """[B, L, M*D] -> [B, M, L, D]."""
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
