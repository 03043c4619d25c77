"""The text transformer of CLIP, pooling of its tokens, and encoding of many texts at once."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from glee.config import ClipTextConfig
from glee.model.layers.attention import Attention
from glee.model.text.encoder import TextEncoder
from glee.model.text.tokenizer import Tokenizer


def quick_gelu(x: Tensor) -> Tensor:
    """Approximate GELU by x * sigmoid(1.702 x) (arXiv:1606.08415, "GELU Formulation")."""
    return x * torch.sigmoid(1.702 * x)


def pool_tokens(tokens: Tensor, valid: Tensor) -> Tensor:
    """Average the valid tokens of each text, start and end token included.

    tokens  [K, T, C]
    valid   [K, T]     bool; at least one True per text
    Returns [K, C].
    """
    weight = valid.to(tokens.dtype)[..., None]
    return (tokens * weight).sum(-2) / weight.sum(-2)


def encode_texts(
    encoder: TextEncoder, tokenizer: Tokenizer, texts: Sequence[str], *, batch_tokens: int = 4096
) -> list[Tensor]:
    """Encode texts of any number, each at its own length, and return one [T_k, C] per text.

    The tokens run from start to end token, on the device of the encoder. Texts of similar length
    share a batch of at most `batch_tokens` tokens: most names have 3 to 5 tokens, so that padding
    all of them to the length of the longest would multiply the work.
    """
    batch = tokenizer.encode(texts, max_tokens=encoder.max_tokens)
    ids, valid = batch.ids.to(encoder.device), batch.valid.to(encoder.device)
    lengths: list[int] = batch.valid.sum(1).tolist()
    encoded: dict[int, Tensor] = {}
    for rows in _group_by_length(lengths, batch_tokens):
        longest = lengths[rows[-1]]
        tokens = encoder(ids[rows, :longest], valid[rows, :longest])
        encoded |= {row: own[: lengths[row]] for row, own in zip(rows, tokens, strict=True)}
    return [encoded[row] for row in range(len(texts))]


def _group_by_length(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Divide rows, shortest first, into batches of at most `batch_tokens` padded tokens."""
    groups: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if groups and (len(groups[-1]) + 1) * lengths[row] <= batch_tokens:
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


class ClipText(nn.Module):
    """Causal transformer over the tokens of a text (arXiv:2103.00020, the text encoder).

    GLEE reads the hidden states of all tokens; CLIP's projection of the end token is not here.
    """

    def __init__(self, config: ClipTextConfig) -> None:
        super().__init__()
        self.max_tokens = config.max_tokens
        self.token_embedding = nn.Embedding(config.vocabulary, config.width)
        self.position_embedding = nn.Embedding(config.max_tokens, config.width)
        self.layers = nn.ModuleList(ClipTextLayer(config) for _ in range(config.num_layers))
        self.norm = nn.LayerNorm(config.width)
        # As `CLIP.initialize_parameters` of https://github.com/openai/CLIP does.
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        nn.init.normal_(self.position_embedding.weight, std=0.01)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.token_embedding.weight.device

    def forward(self, ids: Tensor, valid: Tensor) -> Tensor:
        """Return the hidden state of each token after the last norm, [K, T, C].

        ids    [K, T]  int64
        valid  [K, T]  bool, True on the first token of each text and on all up to its end

        No token reads what follows it, so that valid tokens do not depend on padding; padded ones
        read the valid ones before them.

        Raises ValueError if T exceeds the encoder's `max_tokens`.
        """
        length = ids.shape[1]
        if length > self.max_tokens:
            raise ValueError(
                f"ids has {length} tokens a text but the encoder reads at most {self.max_tokens}; "
                "tokenize with max_tokens set to that"
            )
        earlier = torch.ones(length, length, dtype=torch.bool, device=ids.device).tril()
        readable = valid[:, None, None] & earlier  # [K, 1, T, T]
        x = self.token_embedding(ids) + self.position_embedding.weight[:length]
        for layer in self.layers:
            x = layer(x, readable)
        return self.norm(x)


class ClipTextLayer(nn.Module):
    """One pre-norm transformer layer of CLIP."""

    def __init__(self, config: ClipTextConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width)
        self.attention = Attention(config.width, num_heads=config.num_heads)
        self.mlp_norm = nn.LayerNorm(config.width)
        self.expand = nn.Linear(config.width, config.mlp_width)
        self.reduce = nn.Linear(config.mlp_width, config.width)
        self._initialise(config.width, config.num_layers)

    def _initialise(self, width: int, num_layers: int) -> None:
        """Draw weights as `CLIP.initialize_parameters` of https://github.com/openai/CLIP does.

        What is added to the residual stream shrinks with the depth, so that its sum does not grow.
        """
        for linear in (self.attention.query, self.attention.key, self.attention.value):
            nn.init.normal_(linear.weight, std=width**-0.5)
        for linear in (self.attention.out, self.reduce):
            nn.init.normal_(linear.weight, std=(2 * width * num_layers) ** -0.5)
        nn.init.normal_(self.expand.weight, std=(2 * width) ** -0.5)

    def forward(self, x: Tensor, readable: Tensor) -> Tensor:
        """Return the tokens after reading each other.

        x         [K, T, C]
        readable  [K, 1, T, T]  bool, True where the token of the third axis may read
        """
        own = self.attention_norm(x)
        x = x + self.attention(own, own, own, readable=readable)
        return x + self.reduce(quick_gelu(self.expand(self.mlp_norm(x))))
