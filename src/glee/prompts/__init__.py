"""Prompts: what to look for, as names, expressions or marks on the image."""

from glee.prompts.marks import BoxMark, Mark, MaskMark, Point, PointMark, ScribbleMark
from glee.prompts.prompt import Prompts
from glee.prompts.text import clean_expression

__all__ = [
    "BoxMark",
    "Mark",
    "MaskMark",
    "Point",
    "PointMark",
    "Prompts",
    "ScribbleMark",
    "clean_expression",
]
