from pathlib import Path

import pytest

from benchmark_layouts import write_picture
from glee.evaluation.encoder import Encoder
from glee.inference.predictor import Predictor


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Two pictures of 48 x 64 pixels."""
    paths = [tmp_path / f"{number}.jpg" for number in range(2)]
    for number, path in enumerate(paths):
        write_picture(path, number)
    return paths


@pytest.mark.parametrize(
    ("shortest", "resized"),
    [
        (0, (96, 128)),  # as the tiny network has it
        (60, (60, 80)),
        (120, (120, 160)),
        (300, (225, 300)),  # the longer side is at most 300, too
    ],
)
def test_pictures_have_the_size_of_the_protocol(
    shortest: int, resized: tuple[int, int], predictor: Predictor, pictures: list[Path]
) -> None:
    encoded = Encoder(predictor, shortest).encode(pictures[0])

    assert encoded.geometry.resized == resized
    assert encoded.geometry.original == (48, 64)


def test_a_picture_that_is_asked_of_again_is_encoded_once(
    predictor: Predictor, pictures: list[Path]
) -> None:
    encoder = Encoder(predictor)
    first = encoder.encode(pictures[0])

    assert encoder.encode(pictures[0]) is first
    assert encoder.encode(pictures[1]) is not first
    assert encoder.encode(pictures[0]) is not first  # only the last one is kept
