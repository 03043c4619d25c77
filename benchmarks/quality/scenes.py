"""Composed scenes that show names held out of training, among others."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from numpy.random import Generator

from glee import Predictor
from glee.data.corpus.backdrop import draw_backdrop, usable
from glee.data.corpus.choice import Choice
from glee.data.corpus.compose import arrange, draw_size, finish
from glee.data.corpus.draws import generator
from glee.data.corpus.packs import Cutout, read_backgrounds, read_cutouts
from glee.data.corpus.pictures import Pictures
from glee.data.corpus.words import HELD_OUT_WORDS
from glee.data.schema import Frame
from glee.images import load_image
from glee.ops.boxes import xyxy_to_xywh
from quality.photos import detection_values

Json = dict[str, Any]

SEED = 20_231_209
"""Of the scenes; training never draws from it."""

MOST_UNSEEN, MOST_DISTRACTORS = 2, 5

KINDS = ("photo", "render")
"""Kinds of cut-outs that scenes show; emoji and drawings are left out."""


class Composer:
    """Puts cut-outs on backgrounds as training does, named as they are in the index."""

    def __init__(self, root: Path) -> None:
        rows = [row for row in read_cutouts(root) if row.kind in KINDS]
        self.pictures, self.backgrounds = Pictures(root), usable(read_backgrounds(root))
        self.seen = Choice([row for row in rows if not row.held_out])
        self._unseen: dict[str, list[Cutout]] = {word: [] for word in HELD_OUT_WORDS}
        for row in rows:
            if (word := held_out_word(row.name)) is not None:
                self._unseen[word].append(row)

    def unseen_scene(self, index: int) -> Frame:
        """Return a scene of one or two held-out objects among others."""
        rng = generator(SEED, index)
        while True:  # until it is not hidden by the others
            frame = self._compose(self._draw_unseen(index, rng), rng)
            if set(frame.names) & set(HELD_OUT_WORDS):
                return frame

    def _draw_unseen(self, index: int, rng: Generator) -> list[Cutout]:
        words = [word for word, rows in self._unseen.items() if rows]
        rows: list[Cutout] = []
        for _ in range(int(rng.integers(1, MOST_UNSEEN + 1))):
            # The words take turns, so that each is shown about as often.
            word = words[index % len(words)] if not rows else words[int(rng.integers(len(words)))]
            rows.append(self._unseen[word][int(rng.integers(len(self._unseen[word])))])
        return rows + self.seen.draw_several(int(rng.integers(1, MOST_DISTRACTORS + 1)), rng)

    def _compose(self, rows: Sequence[Cutout], rng: Generator) -> Frame:
        size = draw_size(rng)
        backdrop = draw_backdrop(self.pictures, self.backgrounds, size, rng)
        arrangement = arrange(self.pictures, rows, size, rng)
        names = [held_out_word(row.name) or row.name for row in arrangement.rows]
        return finish(arrangement, backdrop, names, rng)


def held_out_word(name: str) -> str | None:
    """Return the held-out word that a name has, None if it has none."""
    return next((word for word in HELD_OUT_WORDS if word in name), None)


def unseen_scenes(root: Path, count: int) -> list[Frame]:
    """Return scenes that show each of the names held out of training, among others."""
    composer = Composer(root)
    return [composer.unseen_scene(index) for index in range(count)]


def unseen_values(predictor: Predictor, frames: Sequence[Frame]) -> dict[str, float]:
    """Return AP of the names held out of training, all of them asked for in each scene."""
    data = to_coco(frames, HELD_OUT_WORDS)
    vocabulary, results = predictor.vocabulary(HELD_OUT_WORDS), []
    for image, frame in zip(data["images"], frames, strict=True):
        found = predictor.predict(load_image(frame.image), vocabulary, scoring="pair")
        results += found.to_coco(image["id"], range(1, len(HELD_OUT_WORDS) + 1))
    counts = {"scenes": float(len(frames)), "objects": float(len(data["annotations"]))}
    return {**counts, **detection_values(data, results, masks=True)}


def to_coco(frames: Sequence[Frame], names: Sequence[str]) -> Json:
    """Return the objects of some names in COCO's format; ids count from 1."""
    entries: list[Json] = []
    for number, frame in enumerate(frames, 1):
        boxes = xyxy_to_xywh(torch.from_numpy(frame.boxes)).tolist()
        for name, box, mask in zip(frame.names, boxes, frame.masks or (), strict=True):
            if name not in names:
                continue
            entry = {"id": len(entries) + 1, "image_id": number, "iscrowd": 0}
            entry |= {"category_id": names.index(name) + 1, "area": box[2] * box[3]}
            entries.append({**entry, "bbox": box, "segmentation": mask})
    sizes = [frame.size for frame in frames]
    return {
        "images": [{"id": n, "height": h, "width": w} for n, (h, w) in enumerate(sizes, 1)],
        "categories": [{"id": n, "name": name} for n, name in enumerate(names, 1)],
        "annotations": entries,
    }
