"""Predictor: images and prompts to instances."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

import torch

from glee.config import ResizeConfig
from glee.images import ImageSource, load_image
from glee.inference.asked import OneImagePrompts, is_marked, join_found, match_prompts
from glee.inference.devices import require_device, require_dtype, require_float32
from glee.inference.postprocess import Scoring, Selection, find_objects
from glee.inference.preprocess import ImageGeometry, preprocess
from glee.inference.regions import rasterise
from glee.inference.remembered import Remembered, join_remembered
from glee.inference.text import TextCache, Vocabulary
from glee.model.glee import GLEE
from glee.model.interfaces import GleeOutputs, ImageFeatures, PromptBatch, TextTokens
from glee.model.text.build import build_tokenizer
from glee.prompts import PointMark, Prompts, clean_expression
from glee.results import Instances

# Prompts of one image that pass the network together, and the cells that they may have in all:
# each refines its own copy of the image's cells, about 200 MB of temporaries for 20,000 of them.
ROWS_AT_ONCE = 8
CELLS_AT_ONCE = 50_000

# For names, the threshold of the published demo.
DEFAULT_THRESHOLD = 0.2
DEFAULT_MAX_OBJECTS = 100
NESTED = 0.5  # see docs/nano.md, step 23 of its log


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EncodedImage:
    """An image behind the image encoder; may be prompted again and again.

    network  fingerprint of the network that encoded it
    """

    features: ImageFeatures
    geometry: ImageGeometry
    network: str

    def __repr__(self) -> str:
        height, width = self.geometry.original
        return f"<EncodedImage: {height}x{width} pixels, {self.features.cells.shape[1]} cells>"


class Predictor:
    """Finds what prompts ask for in images.

    The network works in evaluation mode and, if `device` is given, is moved there. It must not be
    trained while a predictor holds it: text that was encoded before would be out of date.

    model   weights in float32
    device  such as "cpu", "cuda:1" or "mps"
    dtype   float32; or bfloat16 or float16, in which then most of the network computes, while
            text, sampling, boxes and scores stay in float32
    seed    of the random choice of points inside a marked region, in the order of the original;
            without it they are spread evenly

    Raises ValueError for a device that this machine lacks, for another dtype, for float16 on a
    CPU, which is slower there and less exact than bfloat16, and for weights of another dtype.
    """

    def __init__(
        self,
        model: GLEE,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
        seed: int | None = None,
    ) -> None:
        require_float32(model)
        if device is not None:
            model = model.to(require_device(device))
        # Convolutions read this layout up to twice as fast, and cells come out of it for free.
        # torch's annotations do not know `to` with a layout alone.
        self.model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.dtype, self.seed = dtype, seed
        require_dtype(dtype, self.device)
        self._text = TextCache(self.model, build_tokenizer(model.config.text))

    def __repr__(self) -> str:
        backbone = self.model.config.backbone.kind
        return f"<Predictor: GLEE with {backbone} on {self.device}, {self.dtype}>"

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.model.text_projection.weight.device

    # A path is a sequence of strings too, but is taken as one image.
    @overload
    def predict(  # type: ignore[overload-overlap]
        self,
        images: ImageSource | EncodedImage,
        prompts: OneImagePrompts | Sequence[str],
        *,
        threshold: float | None = None,
        max_objects: int | None = None,
        masks: bool = True,
        scoring: Scoring = "object",
        nested: float | None = None,
        second_look: bool = True,
    ) -> Instances: ...

    @overload
    def predict(
        self,
        images: Sequence[ImageSource | EncodedImage],
        prompts: OneImagePrompts | Sequence[str] | Sequence[Prompts],
        *,
        threshold: float | None = None,
        max_objects: int | None = None,
        masks: bool = True,
        scoring: Scoring = "object",
        nested: float | None = None,
        second_look: bool = True,
    ) -> list[Instances]: ...

    def predict(  # noqa: PLR0913  # one argument a choice, all but two by name
        self,
        images: ImageSource | EncodedImage | Sequence[ImageSource | EncodedImage],
        prompts: OneImagePrompts | Sequence[str] | Sequence[Prompts],
        *,
        threshold: float | None = None,
        max_objects: int | None = None,
        masks: bool = True,
        scoring: Scoring = "object",
        nested: float | None = None,
        second_look: bool = True,
    ) -> Instances | list[Instances]:
        """Find what the prompts ask for.

        images       one image or a list of them; see `load_image` for what an image may be
        prompts      a list of names, a Vocabulary, Prompts, or Remembered objects, for all images;
                     or a list of Prompts, one per image
        threshold    instances score higher than this, 0..1. If not given: 0.2 for names (none
                     with scoring="pair"), and none for expressions and marks
        max_objects  at most so many, per expression or mark if there are such. If not given: 100
                     for names, and for expressions with a threshold; else 1
        masks        whether masks are wanted; without them nano's boxes, which else follow them,
                     are less exact
        scoring      "object": each object once, with its best name, by that name's probability.
                     "pair": as in the paper's evaluations, by probability times mask quality, an
                     object may appear with several names. "confidence": marked objects by the
                     confidence that the paper describes, not by the probability of their name
        nested       with scoring="object", of two objects of one name the worse is left out if
                     more than this share of the smaller box, 0..1, lies in the other; 1 keeps
                     all. If not given: 0.5 for names with networks that are not trained to find
                     each object once, such as nano, else 1
        second_look  whether networks that can, such as nano, look at the best boxes again, each
                     enlarged, to say what they are; takes about as long as all else, for
                     each expression

        Returns Instances for one image, a list for a list. They are sorted by score; those of
        marks come in the order of the marks. `embeddings` tell the same object in other
        images from different ones. Raises ValueError or TypeError for images and
        prompts that do not make sense, FileNotFoundError for a file that is not there.
        """
        single = not isinstance(images, list | tuple)
        sources = images if isinstance(images, list | tuple) else [images]
        wanted = match_prompts(prompts, len(sources), single=single)
        found = []
        for source, own in zip(sources, wanted, strict=True):
            selection = self._selection(own, threshold, max_objects, masks, scoring)
            if nested is not None:
                selection = replace(selection, nested=nested)
            found.append(self._predict_one(source, own, selection, second_look))
        return found[0] if single else found

    @torch.no_grad()
    def encode(self, image: ImageSource, *, resize: ResizeConfig | None = None) -> EncodedImage:
        """Run the image encoder, so that `predict` on the result need not.

        resize  how the image is brought to the network's size, if not as its configuration says
        """
        pixels, geometry = preprocess(load_image(image), resize or self.model.config.resize)
        batch = pixels[None].to(self.device, memory_format=torch.channels_last)
        with self._evaluating(), self._autocast():
            features = self.model.encode_image(batch)
        return EncodedImage(features, geometry, self._text.network)

    def vocabulary(self, names: Sequence[str]) -> Vocabulary:
        """Encode a list of names once, to be given to `predict` in its place, or saved."""
        with self._evaluating():
            return self._text.vocabulary(Prompts(categories=names).categories)

    def load_vocabulary(self, path: str | Path) -> Vocabulary:
        """Read a vocabulary that `Vocabulary.save` wrote for the same network.

        Raises FileNotFoundError if there is no such file, ValueError if it is none or was made
        for another network.
        """
        return self._text.load(path)

    @torch.no_grad()
    def remember(self, image: ImageSource | EncodedImage, prompts: Prompts) -> Remembered:
        """Encode marked objects, so that `predict` finds them again in other images.

        prompts  marks, and maybe the names that the objects may have

        Raises ValueError for prompts without marks or with an expression, and as `predict`.
        """
        if not prompts.marks or prompts.expressions:
            raise ValueError(
                "prompts must have points, boxes, scribbles or masks, and no expression; only "
                "marked objects can be remembered"
            )
        encoded = image if isinstance(image, EncodedImage) else self.encode(image)
        passes = self.detect_each(encoded, prompts, masks=False)
        return join_remembered([self.remembered(prompts.names, outputs) for outputs in passes])

    def remembered(self, names: tuple[str, ...], outputs: GleeOutputs) -> Remembered:
        """Return the marked objects that one pass of `detect_each` was asked for."""
        if outputs.visual is None:
            raise ValueError("outputs are not those of marked objects")
        return Remembered(names, outputs.visual, self._text.network)

    @torch.no_grad()
    def detect_each(
        self,
        encoded: EncodedImage,
        prompts: OneImagePrompts,
        *,
        masks: bool = True,
        second_look: bool = True,
    ) -> Iterator[GleeOutputs]:
        """Yield what all queries say, for those who choose among them in their own way.

        One row answers all names, or one expression or mark; several rows pass the network
        together. Without `masks` there are no mask features; for `second_look` see `predict`.
        Raises ValueError as `predict`.
        """
        self._require_own("image", encoded)
        if isinstance(prompts, Vocabulary | Remembered):
            is_text = isinstance(prompts, Vocabulary)
            self._require_own("vocabulary" if is_text else "remembered object", prompts)
        image = encoded.features
        most = max(1, min(ROWS_AT_ONCE, CELLS_AT_ONCE // image.cells.shape[1]))
        with self._evaluating():
            for batch in self._batches(prompts, encoded.geometry, most):
                with self._autocast():
                    outputs = self.model.detect(
                        image.repeat(batch.num_rows),
                        batch,
                        masks=masks,
                        second_look=second_look,
                        generator=self._generator(),
                    )
                yield outputs

    def _require_own(self, name: str, value: EncodedImage | Vocabulary | Remembered) -> None:
        if value.network != self._text.network:
            raise ValueError(
                f"the {name} was encoded by another network; encode it with this predictor"
            )

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """Switch off what only training does, should someone have switched it on."""
        # Asking all parts is many times faster than telling all.
        if not any(module.training for module in self.model.modules()):
            yield
            return
        training = self.model.training
        self.model.eval()
        try:
            yield
        finally:
            self.model.train(training)

    def _autocast(self) -> torch.autocast:
        lower = self.dtype is not torch.float32
        return torch.autocast(self.device.type, self.dtype if lower else None, enabled=lower)

    def _selection(
        self,
        prompts: OneImagePrompts,
        threshold: float | None,
        max_objects: int | None,
        masks: bool,
        scoring: Scoring,
    ) -> Selection:
        """Fill in the defaults that `predict` states."""
        marked = is_marked(prompts)
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
            nested=None if marked or described else self._nested(),
        )

    def _nested(self) -> float | None:
        """Return the default of `nested`: cells that reach find an object many times."""
        return NESTED if self.model.config.object_decoder.cell_reach else None

    @torch.no_grad()
    def _predict_one(
        self,
        image: ImageSource | EncodedImage,
        prompts: OneImagePrompts,
        selection: Selection,
        second_look: bool,
    ) -> Instances:
        encoded = image if isinstance(image, EncodedImage) else self.encode(image)
        rows = [
            find_objects(outputs, row, encoded.geometry, selection)
            for outputs in self.detect_each(
                encoded, prompts, masks=selection.reads_masks, second_look=second_look
            )
            for row in range(len(outputs.final.logits))
        ]
        return join_found(rows, prompts, encoded.geometry)

    def _generator(self) -> torch.Generator | None:
        return None if self.seed is None else torch.Generator().manual_seed(self.seed)

    def _batches(
        self, prompts: OneImagePrompts, geometry: ImageGeometry, most: int
    ) -> Iterator[PromptBatch]:
        """Encode the prompts of one image, in batches of at most so many rows."""
        if isinstance(prompts, Vocabulary):
            yield PromptBatch(prompts.prompt)
            return
        if isinstance(prompts, Remembered):
            text = self._text.vocabulary(prompts.names).prompt
            for start in range(0, len(prompts), most):
                part = prompts.take(slice(start, start + most))
                near = None if part.near is None else geometry.boxes_to_padded(part.near)
                yield PromptBatch(text, remembered=part.visual, near=near)
            return
        text = self._text_prompt(prompts)
        if prompts.marks:
            self._check_marks(prompts)
            regions = rasterise(prompts.marks, geometry).to(self.device)
            for part in torch.arange(len(prompts.marks)).split(most):
                yield PromptBatch(text.take(torch.zeros_like(part)), regions.take(part))
        elif prompts.expressions:
            for part in torch.arange(len(prompts.expressions)).split(most):
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
