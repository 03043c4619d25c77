"""The text encoder stays near the one that it started from."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from glee.config import ClipTextConfig
from glee.model.convert import rename
from glee.model.text.clip import ClipText, pool_tokens
from glee.model.text.encoder import TextEncoder

OFFICIAL_TEACHER = "text_encoder_teacher."


@dataclass(frozen=True, slots=True)
class EncodedTexts:
    """Texts as the trained and the frozen encoder see them, before the projection.

    student  [K, T, D]  hidden states
    teacher  [K, T, D]  hidden states, without gradient
    valid    [K, T]     bool, False on padding
    """

    student: Tensor
    teacher: Tensor
    valid: Tensor


def distillation_loss(texts: EncodedTexts, of: Literal["tokens", "texts"]) -> Tensor:
    """Compare trained with frozen encodings.

    of  "tokens": mean squared difference of the hidden states of all valid tokens, as in the
        released code. "texts": mean absolute difference of the means over each text's tokens,
        the distance of sentence encodings that the paper states (arXiv:2312.09158).
    """
    if of == "texts":
        difference = pool_tokens(texts.student, texts.valid) - pool_tokens(
            texts.teacher, texts.valid
        )
        return difference.abs().mean()
    return (texts.student[texts.valid] - texts.teacher[texts.valid]).square().mean()


def frozen_copy(encoder: TextEncoder) -> TextEncoder:
    """Return a copy of a text encoder that is never trained: the teacher of a new training."""
    teacher = copy.deepcopy(encoder)
    for parameter in teacher.parameters():
        parameter.requires_grad_(False)
    return teacher


def released_teacher(training: Mapping[str, Tensor], config: ClipTextConfig) -> ClipText:
    """Return the teacher that came with a released checkpoint.

    training  entries that only training reads, by official names, from `convert_state`

    Raises ValueError if there is none: checkpoints of the first stage, whose text encoder is
    frozen, hold none, and `frozen_copy` of that encoder is its teacher.
    """
    state = {}
    for name, value in training.items():
        if name.startswith(OFFICIAL_TEACHER):
            ours = rename(name.replace(OFFICIAL_TEACHER, "text_encoder.", 1))
            if ours is not None:
                state[ours.removeprefix("text_encoder.")] = value
    if not state:
        raise ValueError(
            "the checkpoint holds no text_encoder_teacher; take frozen_copy of the text encoder"
        )
    teacher = ClipText(config)
    teacher.load_state_dict(state)
    return teacher.eval().requires_grad_(False)
