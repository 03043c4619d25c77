"""From a configuration to a network."""

from glee.config import GleeConfig
from glee.model.backbones.build import build_backbone
from glee.model.glee import GLEE
from glee.model.text.build import build_text_encoder


def build_glee(config: GleeConfig) -> GLEE:
    """Return the network of a configuration, with initial weights."""
    return GLEE(config, build_backbone(config.backbone), build_text_encoder(config.text))
