"""GLEE: detect, segment, name, refer to and track any object in images and videos.

Names are imported when they are first used, so that `glee --help` need not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glee.draw import draw_instances
    from glee.inference.load import load
    from glee.inference.predictor import EncodedImage, Predictor
    from glee.inference.text import Vocabulary
    from glee.model.convert import convert_file
    from glee.prompts import Prompts
    from glee.results import Instances, VideoFrame
    from glee.video.pipeline import track
    from glee.video.session import VideoSession

__version__ = "0.1.0"

_HOMES = {
    "EncodedImage": "glee.inference.predictor",
    "Instances": "glee.results",
    "Predictor": "glee.inference.predictor",
    "Prompts": "glee.prompts",
    "VideoFrame": "glee.results",
    "VideoSession": "glee.video.session",
    "Vocabulary": "glee.inference.text",
    "convert_file": "glee.model.convert",
    "draw_instances": "glee.draw",
    "load": "glee.inference.load",
    "track": "glee.video.pipeline",
}

__all__ = [
    "EncodedImage",
    "Instances",
    "Predictor",
    "Prompts",
    "VideoFrame",
    "VideoSession",
    "Vocabulary",
    "convert_file",
    "draw_instances",
    "load",
    "track",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'glee' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
