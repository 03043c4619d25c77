"""Boxes with a phrase each, in COCO's format: GLEE's versions of Visual Genome and GRIT."""

from pathlib import Path

import numpy as np

from glee.data.readers.builder import IndexBuilder, IndexOptions, unique_texts
from glee.data.readers.coco import Json, add_image, fill
from glee.data.readers.columns import Texts
from glee.data.readers.index import ImageIndex
from glee.data.report import Report

PHRASE_FIELDS = ("caption_with_token", "object_name", "caption")
"""Where an annotation may have its phrase; the first that is there counts."""


class Phrases:
    """Numbers phrases as they come; every object has its own."""

    def __init__(self) -> None:
        self._texts = Texts()

    def add(self, phrase: object) -> int | None:
        """Return the number of a phrase, None if there is nothing in it."""
        if not isinstance(phrase, str) or not phrase.strip():
            return None
        self._texts.append(phrase.strip())
        return len(self._texts) - 1

    def finish(self, builder: IndexBuilder) -> ImageIndex:
        """Return the index of a builder whose objects have these numbers."""
        names, rows = unique_texts(self._texts)
        return builder.finish(names, np.asarray(rows))


def read_phrases(
    annotations: Path,
    images: Path,
    *,
    boxes: bool = True,
    machine_made: bool = False,
    fail_fast: bool = False,
) -> ImageIndex:
    """Read images with described boxes.

    annotations   the JSON file in COCO's format, with a phrase in each annotation
    images        the folder that `file_name` is relative to
    boxes         False where boxes are too rough to learn their places from
    machine_made  True where a model has made the annotation
    fail_fast     raise ValueError at the first bad entry

    Which of the phrases of other images fit this one too is not known; they are taken not to.
    Raises FileNotFoundError without the file, ValueError if it is not such JSON.
    """
    options = IndexOptions(coverage="anything", boxes=boxes, machine_made=machine_made)
    builder, phrases = IndexBuilder(images, options, Report(fail_fast)), Phrases()
    fill(
        builder,
        annotations,
        add_image=lambda entry: add_image(builder, entry),
        label_of=lambda entry: phrases.add(phrase_of(entry)),
    )
    return phrases.finish(builder)


def phrase_of(entry: Json) -> object:
    """Return the phrase of an annotation, None if it has none."""
    return next((entry[name] for name in PHRASE_FIELDS if name in entry), None)
