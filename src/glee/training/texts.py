"""The texts of a training batch, encoded so that what is trained of it learns."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor

from glee.model.glee import GLEE
from glee.model.interfaces import TextTokens
from glee.model.text.build import build_tokenizer
from glee.model.text.clip import encode_texts, pool_tokens
from glee.model.text.encoder import TextEncoder
from glee.model.text.tokenizer import Tokenizer
from glee.training.config import TrainConfig
from glee.training.distillation import EncodedTexts, frozen_copy

TEXTS_KEPT = 20_000
"""Texts of a frozen encoder whose hidden states are kept, about 10 KB each."""


class FrozenTexts:
    """Reads texts with an encoder that does not learn; what was read once is kept."""

    def __init__(self, model: GLEE, tokenizer: Tokenizer) -> None:
        self.model, self.tokenizer = model, tokenizer
        self._hidden: OrderedDict[str, Tensor] = OrderedDict()

    def names(self, names: Sequence[str]) -> tuple[TextTokens, EncodedTexts | None]:
        """Return the prompt of a list of names, and nothing to distil."""
        hidden = self._read(names)
        lengths = [len(own) for own in hidden]
        tokens = self.model.text_projection(torch.cat(hidden))
        classes = torch.stack([part.mean(0) for part in tokens.split(lengths)])
        return self.model.names_prompt(tokens, classes), None

    def expressions(self, texts: Sequence[str]) -> TextTokens:
        """Return the prompt of one expression per image."""
        hidden = self._read(texts)
        length = self.model.config.text.max_tokens
        padded = hidden[0].new_zeros(len(hidden), length, hidden[0].shape[1])
        valid = torch.zeros(len(hidden), length, dtype=torch.bool, device=padded.device)
        for row, own in enumerate(hidden):
            padded[row, : len(own)] = own
            valid[row, : len(own)] = True
        return self.model.expression_prompt(self.model.text_projection(padded), valid)

    @torch.no_grad()
    def _read(self, texts: Sequence[str]) -> list[Tensor]:
        new = [text for text in dict.fromkeys(texts) if text not in self._hidden]
        with torch.autocast(self.model.text_encoder.device.type, enabled=False):
            # Each by itself: what else is in a batch changes the last bits, and a run that goes on
            # after an interruption reads texts in other company.
            for text in new:
                self._hidden |= {text: self._encode(text)}
        found = [self._hidden[text] for text in texts]
        while len(self._hidden) > TEXTS_KEPT:
            self._hidden.popitem(last=False)
        return found

    def _encode(self, text: str) -> Tensor:
        (hidden,) = encode_texts(self.model.text_encoder, self.tokenizer, [text])
        return hidden


class TrainedTexts:
    """Reads texts with an encoder that learns, beside the frozen one that it should stay near.

    Without a teacher nothing keeps it near its start.
    """

    def __init__(self, model: GLEE, tokenizer: Tokenizer, teacher: TextEncoder | None) -> None:
        self.model, self.tokenizer, self.teacher = model, tokenizer, teacher

    def names(self, names: Sequence[str]) -> tuple[TextTokens, EncodedTexts | None]:
        """Return the prompt of a list of names, and their encodings to compare."""
        encoder = self.model.text_encoder
        batch = self.tokenizer.encode(names, max_tokens=encoder.max_tokens)
        ids, valid = batch.ids.to(encoder.device), batch.valid.to(encoder.device)
        hidden = encoder(ids, valid)
        tokens = self.model.text_projection(hidden)
        prompt = self.model.names_prompt(tokens[valid], pool_tokens(tokens, valid))
        if self.teacher is None:
            return prompt, None
        with torch.no_grad():
            frozen = self.teacher(ids, valid)
        return prompt, EncodedTexts(hidden, frozen, valid)

    def expressions(self, texts: Sequence[str]) -> TextTokens:
        """Return the prompt of one expression per image."""
        encoder = self.model.text_encoder
        length = encoder.max_tokens
        batch = self.tokenizer.encode(texts, max_tokens=length, pad_to=length)
        valid = batch.valid.to(encoder.device)
        tokens = self.model.project_text(batch.ids.to(encoder.device), valid)
        return self.model.expression_prompt(tokens, valid)


def build_texts(model: GLEE, config: TrainConfig) -> FrozenTexts | TrainedTexts:
    """Return what reads the texts of a run: by an encoder that learns if its rate is not 0."""
    tokenizer = build_tokenizer(model.config.text)
    if not config.optimizer.text:
        return FrozenTexts(model, tokenizer)
    teacher = frozen_copy(model.text_encoder) if config.criterion.distillation else None
    return TrainedTexts(model, tokenizer, teacher)
