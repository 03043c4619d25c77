"""Store what nano's second look sees in described scenes and photos, and in named objects.

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
from torch import Tensor
from tqdm import tqdm

import glee
from glee import Predictor
from glee.config import GlanceConfig
from glee.data.corpus.compose import finish
from glee.data.corpus.draws import generator
from glee.data.corpus.expressions import ExpressionSamples, PhotoExpressions
from glee.data.corpus.scenes import SceneSamples
from glee.data.schema import BadSampleError, Frame
from glee.files import replacing
from glee.inference.preprocess import ImageGeometry
from glee.model.backbones.pair import Pair
from glee.model.glances import Glances, enlarge
from glee.ops.boxes import pairwise_iou, scale_boxes, xyxy_to_cxcywh

SEED = 4242
"""Of the pictures; the evaluation draws from another."""

DESCRIBED, PHOTOS, NAMED = 100, 20, 150
"""Pictures of each kind in a part."""

ROUNDS = 5
"""How often all objects of a scene are described, each time by other words."""

SHAKE = 0.1
"""By how much, in sides, the boxes of named objects are moved, as those found are."""

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """A picture and texts of which each describes one of its objects.

    targets  for each text, the row of the object in `frame`
    """

    frame: Frame
    texts: list[str]
    targets: list[int]


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
        self.named = SceneSamples(data, seed=SEED)

    def part(self, number: int) -> list[Record]:
        """Return what is seen in the pictures of one part."""
        scenes = (self._scene(n) for n in range(number * DESCRIBED, (number + 1) * DESCRIBED))
        photos = (self._photo(n) for n in range(number * PHOTOS, (number + 1) * PHOTOS))
        described = (self._look(one) for one in chain(scenes, photos) if one is not None)
        named = (self._name(n) for n in range(number * NAMED, (number + 1) * NAMED))
        return [*described, *(record for record in named if record is not None)]

    def _scene(self, number: int) -> Described | None:
        rng = generator(SEED, number)
        arrangement, backdrop = self.scenes.draw(rng)
        texts: dict[str, int] = {}
        for _ in range(ROUNDS):
            phrases, _ = self.scenes.describe_each(arrangement, backdrop, rng)
            texts |= {phrase: row for row, phrase in phrases.items() if phrase not in texts}
        rows = [str(row) for row in range(len(arrangement.rows))]
        frame = finish(arrangement, backdrop, rows, rng)
        places = {int(name): place for place, name in enumerate(frame.names)}
        said = {text: places[row] for text, row in texts.items() if row in places}
        return Described(frame, list(said), list(said.values())) if said else None

    def _photo(self, number: int) -> Described | None:
        try:
            sample = self.photos[number]
        except BadSampleError:
            return None
        if len(sample.frames[0]) != 1:
            return None
        return Described(sample.frames[0], list(sample.expressions), [0] * len(sample.expressions))

    @torch.no_grad()
    def _look(self, one: Described) -> Record:
        """Return the boxes found for the texts, how they fit the objects, and what is in them."""
        encoded = self.predictor.encode(one.frame.image)
        vocabulary = self.predictor.vocabulary(one.texts)
        (outputs,) = self.predictor.detect_each(encoded, vocabulary, masks=False, second_look=False)
        glimpses = self.glances.look(self.backbone, encoded.features.pixels, outputs.final)
        rows, real = glimpses.rows[0], glimpses.real[0]
        found = encoded.geometry.boxes_to_original(glimpses.boxes[0][real], clip=False)
        return {
            "texts": one.texts,
            "targets": one.targets,
            "overlaps": pairwise_iou(found, torch.from_numpy(one.frame.boxes)).half(),
            "before": outputs.final.logits[0, rows[real]].half(),
            "boxes": glimpses.boxes[0][real],
            "seen": glimpses.seen[0][real].half(),
            "color": glimpses.color[0][real],
        }

    @torch.no_grad()
    def _name(self, number: int) -> Record | None:
        """Return what is seen in the boxes of the objects themselves, and what they are called."""
        frame = self.named[number].frames[0]
        if not len(frame):
            return None
        encoded = self.predictor.encode(frame.image)
        boxes = self._shaken(frame, encoded.geometry, number)
        squares, inner = enlarge(encoded.features.pixels, boxes[None], self.glances.config.side)
        return {"names": list(frame.names), "seen": self.backbone.look(squares, inner).half()}

    def _shaken(self, frame: Frame, geometry: ImageGeometry, number: int) -> Tensor:
        """Return the boxes [N, 4] of the objects in the network's input, cxcywh of 0..1."""
        height, width = (
            geometry.content[axis] / geometry.original[axis] / geometry.padded[axis]
            for axis in (0, 1)
        )
        boxes = xyxy_to_cxcywh(scale_boxes(torch.from_numpy(frame.boxes), (height, width)))
        random = torch.rand(boxes.shape, generator=torch.Generator().manual_seed(number))
        moved = boxes + (2 * random - 1) * SHAKE * boxes[:, 2:].repeat(1, 2)
        return moved.float()


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
