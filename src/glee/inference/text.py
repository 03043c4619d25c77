"""Text, encoded once: a list of names becomes a Vocabulary; expressions share the cache."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from glee.files import replacing
from glee.model.glee import GLEE
from glee.model.interfaces import TextTokens
from glee.model.text.clip import encode_texts
from glee.model.text.tokenizer import Tokenizer

FORMAT = "glee-vocabulary-1"

NAMES_KEPT = 50_000
VOCABULARIES_KEPT = 4

_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A list of names, encoded for one network; may be given wherever the names may.

    names    K of them, which labels index
    tokens   [L, C]  tokens of all names, one after the other, without padding
    lengths  tokens of each name; their sum is L
    prompt   what the network reads: class embeddings, and tokens folded into its early fusion
    text_id  fingerprint of the text encoder that made the tokens
    """

    names: tuple[str, ...]
    tokens: Tensor
    lengths: tuple[int, ...]
    prompt: TextTokens
    text_id: str

    def __len__(self) -> int:
        return len(self.names)

    def save(self, path: str | Path) -> None:
        """Write names and tokens (1 KB a token); loading folds them again."""
        metadata = {"format": FORMAT, "names": json.dumps(self.names), "text_id": self.text_id}
        tensors = {"tokens": self.tokens.cpu(), "lengths": torch.tensor(self.lengths)}
        with replacing(Path(path)) as beside:
            save_file(tensors, beside, metadata)


class TextCache:
    """Encodes text for one network, each name once.

    The names and vocabularies used last are kept.
    """

    def __init__(self, model: GLEE, tokenizer: Tokenizer) -> None:
        self.model, self.tokenizer = model, tokenizer
        self._tokens: OrderedDict[str, Tensor] = OrderedDict()
        self._vocabularies: OrderedDict[tuple[str, ...], Vocabulary] = OrderedDict()
        self._text_id = _fingerprint(model)

    @torch.no_grad()
    def vocabulary(self, names: Sequence[str]) -> Vocabulary:
        """Return a list of names encoded; only those not seen before pass the text encoder."""
        key = tuple(names)
        if key not in self._vocabularies:
            tokens = self._encode(key)
            lengths = tuple(len(own) for own in tokens)
            self._vocabularies[key] = self._fold(key, torch.cat(tokens), lengths)
        return _keep_last(self._vocabularies, key, VOCABULARIES_KEPT)

    @torch.no_grad()
    def expressions(self, texts: Sequence[str]) -> TextTokens:
        """Return expressions, encoded, one row each."""
        length = self.model.config.text.max_tokens
        batch = self.tokenizer.encode(texts, max_tokens=length, pad_to=length)
        device = self._device
        valid = batch.valid.to(device)
        return self.model.expression_prompt(
            self.model.project_text(batch.ids.to(device), valid), valid
        )

    @torch.no_grad()
    def load(self, path: str | Path) -> Vocabulary:
        """Read a vocabulary that was saved for this network.

        Raises FileNotFoundError if there is no such file, ValueError if it is no vocabulary or
        was made by another text encoder.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"vocabulary not found: {path}")
        try:
            with safe_open(path, "pt") as file:
                metadata = file.metadata() or {}
                if metadata.get("format") != FORMAT:
                    raise ValueError(f"{path} is no saved vocabulary of this library")
                tokens, lengths = file.get_tensor("tokens"), file.get_tensor("lengths")
        except SafetensorError as error:
            raise ValueError(f"{path} is no vocabulary, or is cut short: {error}") from error
        if metadata["text_id"] != self._text_id:
            raise ValueError(
                f"{path} was made by another text encoder than this network's; "
                "encode its names again with predictor.vocabulary(names)"
            )
        names = tuple(json.loads(metadata["names"]))
        return self._fold(names, tokens.to(self._device), tuple(lengths.tolist()))

    @property
    def _device(self) -> torch.device:
        return self.model.text_projection.weight.device

    def _encode(self, names: Sequence[str]) -> list[Tensor]:
        """Return the projected tokens [T_k, C] of each name."""
        new = [name for name in dict.fromkeys(names) if name not in self._tokens]
        hidden = encode_texts(self.model.text_encoder, self.tokenizer, new)
        fresh = {n: self.model.text_projection(h) for n, h in zip(new, hidden, strict=True)}
        found = [fresh[name] if name in fresh else self._tokens[name] for name in names]
        for name, tokens in zip(names, found, strict=True):
            self._tokens[name] = tokens
            _keep_last(self._tokens, name, NAMES_KEPT)
        return found

    def _fold(self, names: tuple[str, ...], tokens: Tensor, lengths: tuple[int, ...]) -> Vocabulary:
        """Prepare tokens [L, C] for early fusion and average those of each name."""
        parts = tokens.split(list(lengths))
        classes = torch.stack([part.mean(0) for part in parts])
        prompt = self.model.names_prompt(tokens, classes)
        return Vocabulary(names, tokens, lengths, prompt, self._text_id)


def _keep_last(cache: OrderedDict[_K, _V], key: _K, limit: int) -> _V:
    """Mark an entry as the last one used, drop the oldest beyond a limit, return the entry."""
    cache.move_to_end(key)
    while len(cache) > limit:
        cache.popitem(last=False)
    return cache[key]


def _fingerprint(model: GLEE) -> str:
    """Return a hash of values out of every text parameter: any training changes all of them."""
    digest = hashlib.sha256()
    for part in (model.text_encoder, model.text_projection):
        for parameter in part.parameters():
            digest.update(parameter.detach().flatten()[:256].float().cpu().numpy().tobytes())
    return digest.hexdigest()
