"""Store what nano's second look sees of the objects of composed scenes and photos.

    python tools/glance_store.py MODEL.safetensors --data PACKS --out STORE [--parts 40]

Each part is a file of some hundred pictures; those that are there are not made again, so that the
command goes on where it was stopped, and several may work on other parts (--first) at once.
tools/learn_glances.py learns from them.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from numpy.random import Generator
from torch import Tensor
from tqdm import tqdm

import glee
from glee import Predictor, Prompts
from glee.config import GlanceConfig
from glee.data.corpus.compose import finish
from glee.data.corpus.draws import generator
from glee.data.corpus.expressions import ExpressionSamples, PhotoExpressions
from glee.data.schema import BadSampleError, Frame
from glee.files import replacing
from glee.model.backbones.pair import Pair
from glee.model.glances import Glances, choose_boxes
from glee.ops.boxes import cxcywh_to_xyxy, pairwise_iou

SEED = 4242
"""Of the pictures; the evaluation draws from another."""

SCENES, PHOTOS = 100, 12
"""Pictures of each kind in a part."""

ROUNDS = 6
"""How often all objects of a scene are described, each time by other words."""

VIEWS = 4
"""Objects of a picture that are described to the network, each alone, as in use."""

BOXES = 16
"""Best boxes of a view that are looked at."""

SAME_LOOK = 0.9
"""Overlap from which on boxes of several views count as one."""

Record = dict[str, Any]
"""A picture, as `Collector` stores it.

names     the names of its objects [O]
boxes     [U, 4]  cxcywh in 0..1 of the network's input
seen      [U, E]  what is seen in them
color     [U, P]  their colours
overlaps  [U, O]  with the boxes of the objects
views     what was found for a text: `looks` [G], rows of these boxes, best first, what the network
          said of them, `before` [G], which object is meant, `target`, and `texts` that say so
"""


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """A picture, the names of its objects, and texts that mean one of these, by its row."""

    frame: Frame
    names: list[str]
    texts: dict[int, list[str]]


class Collector:
    """Looks at pictures with one network."""

    def __init__(self, predictor: Predictor, data: Path) -> None:
        backbone = predictor.model.backbone
        if not isinstance(backbone, Pair):
            raise ValueError(f"the network must have nano's image encoder, got {type(backbone)}")
        self.predictor, self.backbone = predictor, backbone
        config = predictor.model.config
        self.glances = Glances(
            config.glances or GlanceConfig(), config.backbone.concepts, config.width
        )
        self.scenes = ExpressionSamples(data, seed=SEED)
        self.photos = PhotoExpressions(data, seed=SEED)

    def part(self, number: int) -> list[Record]:
        """Return what is seen in the pictures of one part."""
        scenes = (self._scene(n) for n in range(number * SCENES, (number + 1) * SCENES))
        photos = (self._photo(n) for n in range(number * PHOTOS, (number + 1) * PHOTOS))
        return [self._look(one) for one in chain(scenes, photos) if one is not None]

    def _scene(self, number: int) -> Described | None:
        rng = generator(SEED, number)
        arrangement, backdrop = self.scenes.draw(rng)
        said: dict[str, int] = {}
        for _ in range(ROUNDS):
            phrases, _ = self.scenes.describe_each(arrangement, backdrop, rng)
            said |= {phrase: row for row, phrase in phrases.items() if phrase not in said}
        rows = [str(row) for row in range(len(arrangement.rows))]
        frame = finish(arrangement, backdrop, rows, rng)
        places = {int(name): place for place, name in enumerate(frame.names)}
        texts: dict[int, list[str]] = {}
        for text, row in said.items():
            if row in places:
                texts.setdefault(places[row], []).append(text)
        names = [arrangement.rows[int(name)].name for name in frame.names]
        return Described(frame, names, _some(texts, rng)) if texts else None

    def _photo(self, number: int) -> Described | None:
        try:
            sample = self.photos[number]
        except BadSampleError:
            return None
        frame = sample.frames[0]
        if len(frame) != 1:
            return None
        return Described(frame, [""], {0: list(sample.expressions)})

    @torch.no_grad()
    def _look(self, one: Described) -> Record:
        """Return the boxes found for the texts, how they fit the objects, and what is in them."""
        encoded = self.predictor.encode(one.frame.image)
        prompts = Prompts(expression=[texts[0] for texts in one.texts.values()])
        outputs = self.predictor.detect_each(encoded, prompts, masks=False, second_look=False)
        found = [batch.final for batch in outputs]
        placed = torch.cat([own.boxes_cxcywh for own in found])
        logits = torch.cat([own.logits for own in found]).squeeze(-1)
        rows, real = choose_boxes(placed, logits, BOXES)
        boxes, views = torch.zeros(0, 4), []
        for view, (target, texts) in enumerate(one.texts.items()):
            best = rows[view, real[view]]
            boxes, looks = join_boxes(boxes, placed[view, best])
            before = logits[view, best].half()
            views.append({"looks": looks, "before": before, "target": target, "texts": texts})
        seen, color = self.glances.see(self.backbone, encoded.features.pixels, boxes[None])
        originals = encoded.geometry.boxes_to_original(boxes, clip=False)
        return {
            "names": one.names,
            "boxes": boxes,
            "seen": seen[0].half(),
            "color": color[0],
            "overlaps": pairwise_iou(originals, torch.from_numpy(one.frame.boxes)).half(),
            "views": views,
        }


def _some(texts: dict[int, list[str]], rng: Generator) -> dict[int, list[str]]:
    """Return those of some of the objects."""
    order = rng.permutation(sorted(texts)).tolist()
    return {row: texts[row] for row in order[:VIEWS]}


def join_boxes(boxes: Tensor, further: Tensor) -> tuple[Tensor, Tensor]:
    """Return boxes with those of `further` that are new, and the rows of all of `further`."""
    if not len(boxes):
        return further, torch.arange(len(further))
    overlap, looks = pairwise_iou(*map(cxcywh_to_xyxy, (further, boxes))).max(dim=1)
    new = overlap < SAME_LOOK
    looks[new] = len(boxes) + torch.arange(int(new.sum()))
    return torch.cat([boxes, further[new]]), looks


def read_store(folders: list[Path]) -> Iterator[Record]:
    """Yield what is stored in some folders.

    Raises FileNotFoundError if there is no part in one of them.
    """
    for folder in folders:
        parts = sorted(folder.glob("part-*.pt"))
        if not parts:
            raise FileNotFoundError(f"{folder} holds no part-*.pt; make it with glance_store.py")
        for part in parts:
            yield from torch.load(part, weights_only=True)


def main() -> None:
    """Read the command line and write the parts that are not there."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="weight file, or nano")
    parser.add_argument("--data", type=Path, required=True, help="folder of the packs")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--parts", type=int, default=40, help="how many there shall be")
    parser.add_argument("--first", type=int, default=0, help="number of the first of them")
    options = parser.parse_args()
    collector = Collector(glee.load(options.model, device="cpu"), options.data)
    options.out.mkdir(parents=True, exist_ok=True)
    for number in tqdm(range(options.first, options.first + options.parts), unit="part"):
        path = options.out / f"part-{number:05}.pt"
        if not path.exists():
            with replacing(path) as beside:
                torch.save(collector.part(number), beside)


if __name__ == "__main__":
    main()
