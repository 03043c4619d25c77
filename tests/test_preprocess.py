"""Preprocessing: sizes, pixels and padding of the network's input, and the way back."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from glee.config import ResizeConfig, lite, pro, tiny
from glee.inference.preprocess import (
    PIXEL_MEAN,
    PIXEL_STD,
    ImageGeometry,
    image_geometry,
    normalise,
    preprocess,
    resized_size,
)
from glee.ops.boxes import xyxy_to_cxcywh

SIZES = st.tuples(st.integers(1, 9000), st.integers(1, 9000))
CONFIGS = st.sampled_from([lite().resize, pro().resize, tiny().resize])


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        ((480, 640), (800, 1067)),  # the short side becomes 800; 1066.67 rounds up
        ((640, 480), (1067, 800)),
        ((1080, 1920), (750, 1333)),  # the long side would become 1422, and is limited
        ((800, 1333), (800, 1333)),
        ((1, 1), (800, 800)),
        ((800, 1001), (800, 1001)),
    ],
)
def test_the_short_side_becomes_800_and_the_long_at_most_1333(
    original: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert resized_size(original, lite().resize) == expected


@pytest.mark.parametrize(
    ("original", "expected"),
    [((1080, 1920), (864, 1536)), ((427, 640), (1025, 1536)), ((3072, 1024), (1536, 512))],
)
def test_the_long_side_of_a_square_input_becomes_1536(
    original: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert resized_size(original, pro().resize) == expected


def test_the_shortest_side_has_no_say_in_a_square_input() -> None:
    config = ResizeConfig(shortest=64, longest=256, square=True)

    assert resized_size((100, 200), config) == (128, 256)


@pytest.mark.parametrize("original", [(1, 8000), (8000, 1)])
@pytest.mark.parametrize("config", [lite().resize, pro().resize])
def test_a_very_long_image_keeps_one_pixel(original: tuple[int, int], config: ResizeConfig) -> None:
    geometry = image_geometry(original, config)

    assert min(geometry.resized) == min(geometry.content) == 1
    assert max(geometry.resized) == config.longest


@settings(deadline=None)
@given(SIZES, CONFIGS)
def test_the_input_holds_the_image_and_wastes_less_than_one_stride(
    original: tuple[int, int], config: ResizeConfig
) -> None:
    geometry = image_geometry(original, config)
    waste = [big - small for big, small in zip(geometry.padded, geometry.resized, strict=True)]

    assert all(side % config.divisor == 0 for side in geometry.padded)
    assert min(waste) >= 0
    assert min(waste) == 0 if config.square else max(waste) < config.divisor
    assert max(geometry.resized) <= config.longest


def test_only_whole_pixels_of_a_square_input_count_as_content() -> None:
    # 427 * 1536 / 640 = 1024.8: resized to 1025 rows, of which 1024 are read back.
    geometry = image_geometry((427, 640), pro().resize)

    assert geometry == ImageGeometry((427, 640), (1025, 1536), (1536, 1536), (1024, 1536))


def test_without_padding_in_the_square_all_that_was_resized_is_content() -> None:
    geometry = image_geometry((480, 640), lite().resize)

    assert geometry == ImageGeometry((480, 640), (800, 1067), (800, 1088), (800, 1067))


def test_an_image_kept_at_its_size_is_only_normalised_and_padded() -> None:
    image = noise(33, 64)

    pixels, geometry = preprocess(image, lite().resize, resize=False)

    assert geometry == ImageGeometry((33, 64), (33, 64), (64, 64), (33, 64))
    expected = (image[5, 7] - [123.675, 116.28, 103.53]) / [58.395, 57.12, 57.375]
    torch.testing.assert_close(pixels[:, 5, 7], torch.tensor(expected).float())


def test_an_image_too_large_for_the_square_is_refused() -> None:
    with pytest.raises(ValueError, match=r"image \(8, 2000\) is larger than the square input of"):
        image_geometry((8, 2000), pro().resize, resize=False)


@pytest.mark.parametrize("size", [(50, 70), (96, 134), (480, 640), (1080, 1920)])
def test_pixels_are_resized_as_pillow_does_but_for_one_level_in_a_few(
    size: tuple[int, int],
) -> None:
    image = noise(*size)  # whose levels differ most from one pixel to the next

    pixels, geometry = preprocess(image, ResizeConfig(shortest=160, longest=160))

    height, width = geometry.resized
    small = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    by_pillow = torch.tensor(np.array(small)).permute(2, 0, 1).float()
    found = pixels[:, :height, :width] * torch.tensor(PIXEL_STD)[:, None, None]
    off = (found + torch.tensor(PIXEL_MEAN)[:, None, None] - by_pillow).abs().round()
    assert off.max() <= 1
    assert (off > 0).float().mean() < 0.005


def test_pixels_of_one_colour_keep_it() -> None:
    image = np.full((50, 70, 3), (1, 128, 254), dtype=np.uint8)

    pixels, _ = preprocess(image, ResizeConfig(shortest=160, longest=160))

    expected = normalise(torch.tensor([1.0, 128, 254])[:, None, None])
    assert torch.equal(pixels[:, :114, :160], expected.expand(3, 114, 160))


def test_the_padding_is_zero() -> None:
    pixels, _ = preprocess(noise(30, 41), tiny().resize)  # resized to 96 x 131

    assert pixels.dtype == torch.float32
    assert pixels.shape == (3, 96, 160)
    assert (pixels[:, :, 131:] == 0).all()
    assert (pixels[:, :, :131] != 0).any(dim=0).all()


def test_a_square_is_padded_with_grey() -> None:
    pixels, _ = preprocess(noise(20, 40), ResizeConfig(shortest=64, longest=64, square=True))

    assert pixels.shape == (3, 64, 64)
    grey = torch.tensor([(128 - 123.675) / 58.395, (128 - 116.28) / 57.12, (128 - 103.53) / 57.375])
    torch.testing.assert_close(pixels[:, 32:], grey[:, None, None].expand(3, 32, 64))


@pytest.mark.parametrize("longest", [64, 70])
def test_the_channels_of_a_pixel_lie_side_by_side_as_convolutions_read_them(longest: int) -> None:
    pixels, _ = preprocess(noise(32, 70), ResizeConfig(shortest=32, longest=longest))

    assert pixels[None].is_contiguous(memory_format=torch.channels_last)


def test_the_image_given_is_not_changed() -> None:
    image = noise(16, 16)
    image.flags.writeable = False

    preprocess(image, ResizeConfig(shortest=16, longest=16))

    np.testing.assert_array_equal(image, noise(16, 16))


def test_a_box_in_the_input_is_placed_in_the_image() -> None:
    # 100 x 200 pixels, doubled to 200 x 400, in an input of 224 x 416.
    geometry = ImageGeometry((100, 200), (200, 400), (224, 416), (200, 400))
    box = torch.tensor([[208 / 416, 112 / 224, 104 / 416, 56 / 224]])  # 156, 84 to 260, 140

    torch.testing.assert_close(geometry.boxes_to_original(box), torch.tensor([[78.0, 42, 130, 70]]))


def test_boxes_are_cut_at_the_border_unless_asked_not_to() -> None:
    geometry = ImageGeometry((100, 100), (100, 100), (128, 128), (100, 100))
    box = torch.tensor([[0.75, 0.0, 0.5, 0.5]])  # x 64..128, y -32..32

    cut = geometry.boxes_to_original(box)
    whole = geometry.boxes_to_original(box, clip=False)

    torch.testing.assert_close(cut, torch.tensor([[64.0, 0, 100, 32]]))
    torch.testing.assert_close(whole, torch.tensor([[64.0, -32, 128, 32]]))


@settings(deadline=None)
@given(SIZES, CONFIGS, st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_boxes_come_back_from_the_input(
    original: tuple[int, int], config: ResizeConfig, fractions: list[float]
) -> None:
    geometry = image_geometry(original, config)
    (height, width), (padded_height, padded_width) = original, geometry.padded
    size = torch.tensor([width, height, width, height], dtype=torch.float64)
    x, y, across, down = fractions
    box = size * torch.tensor([x / 2, y / 2, (x + across) / 2, (y + down) / 2], dtype=torch.float64)

    scale = size.new_tensor(geometry.resized).flip(0).repeat(2) / size
    inside = xyxy_to_cxcywh(box * scale)
    inside = inside / inside.new_tensor([padded_width, padded_height] * 2)
    back = geometry.boxes_to_original(inside)

    # The content of square inputs is less than what was resized by up to a pixel.
    slack = size * (
        size.new_tensor(geometry.resized).flip(0) / size.new_tensor(geometry.content).flip(0) - 1
    ).repeat(2)
    assert ((back - box).abs() <= slack + 1e-6).all()


def test_masks_go_where_boxes_go() -> None:
    geometry = ImageGeometry((20, 30), (40, 60), (64, 64), (40, 60))
    mask = torch.zeros(1, 20, 30, dtype=torch.bool)
    mask[0, 5:10, 20:30] = True

    found = geometry.masks_to_padded(mask)

    # Bilinear blending also touches the pixels next to the mask, but for the image's border.
    expected = torch.zeros(1, 64, 64, dtype=torch.bool)
    expected[0, 9:21, 39:60] = True
    assert torch.equal(found, expected)
