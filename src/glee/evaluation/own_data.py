"""How well a network finds the objects of annotated samples of any kind: COCO's numbers."""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from glee.data.pixels import load_pixels
from glee.data.schema import Frame, Samples
from glee.evaluation.arrays import FloatArray
from glee.evaluation.detection import coco_scores
from glee.evaluation.objects import Annotations, Catalog, Predictions
from glee.evaluation.regions import Boxes, Masks, Regions
from glee.evaluation.scores import Scores
from glee.inference.predictor import Predictor
from glee.model.glee import GLEE
from glee.ops.boxes import xyxy_to_xywh
from glee.ops.masks import Rle, encode_rle
from glee.results import Instances


def judge_samples(
    predictor: Predictor, samples: Samples, names: Sequence[str] | None = None
) -> dict[str, Scores]:
    """Predict all samples and return COCO's numbers: "boxes", and "masks" if all have masks.

    samples  annotated images, and of clips their first frames
    names    what to look for; all names of the samples if not given

    Raises BadSampleError for an image that cannot be used, ValueError without samples.
    """
    wanted = tuple(dict.fromkeys(names or [samples.names[n] for n in range(len(samples.names))]))
    truth, found = _Objects(wanted), _Objects(wanted)
    if not len(samples):
        raise ValueError("samples is empty; give at least one")
    has_masks = True
    for number in range(len(samples)):
        frame = samples[number].frames[0]
        has_masks &= frame.masks is not None
        pixels = load_pixels(frame)
        truth.add_frame(number, frame)
        found.add_found(number, predictor.predict(pixels, wanted, scoring="pair"))
    catalog = Catalog(
        unit_ids=tuple(range(len(samples))),
        unit_sizes=np.array([samples[n].frames[0].size for n in range(len(samples))], np.int64),
        unit_lengths=np.ones(len(samples), np.int64),
        category_ids=tuple(range(len(wanted))),
    )
    kinds = ("boxes", "masks") if has_masks else ("boxes",)
    return {
        kind: coco_scores(truth.annotations(catalog, kind), found.predictions(catalog, kind))
        for kind in kinds
    }


def judge_network(
    model: GLEE, samples: Samples, names: Sequence[str] | None = None
) -> dict[str, float]:
    """Return the AP of boxes, and of masks if all samples have them; NaN where nothing is shown."""
    scores = judge_samples(Predictor(copy.deepcopy(model)), samples, names)
    return {f"AP {kind}": float(one["AP"]) for kind, one in scores.items()}


class _Objects:
    """Objects of images as they come, turned into arrays in the end."""

    def __init__(self, names: Sequence[str]) -> None:
        self.rows = {name: row for row, name in enumerate(names)}
        self.units: list[int] = []
        self.categories: list[int] = []
        self.scores: list[float] = []
        self.boxes: list[FloatArray] = [np.zeros((0, 4))]
        self.masks: list[Rle] = []

    def add_frame(self, number: int, frame: Frame) -> None:
        """Add what is annotated in an image, as far as it has one of the names."""
        kept = [n for n, name in enumerate(frame.names) if name in self.rows]
        self._add(
            number, torch.from_numpy(frame.boxes)[kept], [self.rows[frame.names[n]] for n in kept]
        )
        self.scores += [1.0] * len(kept)
        if frame.masks is not None:
            self.masks += [frame.masks[n] for n in kept]

    def add_found(self, number: int, found: Instances) -> None:
        """Add what was found in an image."""
        found = found.to("cpu")
        self._add(number, found.boxes, found.labels.tolist())
        self.scores += found.scores.tolist()
        if found.masks is not None:
            self.masks += encode_rle(found.masks)

    def _add(self, number: int, xyxy: Tensor, categories: Sequence[int]) -> None:
        self.units += [number] * len(categories)
        self.categories += categories
        self.boxes.append(xyxy_to_xywh(xyxy.double()).clamp(min=0).numpy())

    def regions(self, kind: str) -> Regions:
        """Return the boxes or the masks of all objects."""
        if kind == "boxes":
            return Boxes(np.concatenate(self.boxes))
        sizes = np.array([one["size"] for one in self.masks], np.int64).reshape(-1, 2)
        return Masks([one["counts"].encode("ascii") for one in self.masks], sizes)

    def annotations(self, catalog: Catalog, kind: str) -> Annotations:
        """Return all objects as the truth."""
        regions = self.regions(kind)
        return Annotations(
            catalog=catalog,
            units=np.array(self.units, np.int64),
            categories=np.array(self.categories, np.int64),
            areas=regions.areas(),
            crowd=np.zeros(len(self.units), np.bool_),
            regions=regions,
        )

    def predictions(self, catalog: Catalog, kind: str) -> Predictions:
        """Return all objects as predictions."""
        return Predictions(
            catalog=catalog,
            units=np.array(self.units, np.int64),
            categories=np.array(self.categories, np.int64),
            scores=np.array(self.scores, np.float64),
            regions=self.regions(kind),
        )
