"""From a backbone's configuration to the backbone."""

from torch import nn

from glee.config import (
    BackboneConfig,
    CspConfig,
    EfficientNetConfig,
    Eva02Config,
    PairConfig,
    ResNetConfig,
    SwinConfig,
)
from glee.model.backbones.csp import CspNet
from glee.model.backbones.efficientnet import EfficientNet
from glee.model.backbones.eva02 import Eva02
from glee.model.backbones.pair import Pair
from glee.model.backbones.resnet import ResNet
from glee.model.backbones.swin import Swin


def build_backbone(config: BackboneConfig) -> nn.Module:
    """Return the image encoder, pixels [B, 3, H, W] -> FeaturePyramid, of a configuration."""
    match config:
        case ResNetConfig():
            return ResNet(config)
        case SwinConfig():
            return Swin(config)
        case Eva02Config():
            return Eva02(config)
        case EfficientNetConfig():
            return EfficientNet(config)
        case CspConfig():
            return CspNet(config)
        case PairConfig():
            return Pair(config)
