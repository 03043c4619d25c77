"""Texts to token ids; the vocabularies of CLIP and MiniLM ship with the package."""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import tokenizers
import torch
from tokenizers import AddedToken, Regex, models, normalizers, pre_tokenizers
from torch import Tensor

# Contractions, runs of letters, single digits and runs of anything else are words of their own;
# white space only divides them.
_CLIP_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_CLIP_START, _CLIP_END = "<|startoftext|>", "<|endoftext|>"
_WORD_END = "</w>"

_BERT_PADDING, _BERT_UNKNOWN, _BERT_START, _BERT_END = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
_BERT_SPECIAL = (_BERT_PADDING, _BERT_UNKNOWN, _BERT_START, _BERT_END, "[MASK]")


def clip_tokenizer() -> "Tokenizer":
    """Read the packaged vocabulary and return CLIP's tokenizer.

    CLIP (arXiv:2103.00020, "Choosing and Pre-Training a Model"): lower-cased byte-pair encoding
    with a vocabulary of 49,408. Normalisation, and padding with the end token, are those of
    `CLIPTokenizer` in Hugging Face transformers, with which the released GLEE was trained.
    """
    merges = _clip_merges()
    # In order of code point, the 256 characters that stand for bytes have the ids 0 to 255.
    characters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [
        *characters,
        *(character + _WORD_END for character in characters),
        *(left + right for left, right in merges),
        _CLIP_START,
        _CLIP_END,
    ]
    ids = {token: index for index, token in enumerate(tokens)}
    pieces = tokenizers.Tokenizer(models.BPE(ids, merges, end_of_word_suffix=_WORD_END))
    pieces.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    pieces.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_CLIP_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    # As in CLIP, a text that spells out a special token contains it.
    pieces.add_special_tokens([AddedToken(token) for token in (_CLIP_START, _CLIP_END)])
    return Tokenizer(pieces, start=ids[_CLIP_START], end=ids[_CLIP_END], padding=ids[_CLIP_END])


def _clip_merges() -> list[tuple[str, str]]:
    """Read the pairs of pieces that CLIP joins, most frequent first."""
    lines = _packaged_lines("clip_merges.txt.gz")
    return [(left, right) for left, right in (line.split(" ") for line in lines)]


def wordpiece_tokenizer() -> "Tokenizer":
    """Read the packaged vocabulary and return MiniLM's tokenizer.

    BERT (arXiv:1810.04805), uncased: words are lower-cased, lose their accents, and are divided
    into the longest pieces of a vocabulary of 30,522; those that continue a word begin with ##.
    """
    ids = {token: index for index, token in enumerate(_packaged_lines("minilm_words.txt.gz"))}
    model = models.WordPiece(ids, unk_token=_BERT_UNKNOWN, max_input_chars_per_word=100)
    pieces = tokenizers.Tokenizer(model)
    pieces.normalizer = normalizers.BertNormalizer(lowercase=True)
    pieces.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    # As published, a text that spells out a special token contains it.
    pieces.add_special_tokens([AddedToken(token) for token in _BERT_SPECIAL])
    return Tokenizer(pieces, start=ids[_BERT_START], end=ids[_BERT_END], padding=ids[_BERT_PADDING])


def _packaged_lines(name: str) -> list[str]:
    file = resources.files(__package__) / name
    return gzip.decompress(file.read_bytes()).decode().splitlines()


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Token ids of K texts, padded at their end to T tokens.

    ids    [K, T] int64
    valid  [K, T] bool, True from the start token up to and including the end token
    """

    ids: Tensor
    valid: Tensor


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """Turns texts into the token ids that one text encoder reads.

    `pieces` splits a text into ids without special tokens around them; `start`, `end` and
    `padding` are the ids that enclose each text and fill the batch.
    """

    pieces: tokenizers.Tokenizer
    start: int
    end: int
    padding: int

    def encode(
        self, texts: Sequence[str], *, max_tokens: int, pad_to: int | None = None
    ) -> TokenBatch:
        """Tokenize K texts, each as start token, words, end token.

        Of a text longer than `max_tokens` the last words are dropped, never the end token. The
        batch is as long as its longest text, or `pad_to` tokens if that is more.

        Raises ValueError if `max_tokens` has no room for the start and the end token.
        """
        if max_tokens < 2:  # noqa: PLR2004  # the start and the end token
            raise ValueError(f"max_tokens must be at least 2 (start and end), got {max_tokens}")
        # One by one: encode_batch starts threads, after which a fork, as by data loaders, warns.
        words = [self.pieces.encode(text, add_special_tokens=False).ids for text in texts]
        rows = [[self.start, *ids[: max_tokens - 2], self.end] for ids in words]
        lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
        longest = max([pad_to or 0, *(len(row) for row in rows)])
        ids = [row + [self.padding] * (longest - len(row)) for row in rows]
        return TokenBatch(
            ids=torch.tensor(ids, dtype=torch.int64).reshape(len(rows), longest),
            valid=torch.arange(longest) < lengths[:, None],
        )
