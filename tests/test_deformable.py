"""Deformable attention against values worked out by hand and against plain grid_sample."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from glee.model.interfaces import LevelShapes
from glee.model.layers import deformable
from glee.model.layers.deformable import DeformableAttention, sample_deformable

SHAPES = ((6, 9), (3, 5), (1, 4), (3, 1), (1, 1))
CELLS = sum(h * w for h, w in SHAPES)


def grid_sample_reference(
    values: Tensor, shapes: LevelShapes, locations: Tensor, weights: Tensor
) -> Tensor:
    batch, _, heads, width = values.shape
    read = values.new_zeros(batch, locations.shape[1], heads, width)
    start = 0
    for level, (h, w) in enumerate(shapes):
        cells = values[:, start : start + h * w]
        start += h * w
        for b, m in itertools.product(range(batch), range(heads)):
            image = cells[b, :, m].T.reshape(1, width, h, w)
            grid = 2 * locations[b, :, m, level] - 1
            sampled = F.grid_sample(image, grid[None], align_corners=False)[0]  # [D, Q, P]
            read[b, :, m] += (sampled * weights[b, :, m, level]).sum(-1).T
    return read.flatten(2)


def random_inputs(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(2, CELLS, 2, 3, generator=generator, dtype=dtype)
    # Half of these lie outside, some of them many times the image's size.
    locations = torch.randn(2, 7, 2, len(SHAPES), 4, 2, generator=generator, dtype=dtype) + 0.5
    locations[:, 0] *= 50
    weights = torch.rand(2, 7, 2, len(SHAPES), 4, generator=generator, dtype=dtype)
    return values, locations, weights


def sample_one(cells: list[list[float]], x: float, y: float) -> float:
    values = torch.tensor(cells)
    location = torch.tensor([x, y]).view(1, 1, 1, 1, 1, 2)
    shapes = ((values.shape[0], values.shape[1]),)
    read = sample_deformable(values.view(1, -1, 1, 1), shapes, location, torch.ones(1, 1, 1, 1, 1))
    return read.item()


def attention_and_inputs(
    num_queries: int = 3,
) -> tuple[DeformableAttention, tuple[Tensor, Tensor, Tensor, LevelShapes]]:
    torch.manual_seed(0)
    attention = DeformableAttention(8, num_heads=2, num_levels=len(SHAPES), num_points=2)
    for parameter in attention.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    reference = torch.rand(2, num_queries, 4)
    return attention, (torch.randn(2, num_queries, 8), reference, torch.randn(2, CELLS, 8), SHAPES)


def test_a_sample_on_a_cell_centre_is_that_cell() -> None:
    assert sample_one([[1.0, 2.0], [3.0, 4.0]], x=0.75, y=0.25) == 2


def test_a_sample_between_cells_is_their_bilinear_mean() -> None:
    # A quarter of the way from the left to the right column, half way from the top to the bottom.
    assert sample_one([[0.0, 4.0], [8.0, 12.0]], x=0.375, y=0.5) == 5


def test_a_sample_half_a_cell_beyond_the_border_centre_is_half_of_it() -> None:
    assert sample_one([[6.0, 2.0], [6.0, 2.0]], x=0.0, y=0.5) == 3
    assert sample_one([[6.0, 6.0], [2.0, 2.0]], x=0.5, y=1.0) == 1
    assert sample_one([[8.0]], x=0.0, y=1.0) == 2  # both axes of a level of one cell


@pytest.mark.parametrize("x", [-0.25, 1.25, -1e6, 1e30, float("inf")])
def test_a_sample_a_whole_cell_beyond_the_border_centre_is_zero(x: float) -> None:
    assert sample_one([[1.0, 2.0], [3.0, 4.0]], x=x, y=0.5) == 0


def test_points_are_summed_by_their_weights_and_levels_are_read_in_order() -> None:
    values = torch.tensor([1.0, 2, 3, 4, 10]).view(1, 5, 1, 1)  # 2x2, then 1x1
    locations = torch.tensor([[[0.25, 0.25], [0.75, 0.75]], [[0.5, 0.5], [0.5, 0.5]]])
    weights = torch.tensor([[0.5, 0.25], [0.2, 0.05]])

    read = sample_deformable(
        values, ((2, 2), (1, 1)), locations.view(1, 1, 1, 2, 2, 2), weights.view(1, 1, 1, 2, 2)
    )

    torch.testing.assert_close(read, torch.tensor([[[0.5 * 1 + 0.25 * 4 + 0.25 * 10]]]))


@pytest.mark.parametrize("points_per_chunk", [1, 100, 65536])
def test_sampling_equals_grid_sample(
    points_per_chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deformable, "_POINTS_PER_CHUNK", points_per_chunk)
    values, locations, weights = random_inputs()

    read = sample_deformable(values, SHAPES, locations, weights)

    expected = grid_sample_reference(values, SHAPES, locations, weights)
    torch.testing.assert_close(read, expected, atol=1e-5, rtol=1e-5)


def test_the_form_for_export_and_other_devices_equals_grid_sample() -> None:
    values, locations, weights = random_inputs()

    read = deformable._sample_grids(values, SHAPES, locations, weights)

    expected = grid_sample_reference(values, SHAPES, locations, weights)
    torch.testing.assert_close(read, expected, atol=1e-5, rtol=1e-5)


def test_gradients_equal_those_of_grid_sample() -> None:
    inputs = [tensor.requires_grad_() for tensor in random_inputs(torch.float64)]
    values, locations, weights = inputs
    ours = sample_deformable(values, SHAPES, locations, weights)
    reference = grid_sample_reference(values, SHAPES, locations, weights)
    upstream = torch.randn(ours.shape, dtype=torch.float64, generator=torch.manual_seed(1))

    expected = torch.autograd.grad(reference, inputs, upstream)

    torch.testing.assert_close(torch.autograd.grad(ours, inputs, upstream), expected)


def test_gradients_equal_finite_differences() -> None:
    values, locations, weights = (t[:1, :3].requires_grad_() for t in random_inputs(torch.float64))
    values = torch.randn(1, 12, 2, 3, dtype=torch.float64, requires_grad=True)
    locations = locations[:, :, :, :2].detach().requires_grad_()
    weights = weights[:, :, :, :2].detach().requires_grad_()

    assert torch.autograd.gradcheck(
        lambda v, x, w: sample_deformable(v, ((3, 3), (1, 3)), x, w), (values, locations, weights)
    )


def test_a_location_on_a_cell_centre_has_the_slope_to_its_right() -> None:
    # Initial offsets are whole cells: without a slope there, training would begin with none.
    values = torch.tensor([1.0, 2, 5, 6]).view(1, 4, 1, 1)
    location = torch.tensor([0.375, 0.5]).view(1, 1, 1, 1, 1, 2).requires_grad_()

    sample_deformable(values, ((1, 4),), location, torch.ones(1, 1, 1, 1, 1)).backward()

    assert location.grad is not None
    assert location.grad.flatten()[0] == (5 - 2) * 4


def test_a_location_that_is_not_a_number_gives_no_number_for_its_query_only() -> None:
    values, locations, weights = random_inputs()
    locations[0, 2, 0, 1, 1, 0] = float("nan")

    read = sample_deformable(values, SHAPES, locations, weights)

    assert read[0, 2, :3].isnan().all()
    assert read.isnan().sum() == 3


def test_half_precision_values_are_sampled_in_float32() -> None:
    values, locations, weights = random_inputs()
    values = values.bfloat16()

    read = sample_deformable(values, SHAPES, locations, weights)

    expected = grid_sample_reference(values.float(), SHAPES, locations, weights)
    assert read.dtype == torch.bfloat16
    torch.testing.assert_close(read, expected.bfloat16())


def test_no_queries_read_nothing() -> None:
    values, locations, weights = random_inputs()

    read = sample_deformable(values, SHAPES, locations[:, :0], weights[:, :0])

    assert read.shape == (2, 0, 6)


def test_shapes_that_do_not_cover_the_values_are_refused() -> None:
    values, locations, weights = random_inputs()

    with pytest.raises(ValueError, match=f"values has {CELLS} cells"):
        sample_deformable(values, ((2, 2),) * 5, locations, weights)


def test_locations_of_another_number_of_levels_are_refused() -> None:
    values, locations, weights = random_inputs()

    with pytest.raises(ValueError, match=r"locations is .* must be \[2, 7, 2, 5, 4, 2\]"):
        sample_deformable(values, SHAPES, locations[:, :, :, :4], weights)


def test_points_are_offset_by_cells_of_each_level() -> None:
    attention = DeformableAttention(4, num_heads=1, num_levels=2, num_points=1)
    with torch.no_grad():
        attention.offsets.bias.copy_(torch.tensor([1.0, -1.0, 2.0, 0.5]))
    reference = torch.tensor([[[0.5, 0.5]]])

    locations = attention._locate(torch.zeros(1, 1, 4), reference, ((4, 8), (2, 5)))

    expected = torch.tensor([[0.5 + 1 / 8, 0.5 - 1 / 4], [0.5 + 2 / 5, 0.5 + 0.5 / 2]])
    torch.testing.assert_close(locations.view(2, 2), expected)


def test_points_around_a_box_are_offset_by_half_its_size_at_the_last_point() -> None:
    attention = DeformableAttention(4, num_heads=1, num_levels=1, num_points=4)
    with torch.no_grad():
        attention.offsets.bias.copy_(torch.tensor([1.0, 2, 3, 4]).repeat_interleave(2))
    reference = torch.tensor([[[0.5, 0.5, 0.4, 0.2]]])

    locations = attention._locate(torch.zeros(1, 1, 4), reference, ((4, 8),))

    torch.testing.assert_close(locations[0, 0, 0, 0, 3], torch.tensor([0.7, 0.6]))
    torch.testing.assert_close(locations[0, 0, 0, 0, 0], torch.tensor([0.55, 0.525]))


def test_a_new_layer_looks_in_eight_directions_ever_farther() -> None:
    attention = DeformableAttention(16, num_heads=8, num_levels=2, num_points=3)

    offsets = attention.offsets.bias.detach().view(8, 2, 3, 2)

    compass = [(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)]
    expected = torch.tensor(compass)[:, None, None] * torch.tensor([1.0, 2, 3])[:, None]
    torch.testing.assert_close(offsets, expected.expand(8, 2, 3, 2), atol=1e-5, rtol=0)


def test_a_new_layer_weighs_all_its_points_alike_and_adds_no_bias() -> None:
    attention = DeformableAttention(16, num_heads=8, num_levels=2, num_points=3)

    zero = (attention.offsets.weight, attention.weights.weight, attention.weights.bias)

    assert not any(p.any() for p in (*zero, attention.value.bias, attention.out.bias))
    bound = (6 / (16 + 16)) ** 0.5  # Xavier, uniform
    assert 0.9 * bound < attention.value.weight.abs().max() <= bound
    assert 0.9 * bound < attention.out.weight.abs().max() <= bound


@pytest.mark.parametrize("spread", [0.3, 10.0], ids=["inside", "mostly outside"])
def test_both_orders_of_projection_agree(spread: float) -> None:
    attention, (query, reference, memory, shapes) = attention_and_inputs()
    locations = attention._locate(query, (reference - 0.5) * spread + 0.5, shapes)
    weights = torch.rand(locations.shape[:-1])

    first = attention._project_then_sample(memory, shapes, locations, weights)
    last = attention._sample_then_project(memory, shapes, locations, weights)

    torch.testing.assert_close(last, first, atol=1e-5, rtol=1e-5)


def test_both_orders_of_projection_have_the_same_gradients() -> None:
    attention, (query, reference, memory, shapes) = attention_and_inputs()
    inputs = (memory.requires_grad_(), reference.requires_grad_(), *attention.value.parameters())

    def gradients(order: str) -> tuple[Tensor, ...]:
        locations = attention._locate(query, reference, shapes)
        weights = torch.full(locations.shape[:-1], 0.1)
        read = getattr(attention, order)(memory, shapes, locations, weights)
        return torch.autograd.grad(read.square().sum(), inputs)

    torch.testing.assert_close(
        gradients("_sample_then_project"), gradients("_project_then_sample"), atol=1e-4, rtol=1e-4
    )


def test_few_queries_are_projected_last_and_as_many_as_cells_first() -> None:
    attention = DeformableAttention(256, num_heads=8, num_levels=4, num_points=4)

    assert attention._projects_last(300, 22323)
    assert not attention._projects_last(22323, 22323)


@pytest.mark.parametrize("num_queries", [2, 2 * CELLS], ids=["few", "many"])
def test_the_layer_equals_its_formula(num_queries: int) -> None:
    attention, (query, reference, memory, shapes) = attention_and_inputs(num_queries)
    values = attention.value(memory).view(2, CELLS, 2, 4)
    offsets = attention.offsets(query).view(2, num_queries, 2, len(SHAPES), 2, 2)
    boxes = reference[:, :, None, None, None]
    weights = attention.weights(query).view(2, num_queries, 2, -1).softmax(-1)

    read = grid_sample_reference(
        values,
        shapes,
        boxes[..., :2] + offsets / 2 * boxes[..., 2:] * 0.5,
        weights.view(2, num_queries, 2, len(SHAPES), 2),
    )

    actual = attention(query, reference, memory, shapes)
    torch.testing.assert_close(actual, attention.out(read), atol=1e-5, rtol=1e-5)


def test_a_reference_of_one_row_is_shared_by_the_batch() -> None:
    attention, (query, reference, memory, shapes) = attention_and_inputs()
    shared = reference[:1, :, :2]

    read = attention(query, shared, memory, shapes)

    torch.testing.assert_close(read, attention(query, shared.expand(2, -1, -1), memory, shapes))


@pytest.mark.parametrize("num_queries", [2, 2 * CELLS], ids=["few", "many"])
def test_the_exported_layer_gives_the_same_numbers(num_queries: int) -> None:
    attention, inputs = attention_and_inputs(num_queries)

    exported = torch.export.export(attention, inputs)

    operators = {str(node.target) for node in exported.graph.nodes}
    assert not any("embedding_bag" in operator for operator in operators)
    torch.testing.assert_close(exported.module()(*inputs), attention(*inputs), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("num_queries", [2, 2 * CELLS], ids=["few", "many"])
def test_a_layer_in_bfloat16_stays_close_to_float32(num_queries: int) -> None:
    attention, (query, reference, memory, shapes) = attention_and_inputs(num_queries)
    for parameter in attention.parameters():  # so that rounding acts on what is computed only
        parameter.data = parameter.data.bfloat16().float() * 0.5
    full = attention(query, reference, memory, shapes)

    half = attention.bfloat16()(query.bfloat16(), reference, memory.bfloat16(), shapes)

    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), full, atol=0.1, rtol=0.05)


def test_a_reference_of_three_numbers_is_refused() -> None:
    attention, (query, reference, memory, shapes) = attention_and_inputs()

    with pytest.raises(ValueError, match="got 3 numbers"):
        attention(query, reference[..., :3], memory, shapes)


def test_a_pyramid_of_another_number_of_levels_is_refused() -> None:
    attention, (query, reference, memory, _) = attention_and_inputs()

    with pytest.raises(ValueError, match="shapes has 1 levels, this layer has 5"):
        attention(query, reference, memory, ((1, CELLS),))


def test_a_width_that_the_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match=r"width \(10\) must be a multiple of num_heads \(4\)"):
        DeformableAttention(10, num_heads=4, num_levels=1, num_points=1)
