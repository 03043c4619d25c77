import math

import pytest
import torch

from glee.config import ObjectDecoderConfig
from glee.model.glee import GLEE
from glee.model.heads import Heads
from glee.model.interfaces import PromptBatch
from glee.model.layers.position import (
    cell_centres,
    encode_boxes,
    encode_cells,
    encode_sine,
    inverse_sigmoid,
)
from glee.model.mask_maps import mask_logits
from glee.model.query_selection import prior_boxes
from glee.model.visual_prompts import choose_points, resize_aligned, template_window


def test_the_first_frequency_of_a_sine_encoding_is_the_position_itself() -> None:
    encoded = encode_sine(torch.tensor([0.5]), 4)

    expected = [math.sin(0.5), math.cos(0.5), math.sin(0.005), math.cos(0.005)]
    torch.testing.assert_close(encoded, torch.tensor([expected]))


def test_cells_of_a_row_share_the_first_half_of_their_encoding() -> None:
    encoded = encode_cells((3, 5), 8, torch.zeros(())).view(3, 5, 8)

    assert torch.equal(encoded[1, 0, :4], encoded[1, 4, :4])
    assert torch.equal(encoded[0, 2, 4:], encoded[2, 2, 4:])
    assert not torch.equal(encoded[0, 0, :4], encoded[1, 0, :4])


def test_boxes_are_encoded_in_the_order_y_x_width_height() -> None:
    boxes = torch.tensor([[[0.1, 0.2, 0.3, 0.4]]])

    encoded = encode_boxes(boxes, 4)[0, 0].view(4, 4)

    torch.testing.assert_close(encoded[:, 0], (boxes[0, 0, [1, 0, 2, 3]] * 2 * math.pi).sin())


def test_cell_centres_lie_half_a_cell_inside() -> None:
    centres = cell_centres(((1, 2), (1, 1)), torch.zeros(()))

    assert centres.tolist() == [[0.25, 0.5], [0.75, 0.5], [0.5, 0.5]]


def test_the_inverse_sigmoid_is_finite_at_both_ends_and_exact_between() -> None:
    x = torch.tensor([0.0, 0.25, 1.0])

    assert inverse_sigmoid(x).isfinite().all()
    torch.testing.assert_close(inverse_sigmoid(x)[1].sigmoid(), x[1])


def test_prior_boxes_double_with_each_finer_level_and_avoid_the_border() -> None:
    logits, valid = prior_boxes(((1, 1), (1, 60)), torch.zeros(()))

    assert logits.sigmoid()[0].tolist() == pytest.approx([0.5, 0.5, 0.05, 0.05])
    assert logits.sigmoid()[30].tolist() == pytest.approx([29.5 / 60, 0.5, 0.1, 0.1])
    assert valid.tolist() == [True, False, *[True] * 58, False]  # first and last within 0.01
    assert torch.isinf(logits[1]).all()


@torch.no_grad()
def test_masks_of_kernels_are_those_of_projected_features() -> None:
    heads, features = Heads(8, ObjectDecoderConfig()), torch.randn(1, 8, 3, 4)
    queries = torch.randn(1, 5, 8)

    ours = mask_logits(heads(queries, torch.zeros(1, 5, 4), torch.randn(1, 2, 8)), features)

    projected = heads.mask_features(features.movedim(1, -1))
    expected = torch.einsum("bqc,bhwc->bqhw", heads.mask(heads.norm(queries)), projected)
    torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize(
    ("region", "rows", "columns"),
    [
        # 11 x 21 pixels count as 10 x 20; 2 * sqrt(200) = 28.3 gives a side of 29 around (30, 50)
        ((slice(25, 36), slice(40, 61)), slice(16, 45), slice(36, 65)),
        # shifted, not cut, at the left and top
        ((slice(0, 11), slice(0, 11)), slice(0, 20), slice(0, 20)),
        # one row counts as none
        ((slice(30, 31), slice(40, 61)), slice(30, 30), slice(50, 50)),
    ],
)
def test_the_template_is_cut_around_the_region_at_twice_its_size(
    region: tuple[slice, slice], rows: slice, columns: slice
) -> None:
    mask = torch.zeros(100, 100, dtype=torch.bool)
    mask[region] = True

    assert template_window(mask) == (rows, columns)


def test_few_pixels_are_all_chosen_and_the_rest_is_padding() -> None:
    masks = torch.zeros(2, 4, 8, dtype=torch.bool)
    masks[0, 1, 2] = masks[1, 0, 4] = masks[1, 3, 7] = True

    places, valid = choose_points(masks, 10, None)

    assert places[0, 0].tolist() == [2 / 8, 1 / 4]
    assert places[1].tolist() == [[4 / 8, 0], [7 / 8, 3 / 4]]
    assert valid.tolist() == [[True, False], [True, True]]


def test_many_pixels_are_spread_evenly_and_the_same_each_time() -> None:
    masks = torch.ones(1, 10, 100, dtype=torch.bool)

    places, valid = choose_points(masks, 10, None)

    assert (places[0, :, 1] * 10).tolist() == pytest.approx(list(range(10)))  # one in each row
    assert valid.all()
    assert torch.equal(places, choose_points(masks, 10, None)[0])


def test_a_generator_chooses_points_reproducibly_and_without_repetition() -> None:
    masks = torch.ones(1, 10, 10, dtype=torch.bool)

    first, second = (
        choose_points(masks, 40, torch.Generator().manual_seed(seed))[0] for seed in (3, 3)
    )

    assert torch.equal(first, second)
    assert len(first[0].unique(dim=0)) == 40


def test_aligned_enlargement_repeats_the_first_pixel_and_reaches_the_last() -> None:
    enlarged = resize_aligned(torch.tensor([[[[0.0, 4.0]]]]), 2)

    assert enlarged[0, 0, 0].tolist() == [0.0, 0.0, 2.0, 4.0]


def test_the_same_network_takes_images_of_other_sizes(model: GLEE) -> None:
    prompt = PromptBatch(model.names_prompt(torch.randn(3, 32), torch.randn(1, 32)))

    for height, width in ((32, 32), (64, 160), (96, 64)):
        outputs = model(torch.randn(1, 3, height, width), prompt)
        assert outputs.mask_features.shape[2:] == (height // 4, width // 4)


def test_gradients_reach_every_parameter_that_has_a_use(model: GLEE) -> None:
    ids, valid = torch.tensor([[49406, 320, 49407]]), torch.ones(1, 3, dtype=torch.bool)
    tokens = model.project_text(ids, valid)
    prompt = PromptBatch(model.names_prompt(tokens[0], tokens.mean(1)))

    outputs = model(torch.randn(1, 3, 64, 96), prompt, every_layer=True)
    sets = [outputs.final, outputs.proposals, *outputs.auxiliary]
    masks = [mask_logits(found, outputs.mask_features).sum() for found in sets if found]
    values = [f.logits.sum() + f.boxes_cxcywh.sum() + f.confidence.sum() for f in sets if f]
    sum([*masks, *values]).backward()

    unused = {name for name, value in model.named_parameters() if value.grad is None}
    model.zero_grad()
    assert {name.split(".")[0] for name in unused} <= {"template_encoder", "point_sampler"}
