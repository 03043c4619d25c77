"""Sizes and choices of every part of the network, and the presets nano, lite, plus, pro, tiny."""

from glee.config.backbones import (
    BackboneConfig,
    ConceptsConfig,
    CspConfig,
    EfficientNetConfig,
    Eva02Config,
    PairConfig,
    ResNetConfig,
    SwinConfig,
)
from glee.config.network import GleeConfig
from glee.config.parts import (
    ClipTextConfig,
    EarlyFusionConfig,
    GlanceConfig,
    MiniLmConfig,
    ObjectDecoderConfig,
    PixelDecoderConfig,
    ResizeConfig,
    TextConfig,
    VisualPromptConfig,
)
from glee.config.presets import lite, nano, plus, pro, tiny

__all__ = [
    "BackboneConfig",
    "ClipTextConfig",
    "ConceptsConfig",
    "CspConfig",
    "EarlyFusionConfig",
    "EfficientNetConfig",
    "Eva02Config",
    "GlanceConfig",
    "GleeConfig",
    "MiniLmConfig",
    "ObjectDecoderConfig",
    "PairConfig",
    "PixelDecoderConfig",
    "ResNetConfig",
    "ResizeConfig",
    "SwinConfig",
    "TextConfig",
    "VisualPromptConfig",
    "lite",
    "nano",
    "plus",
    "pro",
    "tiny",
]
