"""Regions: what each kind of mark covers in the network's input, at borders and after shrinking."""

import re
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from glee.config import ResizeConfig, lite, pro
from glee.inference.preprocess import ImageGeometry, image_geometry
from glee.inference.regions import fit_marks, rasterise
from glee.prompts import BoxMark, Prompts

SAME_SIZE = ImageGeometry((80, 120), (80, 120), (96, 128), (80, 120))


def covered(geometry: ImageGeometry = SAME_SIZE, **marks: Any) -> Tensor:
    """Return the masks [P, *padded] of marks given as Prompts takes them."""
    regions = rasterise(Prompts(**marks).marks, geometry)
    assert torch.equal(regions.template_masks, regions.token_masks)
    return regions.token_masks


def rectangle(x1: int, y1: int, x2: int, y2: int, size: tuple[int, int] = (96, 128)) -> Tensor:
    mask = torch.zeros(size, dtype=torch.bool)
    mask[y1:y2, x1:x2] = True
    return mask


def test_a_box_covers_the_pixels_between_its_corners() -> None:
    assert torch.equal(covered(boxes=[(10, 20, 30, 50)])[0], rectangle(10, 20, 30, 50))


def test_a_box_covers_every_pixel_that_it_touches() -> None:
    assert torch.equal(covered(boxes=[(10.2, 20.9, 10.3, 21.1)])[0], rectangle(10, 20, 11, 22))


def test_a_box_is_cut_at_the_border_of_the_image() -> None:
    assert torch.equal(covered(boxes=[(-5, 70, 10, 500)])[0], rectangle(0, 70, 10, 80))


def test_a_point_reaches_a_fortieth_of_the_image_to_each_side() -> None:
    # 80 // 40 = 2 rows up and down, 120 // 40 = 3 columns left and right.
    assert torch.equal(covered(points=[(60, 40)])[0], rectangle(57, 38, 63, 42))


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ((0, 0), (0, 0, 3, 2)),
        ((1, 79), (0, 77, 4, 80)),
        ((119.5, 79.5), (116, 77, 120, 80)),
        ((120, 80), (116, 77, 120, 80)),
    ],
)
def test_a_point_at_the_border_keeps_what_lies_inside(
    point: tuple[float, float], expected: tuple[int, int, int, int]
) -> None:
    assert torch.equal(covered(points=[point])[0], rectangle(*expected))


@pytest.mark.parametrize("size", [(1, 1), (39, 20), (1, 5000), (8000, 8000)])
@pytest.mark.parametrize("config", [lite().resize, pro().resize])
@pytest.mark.parametrize("corner", [(0, 0), (1, 1)])
def test_a_point_covers_a_pixel_of_any_image(
    size: tuple[int, int], config: ResizeConfig, corner: tuple[int, int]
) -> None:
    point = (corner[0] * size[1], corner[1] * size[0])

    assert covered(image_geometry(size, config), points=[point]).any()


def test_several_clicks_on_an_object_add_up() -> None:
    both = covered(points=[[(20, 20), (100, 60)]])
    alone = covered(points=[(20, 20), (100, 60)])

    assert torch.equal(both[0], alone[0] | alone[1])


def test_excluded_clicks_go_to_the_negative_masks() -> None:
    prompts = Prompts(points=[[(60, 40), (20, 20)], (90, 30)], point_labels=[[1, 0], 1])

    regions = rasterise(prompts.marks, SAME_SIZE)

    assert torch.equal(regions.token_masks[0], rectangle(57, 38, 63, 42))
    assert regions.negative_masks is not None
    assert torch.equal(regions.negative_masks[0], rectangle(17, 18, 23, 22))
    assert not regions.negative_masks[1].any()


def test_without_excluded_clicks_there_are_no_negative_masks() -> None:
    assert rasterise(Prompts(points=[(1, 2)]).marks, SAME_SIZE).negative_masks is None


def test_only_points_and_scribbles_are_brightened() -> None:
    mask = np.ones((80, 120), bool)
    prompts = Prompts(
        points=[(1, 2)], boxes=[(1, 2, 3, 4)], scribbles=[[(5, 6)], mask], masks=[mask]
    )

    regions = rasterise(prompts.marks, SAME_SIZE)

    assert regions.brightened.tolist() == [True, False, True, True, False]


def test_drawn_pixels_and_masks_cover_themselves() -> None:
    pixels = np.random.default_rng(0).random((80, 120)) < 0.3
    expected = F.pad(torch.tensor(pixels), (0, 8, 0, 16))

    assert torch.equal(covered(masks=[pixels])[0], expected)
    assert torch.equal(covered(scribbles=[pixels])[0], expected)


def test_a_line_is_a_pixel_wide_in_a_small_image() -> None:
    assert torch.equal(covered(scribbles=[[(10, 20), (29, 20)]])[0], rectangle(10, 20, 30, 21))


def test_a_line_is_a_hundredth_of_the_shorter_side_wide() -> None:
    geometry = ImageGeometry((800, 1000), (800, 1000), (800, 1024), (800, 1000))

    line = covered(geometry, scribbles=[[(100, 400), (900, 400)]])[0]

    assert line[:, 500].sum() == 8
    assert line[400, 100:900].all()


@pytest.mark.parametrize("line", [[(60, 40)], [(120, 80)], [(0, 0), (120, 80)]])
def test_a_line_covers_its_points_also_at_the_border(line: list[tuple[int, int]]) -> None:
    mask = covered(scribbles=[line])[0]

    assert all(mask[min(y, 79), min(x, 119)] for x, y in line)


def resized_naively(mask: Tensor, geometry: ImageGeometry) -> Tensor:
    small = F.interpolate(mask[None, None].float(), geometry.resized, mode="bilinear")[0, 0] > 0
    (height, width), (padded_height, padded_width) = geometry.resized, geometry.padded
    return F.pad(small, (0, padded_width - width, 0, padded_height - height))


SIZES = st.tuples(st.integers(1, 150), st.integers(1, 150))
FRACTIONS = st.tuples(*[st.floats(0, 1)] * 4)


@given(SIZES, SIZES, FRACTIONS)
def test_a_box_is_resized_as_the_mask_of_its_pixels(
    original: tuple[int, int], resized: tuple[int, int], fractions: tuple[float, ...]
) -> None:
    geometry = ImageGeometry(original, resized, (150, 150), resized)
    x, y, across, down = fractions
    x1, y1 = int(x * (original[1] - 1)), int(y * (original[0] - 1))
    x2, y2 = (
        x1 + 1 + int(across * (original[1] - x1 - 1)),
        y1 + 1 + int(down * (original[0] - y1 - 1)),
    )

    naive = resized_naively(rectangle(x1, y1, x2, y2, original), geometry)
    found = covered(geometry, boxes=[(x1, y1, x2, y2)])[0]

    assert torch.equal(found, naive) if naive.any() else found.any()


def test_clicks_are_resized_as_the_mask_of_their_pixels() -> None:
    geometry = image_geometry((427, 640), ResizeConfig(shortest=100, longest=160))
    # 427 // 40 = 10 and 640 // 40 = 16.
    pixels = rectangle(84, 90, 116, 110, (427, 640)) | rectangle(284, 290, 316, 310, (427, 640))

    found = covered(geometry, points=[[(100, 100), (300, 300)]])[0]

    assert torch.equal(found, resized_naively(pixels, geometry))


@pytest.mark.parametrize("kind", ["boxes", "scribbles", "masks"])
def test_a_tiny_mark_on_a_huge_image_keeps_the_pixel_that_it_falls_into(kind: str) -> None:
    geometry = ImageGeometry((2000, 3000), (20, 30), (32, 32), (20, 30))
    mask = np.zeros((2000, 3000), bool)
    mask[1010, 2010] = True

    mark: Any = (2010, 1010, 2011, 1011) if kind == "boxes" else mask
    found = covered(geometry, **{kind: [mark]})[0]

    assert torch.equal(found, rectangle(20, 10, 21, 11, (32, 32)))


def test_boxes_of_marks_are_finer_than_the_pixels_of_the_input() -> None:
    geometry = ImageGeometry((800, 1200), (80, 120), (96, 128), (80, 120))
    drawn = np.zeros((800, 1200), dtype=bool)
    drawn[33:47, 101:224] = True
    marks = [
        *Prompts(boxes=[(101.5, 33.25, 224, 47)]).marks,
        *Prompts(masks=[drawn]).marks,
        *Prompts(scribbles=[drawn]).marks,
        *Prompts(points=[[(600, 400), (10, 10)]], point_labels=[[1, 0]]).marks,
    ]

    boxes = rasterise(marks, geometry).boxes

    assert boxes is not None
    pixels = boxes * torch.tensor([1280.0, 960.0, 1280.0, 960.0])
    exact = [101.0, 33.0, 224.0, 47.0]
    # A click reaches 800 // 40 = 20 rows and 1200 // 40 = 30 columns; that of label 0 is no part.
    expected = [[101.5, 33.25, 224.0, 47.0], exact, exact, [570.0, 380.0, 630.0, 420.0]]
    torch.testing.assert_close(pixels, torch.tensor(expected))


def test_no_marks_give_no_rows() -> None:
    regions = rasterise([], SAME_SIZE)

    assert regions.token_masks.shape == (0, 96, 128)
    assert regions.brightened.shape == (0,)
    assert regions.brightened.dtype == torch.bool


def test_boxes_partly_outside_are_clipped() -> None:
    marks = Prompts(boxes=[(-5, 2, 300, 90), (1, 2, 3, 4)]).marks

    clipped = fit_marks(marks, (80, 120))

    assert clipped == (BoxMark((0, 2, 120, 80)), BoxMark((1, 2, 3, 4)))


WIDE_MASK = np.ones((60, 120), bool)
OUTSIDE = "lies outside the image (width 120, height 80)"
MISPLACED: list[tuple[dict[str, Any], str]] = [
    ({"points": [(10, 10), (900.5, 20)]}, f"points: (900.5, 20) {OUTSIDE}"),
    ({"points": [(-1, 20)]}, f"points: (-1, 20) {OUTSIDE}"),
    ({"points": [[(1, 1), (5, 81)]], "point_labels": [[1, 0]]}, f"points: (5, 81) {OUTSIDE}"),
    ({"scribbles": [[(1, 1), (1e9, 1)]]}, f"scribbles: (1e+09, 1) {OUTSIDE}"),
    (
        {"boxes": [(120, 0, 130, 10)]},
        "boxes: (120, 0, 130, 10) does not overlap the image (width 120, height 80)",
    ),
    (
        {"masks": [WIDE_MASK]},
        "masks: a mask is [60, 120] but the image is [80, 120] ([height, width]); "
        "give masks at the size of the image",
    ),
    ({"scribbles": [WIDE_MASK]}, "scribbles: a mask is [60, 120] but the image is [80, 120]"),
]


@pytest.mark.parametrize(("arguments", "message"), MISPLACED)
def test_a_mark_that_is_not_on_the_image_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        covered(**arguments)
