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
from glee.model.text.dictionary import define
from glee.model.text.tokenizer import Tokenizer

FORMAT = "glee-vocabulary-1"

NAMES_KEPT = 50_000
EXPRESSIONS_KEPT = 500
FOLDED_TOKENS_KEPT = 8_000  # 130 MB, of all vocabularies but the last

_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Vocabulary:
    """A list of names, encoded for one network; may be given wherever the names may.

    names    K of them, which labels index
    tokens   [L, C]  tokens of all names, one after the other, without padding
    lengths  tokens of each name; their sum is L
    prompt   what the network reads: class embeddings, and tokens folded into its early fusion
    network  fingerprint of the network that it is for
    """

    names: tuple[str, ...]
    tokens: Tensor
    lengths: tuple[int, ...]
    prompt: TextTokens
    network: str

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"<Vocabulary: {len(self)} names, {len(self.tokens)} tokens>"

    def save(self, path: str | Path) -> None:
        """Write names, tokens (1 KB a token) and meanings; loading folds the tokens again."""
        metadata = {"format": FORMAT, "names": json.dumps(self.names), "network": self.network}
        tensors = {"tokens": self.tokens.cpu(), "lengths": torch.tensor(self.lengths)}
        if self.prompt.meanings is not None:
            tensors["meanings"] = self.prompt.meanings[0].cpu()
        with replacing(Path(path).expanduser()) as beside:
            save_file(tensors, beside, metadata)


class TextCache:
    """Encodes text for one network, each name and expression once.

    What was used last is kept.
    """

    def __init__(self, model: GLEE, tokenizer: Tokenizer) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.network = fingerprint(model)
        self._names: OrderedDict[str, Tensor] = OrderedDict()
        self._meanings: OrderedDict[str, Tensor] = OrderedDict()
        self._expressions: OrderedDict[str, tuple[Tensor, Tensor]] = OrderedDict()
        self._vocabularies: OrderedDict[tuple[str, ...], Vocabulary] = OrderedDict()

    @torch.no_grad()
    def vocabulary(self, names: Sequence[str]) -> Vocabulary:
        """Return a list of names encoded; only those not seen before pass the text encoder."""
        key = tuple(names)
        if key not in self._vocabularies:
            tokens = self._encode_names(key)
            lengths = tuple(len(own) for own in tokens)
            self._vocabularies[key] = self._fold(key, torch.cat(tokens), lengths)
        self._vocabularies.move_to_end(key)
        while self._tokens_folded() > FOLDED_TOKENS_KEPT and len(self._vocabularies) > 1:
            self._vocabularies.popitem(last=False)
        return self._vocabularies[key]

    @torch.no_grad()
    def expressions(self, texts: Sequence[str]) -> TextTokens:
        """Return expressions, encoded, one row each."""
        new = [text for text in dict.fromkeys(texts) if text not in self._expressions]
        if new:
            length = self.model.config.text.max_tokens
            batch = self.tokenizer.encode(new, max_tokens=length, pad_to=length)
            valid = batch.valid.to(self._device)
            with self._exactly():
                tokens = self.model.project_text(batch.ids.to(self._device), valid)
            rows = zip(tokens, valid, strict=True)
            self._expressions |= dict(zip(new, rows, strict=True))
        found = [self._expressions[text] for text in texts]
        for text in texts:
            _keep_last(self._expressions, text, EXPRESSIONS_KEPT)
        tokens = torch.stack([own for own, _ in found])
        with self._exactly():
            return self.model.expression_prompt(tokens, torch.stack([real for _, real in found]))

    @torch.no_grad()
    def load(self, path: str | Path) -> Vocabulary:
        """Read a vocabulary that was saved for this network.

        Raises FileNotFoundError if there is no such file, ValueError if it is no vocabulary or
        was made for another network.
        """
        names, tokens, lengths, meanings, network = _read(Path(path).expanduser())
        if network != self.network:
            raise ValueError(
                f"{path} was made for another network than this; encode its names again with "
                "predictor.vocabulary(names)"
            )
        if meanings is not None:
            self._meanings |= dict(zip(names, meanings.to(self._device), strict=True))
        return self._fold(names, tokens.to(self._device), lengths)

    @property
    def _device(self) -> torch.device:
        return self.model.text_projection.weight.device

    def _exactly(self) -> torch.autocast:
        """Compute in the dtype of the weights, whatever the caller's context says."""
        return torch.autocast(self._device.type, enabled=False)

    def _tokens_folded(self) -> int:
        return sum(len(vocabulary.tokens) for vocabulary in self._vocabularies.values())

    def _encode_names(self, names: Sequence[str]) -> list[Tensor]:
        """Return the projected tokens [T_k, C] of each name."""
        new = [name for name in dict.fromkeys(names) if name not in self._names]
        with self._exactly():
            hidden = encode_texts(self.model.text_encoder, self.tokenizer, new)
            fresh = {n: self.model.text_projection(h) for n, h in zip(new, hidden, strict=True)}
        found = [fresh[name] if name in fresh else self._names[name] for name in names]
        for name, tokens in zip(names, found, strict=True):
            self._names[name] = tokens
            _keep_last(self._names, name, NAMES_KEPT)
        return found

    def _encode_meanings(self, names: Sequence[str]) -> Tensor | None:
        """Return what a dictionary says of each name [K, C], if the network reads that."""
        if self.model.glances is None:
            return None
        new = [name for name in dict.fromkeys(names) if name not in self._meanings]
        texts = [define(name) for name in new]
        hidden = encode_texts(self.model.text_encoder, self.tokenizer, texts)
        fresh = [self.model.text_projection(h).mean(0) for h in hidden]
        self._meanings |= dict(zip(new, fresh, strict=True))
        found = torch.stack([self._meanings[name] for name in names])
        for name in names:
            _keep_last(self._meanings, name, NAMES_KEPT)
        return found

    def _fold(self, names: tuple[str, ...], tokens: Tensor, lengths: tuple[int, ...]) -> Vocabulary:
        """Prepare tokens [L, C] for early fusion and average those of each name."""
        parts = tokens.split(list(lengths))
        classes = torch.stack([part.mean(0) for part in parts])
        with self._exactly():
            prompt = self.model.names_prompt(tokens, classes, self._encode_meanings(names))
        return Vocabulary(names, tokens, lengths, prompt, self.network)


def fingerprint(model: GLEE) -> str:
    """Return a hash of values out of every parameter: any training changes all of them."""
    digest = hashlib.sha256()
    for parameter in model.parameters():
        digest.update(parameter.detach().flatten()[:64].float().cpu().numpy().tobytes())
    return digest.hexdigest()


def _read(path: Path) -> tuple[tuple[str, ...], Tensor, tuple[int, ...], Tensor | None, str]:
    """Return names, tokens, lengths, meanings if there are such, and network of a vocabulary."""
    if not path.is_file():
        raise FileNotFoundError(f"vocabulary not found: {path}")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError("it is not a saved vocabulary of this library")
            tokens, lengths = file.get_tensor("tokens"), file.get_tensor("lengths").tolist()
            names = tuple(json.loads(metadata["names"]))
            meanings = file.get_tensor("meanings") if "meanings" in file.keys() else None  # noqa: SIM118
            if len(names) != len(lengths) or sum(lengths) != len(tokens) or min(lengths) < 1:
                raise ValueError("its names, lengths and tokens disagree")
            if meanings is not None and meanings.shape != (len(names), tokens.shape[1]):
                raise ValueError("its names and meanings disagree")
            return names, tokens, tuple(lengths), meanings, metadata["network"]
    except (SafetensorError, ValueError, KeyError) as error:
        raise ValueError(f"{path} is no vocabulary, or is damaged: {error}") from error


def _keep_last(cache: OrderedDict[_K, _V], key: _K, limit: int) -> None:
    """Mark an entry as the last one used, and drop the oldest ones beyond a limit."""
    if key in cache:
        cache.move_to_end(key)
    while len(cache) > limit:
        cache.popitem(last=False)
