"""From a text configuration to the encoder and the tokenizer that belongs to it."""

from glee.config import ClipTextConfig, MiniLmConfig, TextConfig
from glee.model.text.clip import ClipText
from glee.model.text.encoder import TextEncoder
from glee.model.text.minilm import MiniLmText
from glee.model.text.tokenizer import Tokenizer, clip_tokenizer, wordpiece_tokenizer


def build_text_encoder(config: TextConfig) -> TextEncoder:
    """Return the text encoder of a configuration, with initial weights."""
    match config:
        case ClipTextConfig():
            return ClipText(config)
        case MiniLmConfig():
            return MiniLmText(config)


def build_tokenizer(config: TextConfig) -> Tokenizer:
    """Return the tokenizer whose ids the text encoder of a configuration reads."""
    match config:
        case ClipTextConfig():
            return clip_tokenizer()
        case MiniLmConfig():
            return wordpiece_tokenizer()
