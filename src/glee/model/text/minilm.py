"""MiniLM, the text encoder of GLEE-Nano: a small BERT trained to embed sentences."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glee.config import MiniLmConfig
from glee.model.layers.attention import Attention

NORM_EPS = 1e-12  # of all layer norms of BERT


class MiniLmText(nn.Module):
    """Transformer over the tokens of a text, each reading all others.

    BERT (arXiv:1810.04805) at the size of MiniLM (arXiv:2002.10957). GLEE reads the hidden states
    of all tokens. Texts are single: the embedding of BERT's first segment, which would be added
    to every token, is part of the position embedding.
    """

    def __init__(self, config: MiniLmConfig) -> None:
        super().__init__()
        self.max_tokens = config.max_tokens
        self.token_embedding = nn.Embedding(config.vocabulary, config.width)
        self.position_embedding = nn.Embedding(config.max_tokens, config.width)
        self.norm = nn.LayerNorm(config.width, eps=NORM_EPS)
        self.layers = nn.ModuleList(MiniLmLayer(config) for _ in range(config.num_layers))
        for module in self.modules():  # as BERT starts
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.token_embedding.weight.device

    def forward(self, ids: Tensor, valid: Tensor) -> Tensor:
        """Return the last hidden state of each token, [K, T, C].

        ids    [K, T]  int64
        valid  [K, T]  bool, True on the first token of each text and on all up to its end

        No token reads padding; padded ones read the valid ones.

        Raises ValueError if T exceeds the encoder's `max_tokens`.
        """
        length = ids.shape[1]
        if length > self.max_tokens:
            raise ValueError(
                f"ids has {length} tokens a text but the encoder reads at most {self.max_tokens}; "
                "tokenize with max_tokens set to that"
            )
        x = self.norm(self.token_embedding(ids) + self.position_embedding.weight[:length])
        for layer in self.layers:
            x = layer(x, valid[:, None, None])
        return x


class MiniLmLayer(nn.Module):
    """One transformer layer of BERT, norms behind each part."""

    def __init__(self, config: MiniLmConfig) -> None:
        super().__init__()
        self.attention = Attention(config.width, num_heads=config.num_heads)
        self.attention_norm = nn.LayerNorm(config.width, eps=NORM_EPS)
        self.expand = nn.Linear(config.width, config.mlp_width)
        self.reduce = nn.Linear(config.mlp_width, config.width)
        self.mlp_norm = nn.LayerNorm(config.width, eps=NORM_EPS)

    def forward(self, x: Tensor, readable: Tensor) -> Tensor:
        """Return the tokens after reading each other.

        x         [K, T, C]
        readable  [K, 1, 1, T]  bool, True on the tokens that may be read
        """
        x = self.attention_norm(x + self.attention(x, x, x, readable=readable))
        return self.mlp_norm(x + self.reduce(F.gelu(self.expand(x))))
