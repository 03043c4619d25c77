"""From a configuration to a network."""

from glee.config import GleeConfig
from glee.model.backbones.build import build_backbone
from glee.model.glee import GLEE
from glee.model.text.clip import ClipText


def build_glee(config: GleeConfig) -> GLEE:
    """Return the network of a configuration, with initial weights."""
    return GLEE(config, build_backbone(config.backbone), ClipText(config.text))
