"""Predictor: images and prompts to instances."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast, overload

import torch

from glee.inference.images import ImageSource, load_image
from glee.inference.postprocess import Found, Scoring, Selection, find_objects
from glee.inference.preprocess import ImageGeometry, preprocess
from glee.inference.regions import rasterise
from glee.inference.text import TextCache, Vocabulary
from glee.model.glee import GLEE
from glee.model.interfaces import ImageFeatures, PromptBatch, TextTokens
from glee.model.text.tokenizer import clip_tokenizer
from glee.prompts import PointMark, Prompts, clean_expression
from glee.results import Instances

# Prompts of one image that pass the network together; each holds a copy of the image's features.
ROWS_AT_ONCE = 8

# For names, the threshold of the published demo.
DEFAULT_THRESHOLD = 0.2
DEFAULT_MAX_OBJECTS = 100


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An image behind the image encoder, for one network; may be prompted again and again."""

    features: ImageFeatures
    geometry: ImageGeometry


class Predictor:
    """Finds what prompts ask for in images.

    The network is put into evaluation mode, and moved to `device` if that is given. It must not
    be trained while a predictor holds it: text that was encoded before would be out of date.

    dtype  float32; or bfloat16 or float16, in which then most of the network computes, while
           text, sampling, boxes and scores stay in float32. Raises ValueError for another one,
           and for float16 on a CPU, which is slower there and less exact than bfloat16
    """

    def __init__(
        self,
        model: GLEE,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.model = model.eval() if device is None else model.eval().to(device)
        self.dtype = dtype
        _require_dtype(dtype, self.device)
        self._text = TextCache(self.model, clip_tokenizer())

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.model.text_projection.weight.device

    # A path is a sequence of strings too, but is taken as one image.
    @overload
    def predict(  # type: ignore[overload-overlap]
        self,
        images: ImageSource | EncodedImage,
        prompts: Prompts | Vocabulary | Sequence[str],
        *,
        threshold: float | None = None,
        max_objects: int | None = None,
        masks: bool = True,
        scoring: Scoring = "object",
    ) -> Instances: ...

    @overload
    def predict(
        self,
        images: Sequence[ImageSource | EncodedImage],
        prompts: Prompts | Vocabulary | Sequence[str] | Sequence[Prompts],
        *,
        threshold: float | None = None,
        max_objects: int | None = None,
        masks: bool = True,
        scoring: Scoring = "object",
    ) -> list[Instances]: ...

    def predict(
        self,
        images: ImageSource | EncodedImage | Sequence[ImageSource | EncodedImage],
        prompts: Prompts | Vocabulary | Sequence[str] | Sequence[Prompts],
        *,
        threshold: float | None = None,
        max_objects: int | None = None,
        masks: bool = True,
        scoring: Scoring = "object",
    ) -> Instances | list[Instances]:
        """Find what the prompts ask for.

        images       one image or a list of them; see `load_image` for what an image may be
        prompts      a list of names, a Vocabulary or Prompts, for all images; or a list of
                     Prompts, one per image
        threshold    instances score higher than this, 0..1. If not given: 0.2 for names (none
                     with scoring="pair"), and none for expressions and marks
        max_objects  at most so many, per expression or mark if there are such. If not given: 100
                     for names, and for expressions with a threshold; else 1
        masks        whether masks are wanted
        scoring      "object": each object once, with its best name, by that name's probability.
                     "pair": as in the paper's evaluations, by probability times mask quality, an
                     object may appear with several names. "confidence": marked objects by the
                     confidence that the paper describes, not by the probability of their name

        Returns Instances for one image, a list for a list. They are sorted by score; those of
        marks come in the order of the marks. Raises ValueError or TypeError for images and
        prompts that do not make sense, FileNotFoundError for a file that is not there.
        """
        single = not isinstance(images, list | tuple)
        sources = images if isinstance(images, list | tuple) else [images]
        wanted = _match_prompts(prompts, len(sources), single=single)
        found = []
        for source, own in zip(sources, wanted, strict=True):
            selection = self._selection(own, threshold, max_objects, masks, scoring)
            found.append(self._predict_one(source, own, selection))
        return found[0] if single else found

    @torch.no_grad()
    def encode(self, image: ImageSource) -> EncodedImage:
        """Run the image encoder, so that `predict` on the result need not."""
        pixels, geometry = preprocess(load_image(image), self.model.config.resize)
        with self._autocast():
            return EncodedImage(self.model.encode_image(pixels[None].to(self.device)), geometry)

    def vocabulary(self, names: Sequence[str]) -> Vocabulary:
        """Encode a list of names once, to be given to `predict` in its place, or saved."""
        return self._text.vocabulary(Prompts.coerce(names).categories)

    def load_vocabulary(self, path: str | Path) -> Vocabulary:
        """Read a vocabulary that `Vocabulary.save` wrote for the same network.

        Raises FileNotFoundError if there is no such file, ValueError if it is none or was made
        for another network.
        """
        return self._text.load(path)

    def _autocast(self) -> torch.autocast:
        lower = self.dtype is not torch.float32
        return torch.autocast(self.device.type, self.dtype if lower else None, enabled=lower)

    def _selection(
        self,
        prompts: Prompts | Vocabulary,
        threshold: float | None,
        max_objects: int | None,
        masks: bool,
        scoring: Scoring,
    ) -> Selection:
        """Fill in the defaults that `predict` states."""
        marked = isinstance(prompts, Prompts) and bool(prompts.marks)
        if scoring == "confidence" and not marked:
            raise ValueError(
                'scoring="confidence" ranks marked objects, but prompts has no points, boxes, '
                'scribbles or masks; use "object" or "pair"'
            )
        described = isinstance(prompts, Prompts) and bool(prompts.expressions)
        if max_objects is None:
            best_only = marked or (described and threshold is None)
            max_objects = 1 if best_only else DEFAULT_MAX_OBJECTS
        if threshold is None and not (marked or described or scoring == "pair"):
            threshold = DEFAULT_THRESHOLD
        return Selection(
            scoring=scoring,
            threshold=threshold,
            max_objects=max_objects,
            masks=masks,
            # The paper's evaluations cut the boxes of Pro only.
            clip=scoring != "pair" or self.model.config.resize.square,
        )

    @torch.no_grad()
    def _predict_one(
        self,
        image: ImageSource | EncodedImage,
        prompts: Prompts | Vocabulary,
        selection: Selection,
    ) -> Instances:
        encoded = image if isinstance(image, EncodedImage) else self.encode(image)
        rows = list(self._detect(encoded, prompts, selection))
        return _join(rows, prompts, encoded.geometry)

    def _detect(
        self, encoded: EncodedImage, prompts: Prompts | Vocabulary, selection: Selection
    ) -> Iterator[Found]:
        """Yield what is found for each row: one for names, else one per expression or mark."""
        image = encoded.features
        for batch in self._batches(prompts, encoded.geometry):
            rows = batch.num_rows
            with self._autocast():
                outputs = self.model.detect(image.repeat(rows), batch)
            for row in range(rows):
                yield find_objects(
                    outputs.final, outputs.mask_features, row, encoded.geometry, selection
                )

    def _batches(
        self, prompts: Prompts | Vocabulary, geometry: ImageGeometry
    ) -> Iterator[PromptBatch]:
        """Encode the prompts of one image, in batches of rows that pass the network together."""
        if isinstance(prompts, Vocabulary):
            yield PromptBatch(prompts.prompt)
            return
        text = self._text_prompt(prompts)
        if prompts.marks:
            self._check_marks(prompts)
            regions = rasterise(prompts.marks, geometry).to(self.device)
            for part in torch.arange(len(prompts.marks)).split(ROWS_AT_ONCE):
                yield PromptBatch(text.take(torch.zeros_like(part)), regions.take(part))
        elif prompts.expressions:
            for part in torch.arange(len(prompts.expressions)).split(ROWS_AT_ONCE):
                yield PromptBatch(text.take(part))
        else:
            yield PromptBatch(text)

    def _text_prompt(self, prompts: Prompts) -> TextTokens:
        if prompts.expressions:
            return self._text.expressions([clean_expression(t) for t in prompts.expressions])
        return self._text.vocabulary(prompts.names).prompt

    def _check_marks(self, prompts: Prompts) -> None:
        """Refuse marks that this network cannot read."""
        config = self.model.config.visual_prompts
        if config is None:
            raise ValueError(
                "this network was trained without visual prompts and cannot read points, boxes, "
                "scribbles or masks; prompt it with categories or expression, or load a joint or "
                "scale-up checkpoint"
            )
        negative = any(isinstance(mark, PointMark) and 0 in mark.labels for mark in prompts.marks)
        if negative and not config.negative_points:
            raise ValueError(
                "point_labels holds 0, but this network was trained without points to exclude; "
                "mark the object by a box, scribble or mask instead"
            )
        if len(prompts.expressions) > 1:
            raise ValueError(
                f"expression has {len(prompts.expressions)} texts beside marks; give one, which "
                "all marked objects share"
            )


def _require_dtype(dtype: torch.dtype, device: torch.device) -> None:
    if dtype not in (torch.float32, torch.bfloat16, torch.float16):
        raise ValueError(f"dtype must be torch.float32, bfloat16 or float16, got {dtype}")
    if dtype is torch.float16 and device.type == "cpu":
        raise ValueError(
            "dtype torch.float16 is not for a CPU; use torch.bfloat16, which is as small, or "
            "torch.float32"
        )


def _join(rows: list[Found], prompts: Prompts | Vocabulary, geometry: ImageGeometry) -> Instances:
    """Put what the rows found together: by score, or for marks in the order of the marks."""
    ids = torch.cat([torch.full_like(row.labels, n) for n, row in enumerate(rows)])
    scores = torch.cat([row.scores for row in rows])
    masks = [row.masks for row in rows if row.masks is not None]
    described = isinstance(prompts, Prompts) and bool(prompts.expressions)
    marked = isinstance(prompts, Prompts) and bool(prompts.marks)
    found = Instances(
        boxes=torch.cat([row.boxes for row in rows]),
        scores=scores,
        labels=ids if described and not marked else torch.cat([row.labels for row in rows]),
        names=prompts.names,
        image_size=geometry.original,
        masks=torch.cat(masks) if masks else None,
        prompt_ids=ids if described or marked else None,
    )
    return found if marked else found[scores.argsort(descending=True, stable=True)]


def _match_prompts(
    prompts: Prompts | Vocabulary | Sequence[str] | Sequence[Prompts],
    num_images: int,
    *,
    single: bool,
) -> list[Prompts | Vocabulary]:
    """Return the prompts of each image."""
    if isinstance(prompts, Vocabulary):
        return [prompts] * num_images
    if isinstance(prompts, Prompts | str) or not any(isinstance(p, Prompts) for p in prompts):
        return [Prompts.coerce(cast("Prompts | Sequence[str]", prompts))] * num_images
    own: list[Prompts | Vocabulary] = [p for p in prompts if isinstance(p, Prompts)]
    if single or len(own) != num_images or len(own) != len(prompts):
        raise ValueError(
            f"prompts has {len(prompts)} entries for {num_images} images; give one Prompts for all "
            "images, or a list with one Prompts per image"
        )
    return own
