"""Encoder: pictures of a data set through the image encoder, at the protocol's size."""

from dataclasses import replace
from pathlib import Path

from glee.images import ImageSource, load_image
from glee.inference.predictor import EncodedImage, Predictor


class PictureError(ValueError):
    """A picture of the data set that is missing or damaged; all other errors are not its fault."""


class Encoder:
    """A predictor with the size at which a protocol shows it pictures.

    The last picture is kept: data sets ask several questions of one picture in a row.

    shortest  pixels of the shorter side, 0 for the network's own; networks with a square input do
              not read it
    """

    def __init__(self, predictor: Predictor, shortest: int = 0) -> None:
        self.predictor = predictor
        resize = predictor.model.config.resize
        if shortest and not resize.square:
            resize = replace(resize, shortest=shortest, longest=max(shortest, resize.longest))
        self._resize = resize
        self._last: tuple[Path, EncodedImage] | None = None

    def encode(self, image: ImageSource) -> EncodedImage:
        """Run the image encoder; raises PictureError for what cannot be read as an image."""
        if isinstance(image, Path) and self._last is not None and self._last[0] == image:
            return self._last[1]
        self._last = None  # two large pictures at once are one too many
        try:
            pixels = load_image(image)
        except (OSError, ValueError) as error:
            raise PictureError(str(error)) from error
        encoded = self.predictor.encode(pixels, resize=self._resize)
        if isinstance(image, Path):
            self._last = image, encoded
        return encoded
