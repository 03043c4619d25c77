"""Maps and masks read between their cells."""

import pytest
import torch
from torch import Tensor

from glee.ops.points import points_inside, sample_maps, sample_masks


@pytest.fixture
def points() -> Tensor:
    return torch.rand(3, 200, 2, generator=torch.Generator().manual_seed(0))


def test_a_map_is_read_linearly_between_the_centres_of_its_cells() -> None:
    maps = torch.tensor([[[[1.0, 3.0], [5.0, 7.0]]]])
    points = torch.tensor([[[0.25, 0.25], [0.75, 0.25], [0.5, 0.5], [0.375, 0.75]]])

    torch.testing.assert_close(sample_maps(maps, points), torch.tensor([[[1.0, 3.0, 4.0, 5.5]]]))


def test_beyond_the_outermost_centres_a_map_falls_to_zero() -> None:
    maps = torch.full((1, 1, 2, 2), 8.0)
    points = torch.tensor([[[0.0, 0.25], [1.0, 0.75], [0.0, 0.0], [0.125, 0.5]]])

    torch.testing.assert_close(sample_maps(maps, points), torch.tensor([[[4.0, 4.0, 2.0, 6.0]]]))


def test_masks_are_read_as_maps_of_zeros_and_ones_are(points: Tensor) -> None:
    masks = torch.rand(4, 7, 5, generator=torch.Generator().manual_seed(1)) > 0.5
    rows = torch.tensor([3, 0, 3])

    expected = sample_maps(masks[rows, None].float(), points).squeeze(1)
    torch.testing.assert_close(sample_masks(masks, rows, points), expected)


def test_what_lies_inside_is_what_a_map_of_ones_reads(points: Tensor) -> None:
    ones = torch.ones(3, 1, 4, 6)

    torch.testing.assert_close(points_inside(points, (4, 6)), sample_maps(ones, points)[:, 0])


def test_reading_is_linear_so_that_channels_may_be_mixed_before_or_after(points: Tensor) -> None:
    generator = torch.Generator().manual_seed(2)
    maps, mix = torch.randn(3, 6, 8, 9, generator=generator), torch.randn(2, 6, generator=generator)

    before = sample_maps(torch.einsum("nc,bchw->bnhw", mix, maps), points)

    torch.testing.assert_close(mix @ sample_maps(maps, points), before, rtol=1e-4, atol=1e-5)


def test_nothing_is_read_of_no_masks_and_at_no_points(points: Tensor) -> None:
    no_rows = torch.zeros(0, dtype=torch.int64)
    masks = torch.ones(2, 4, 4, dtype=torch.bool)

    assert sample_masks(masks[:0], no_rows, points[:0]).shape == (0, 200)
    assert sample_masks(masks, no_rows + 1, points[:0]).shape == (0, 200)
    assert sample_maps(torch.ones(1, 2, 4, 4), points[:1, :0]).shape == (1, 2, 0)
