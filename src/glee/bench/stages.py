"""Stages: the steps from a picture to its objects, as `Predictor.predict` takes them."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glee.inference.postprocess import Found, Selection, find_objects
from glee.inference.predictor import EncodedImage, Predictor
from glee.inference.preprocess import ImageGeometry, preprocess
from glee.inference.text import TextCache, Vocabulary
from glee.model.interfaces import GleeOutputs, ImageFeatures, PromptBatch
from glee.model.text.build import build_tokenizer
from glee.results import Instances


@dataclass(frozen=True, slots=True)
class Pixels:
    """A picture as the network reads it.

    values    [B, 3, H, W] normalised and padded
    geometry  the way back to the picture
    """

    values: Tensor
    geometry: ImageGeometry


@dataclass(frozen=True, slots=True)
class Stages:
    """The steps that a predictor takes, each to be called by itself.

    objects  how many of the best objects are kept
    """

    predictor: Predictor
    objects: int

    def preprocess(self, picture: NDArray[np.uint8], *, copies: int = 1) -> Pixels:
        """Normalise and pad a picture [H, W, 3], which keeps its size, and put it on the device."""
        pixels, geometry = preprocess(picture, self.predictor.model.config.resize, resize=False)
        batch = pixels.expand(copies, *pixels.shape)
        moved = batch.to(self.predictor.device).contiguous(memory_format=torch.channels_last)
        return Pixels(moved, geometry)

    def encode(self, pixels: Pixels) -> ImageFeatures:
        """Run the image encoder."""
        with torch.no_grad(), self._autocast():
            return self.predictor.model.encode_image(pixels.values)

    def new_cache(self) -> TextCache:
        """Return a memory of text in which there is nothing yet."""
        model = self.predictor.model
        return TextCache(model, build_tokenizer(model.config.text))

    def detect(
        self, features: ImageFeatures, vocabulary: Vocabulary, *, masks: bool
    ) -> GleeOutputs:
        """Find objects by names that are encoded already."""
        with torch.no_grad(), self._autocast():
            return self.predictor.model.detect(
                features, PromptBatch(vocabulary.prompt), masks=masks
            )

    def finest_level(self, features: ImageFeatures, vocabulary: Vocabulary) -> Tensor:
        """Return the finest refined level, of which mask features are made."""
        model = self.predictor.model
        with torch.no_grad(), self._autocast():
            cells = model.early_fusion(features.cells, vocabulary.prompt.folded)
            finest: Tensor = model.pixel_decoder(cells, features.shapes)[0]
            return finest

    def make_masks(
        self,
        finest: Tensor,
        features: ImageFeatures,
        outputs: GleeOutputs,
        geometry: ImageGeometry,
    ) -> Found:
        """Make the mask features, and the masks of the best objects at the picture's size."""
        model = self.predictor.model
        with torch.no_grad():
            with self._autocast():
                maps = model.pixel_decoder.mask_features(finest, features.lateral)
            maps = maps.to(model.text_projection.weight.dtype)
        return self.place(replace(outputs, mask_features=maps), geometry)

    def select(self, outputs: GleeOutputs, geometry: ImageGeometry, row: int = 0) -> Found:
        """Choose the best objects of one row and place their boxes, without masks."""
        with torch.no_grad():
            return find_objects(outputs, row, geometry, self._selection(masks=False))

    def place(self, outputs: GleeOutputs, geometry: ImageGeometry, row: int = 0) -> Found:
        """Choose the best objects of one row and place their boxes and masks."""
        with torch.no_grad():
            return find_objects(outputs, row, geometry, self._selection(masks=True))

    def whole(self, picture: NDArray[np.uint8], vocabulary: Vocabulary) -> Found:
        """Take all steps, from a picture to masks, by names that are encoded already."""
        pixels = self.preprocess(picture)
        outputs = self.detect(self.encode(pixels), vocabulary, masks=True)
        return self.place(outputs, pixels.geometry)

    def find_all(self, picture: NDArray[np.uint8], vocabulary: Vocabulary) -> Instances:
        """Take all steps, and return what a tracker links: masks and appearance of every object."""
        pixels = self.preprocess(picture)
        outputs = self.detect(self.encode(pixels), vocabulary, masks=True)
        found = self.place(outputs, pixels.geometry)
        return Instances(
            boxes=found.boxes,
            scores=found.scores,
            labels=found.labels,
            names=vocabulary.names,
            image_size=pixels.geometry.original,
            masks=found.masks,
            embeddings=outputs.final.embeddings[0, found.query],
        )

    def encoded(self, picture: NDArray[np.uint8], vocabulary: Vocabulary) -> EncodedImage:
        """Return a picture as `Predictor.predict` takes it, encoded at its own size."""
        pixels = self.preprocess(picture)
        return EncodedImage(self.encode(pixels), pixels.geometry, vocabulary.network)

    def _selection(self, *, masks: bool) -> Selection:
        return Selection(threshold=0, max_objects=self.objects, masks=masks)

    def _autocast(self) -> torch.autocast:
        dtype = self.predictor.dtype
        lower = dtype is not torch.float32
        kind = self.predictor.device.type
        return torch.autocast(kind, dtype if lower else None, enabled=lower)
