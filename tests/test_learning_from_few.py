"""The choices by which a network learns from few images: see ObjectDecoderConfig."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from glee.config import GleeConfig, ObjectDecoderConfig, tiny
from glee.model.build import build_glee
from glee.model.heads import Heads
from glee.model.interfaces import PromptBatch, Regions
from glee.model.layers.position import inverse_sigmoid
from glee.model.mark_places import LEAST, POWER, MarkPlaces
from glee.model.mask_maps import make_masks, mask_logits, read_masks
from glee.model.object_decoder import Queries
from glee.model.query_selection import QuerySelection, Reach, cell_boxes

FEW = ObjectDecoderConfig(
    num_queries=2,
    num_heads=1,
    cell_reach=True,
    relative_boxes=True,
    box_masks=True,
    mark_places=True,
)


def test_the_boxes_of_cells_reach_from_their_centres_in_cells() -> None:
    reach = Reach(2)
    nn.init.zeros_(reach.sides.layers[-1].weight)
    # softplus(x) = 1, 1, 2 and 3 cells to the left, up, right and down.
    sides = torch.tensor([1.0, 1.0, 2.0, 3.0]).expm1().log()
    reach.sides.layers[-1].bias.data.copy_(sides)

    box = reach(torch.zeros(1, 2), torch.tensor([[0.5, 0.5, 0.1, 0.05]]))

    # x from .4 to .7, y from .45 to .65
    torch.testing.assert_close(box, torch.tensor([[0.55, 0.55, 0.3, 0.2]]))


def test_cells_are_boxes_of_their_size() -> None:
    boxes = cell_boxes(((1, 2), (2, 4)), torch.zeros(()))

    assert boxes[1].tolist() == pytest.approx([0.75, 0.5, 0.5, 0.999])
    assert boxes[-1].tolist() == pytest.approx([0.875, 0.75, 0.25, 0.5])


def three_cells(scores: list[float], reaches: list[float]) -> tuple[QuerySelection, Tensor, Heads]:
    """Three cells in a row, each a third of the image wide, that reach so many cells each way."""
    selection, heads = QuerySelection(2, FEW), Heads(2, FEW)
    nn.init.eye_(selection.project.weight)
    nn.init.zeros_(selection.project.bias)
    nn.init.eye_(heads.similarity.weight)
    selection.norm = nn.Identity()  # type: ignore[assignment]
    sides = nn.Linear(2, 4)
    with torch.no_grad():
        sides.weight.copy_(torch.tensor([[0.0, 1.0]] * 4))
        sides.bias.zero_()
    selection.reach.sides = sides  # type: ignore[union-attr, assignment]
    softplus = torch.tensor(reaches).expm1().log()
    return selection, torch.stack([torch.tensor(scores), softplus], dim=1)[None], heads


@torch.no_grad()
def test_a_cell_that_shows_the_object_of_a_better_one_becomes_a_query_last() -> None:
    names = torch.tensor([[[1.0, 0.0]]])
    alike, cells, heads = three_cells([0.9, 0.8, 0.1], [2.0, 2.0, 0.1])

    chosen = alike(cells, ((1, 3),), names, heads, by_confidence=False)

    # The first two cover nearly the whole image; the third is small.
    assert chosen.index[0].tolist() == [0, 2]

    apart, cells, heads = three_cells([0.9, 0.8, 0.1], [0.3, 0.3, 0.1])
    chosen = apart(cells, ((1, 3),), names, heads, by_confidence=False)
    assert chosen.index[0].tolist() == [0, 1]


@torch.no_grad()
def test_boxes_move_by_shares_of_their_sides() -> None:
    heads = Heads(2, FEW)
    heads.box.layers[-1].bias.copy_(torch.tensor([0.5, -0.5, 0.0, math.log(2)]))

    box = heads.refine(torch.zeros(1, 2), torch.tensor([[0.4, 0.6, 0.2, 0.1]]))

    torch.testing.assert_close(box, torch.tensor([[0.5, 0.55, 0.2, 0.2]]))


@torch.no_grad()
def test_a_mask_starts_as_an_ellipse_in_its_box() -> None:
    heads = Heads(4, FEW)
    nn.init.zeros_(heads.mask.layers[-1].weight)
    nn.init.zeros_(heads.mask.layers[-1].bias)
    box = torch.tensor([[[0.5, 0.25, 0.5, 0.25]]])

    outputs = heads(torch.randn(1, 1, 4), box, torch.randn(1, 1, 4))
    mask = mask_logits(outputs, torch.zeros(1, 4, 32, 32))[0, 0] > 0

    rows, columns = mask.any(1).nonzero(), mask.any(0).nonzero()
    # The radius is 1.18 halves of the box: x .2 to .8, y .1 to .4, in 64 cells, twice as fine as
    # the features.
    assert (int(columns[0]), int(columns[-1])) == (13, 50)
    assert (int(rows[0]), int(rows[-1])) == (7, 24)
    assert mask.sum().item() == pytest.approx(torch.pi * 18.93 * 9.47, rel=0.03)


def test_masks_read_at_points_are_the_maps_there() -> None:
    kernels, bias = torch.randn(1, 3, 8), torch.randn(1, 3)
    features = torch.randn(1, 4, 2, 2).repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)
    rows, columns = torch.tensor([3, 12, 27]), torch.tensor([5, 20, 9])
    points = torch.stack([columns + 0.5, rows + 0.5], dim=1) / 32

    read = read_masks(kernels[0], features[0][:, rows // 2, columns // 2], points)

    maps = make_masks(kernels, bias, features)[0]
    torch.testing.assert_close(read + bias[0, :, None], maps[:, rows, columns])


def test_of_no_queries_there_are_no_masks() -> None:
    masks = make_masks(torch.zeros(2, 0, 8), torch.zeros(2, 0), torch.zeros(2, 4, 6, 8))

    assert masks.shape == (2, 0, 12, 16)


def regions(*brightened: bool) -> Regions:
    """Rows 8 to 15 and columns 4 to 11 of 16 x 16 pixels, on each image."""
    masks = torch.zeros(len(brightened), 16, 16, dtype=torch.bool)
    masks[:, 8:16, 4:12] = True
    return Regions(masks, masks, torch.tensor(brightened))


def test_a_box_agrees_with_an_exact_mark_by_their_overlap() -> None:
    places = MarkPlaces.of(regions(False), frames=1)
    half = torch.tensor([[0.5, 0.625, 0.5, 0.25]])  # its upper half
    whole = torch.tensor([[0.5, 0.5, 1.0, 1.0]])
    apart = torch.tensor([[0.1, 0.1, 0.1, 0.1]])

    added = places.log_agreement(torch.stack([half, whole, apart], dim=1))

    torch.testing.assert_close((added / POWER).exp()[0], torch.tensor([0.5, 0.25, LEAST]))


def test_a_point_means_what_it_lies_in_and_rather_small_things_and_the_middle_of_things() -> None:
    places = MarkPlaces.of(regions(True), frames=1)  # its middle is at .5, .75
    around, larger = [0.5, 0.75, 0.5, 0.5], [0.5, 0.75, 0.8, 0.5]
    aside, apart = [0.6, 0.75, 0.8, 0.5], [0.1, 0.1, 0.1, 0.1]

    added = places.log_agreement(torch.tensor([[around, larger, aside, apart]]))[0]

    assert added[0] > added[1] > added[2] > added[3]


def test_the_object_of_a_given_box_is_the_last_query_and_keeps_the_box() -> None:
    places = MarkPlaces.of(regions(False, True), frames=1)
    boxes = torch.tensor([[0.2, 0.2, 0.1, 0.1], [0.5, 0.5, 0.4, 0.4]]).expand(2, -1, -1)

    fixed = places.fixed(2)
    settled = Queries(torch.zeros(2, 2, 3), boxes, fixed=fixed).settle(torch.rand(2, 2, 4))

    assert fixed.tolist() == [[False, True], [False, False]]
    torch.testing.assert_close(settled[0, 1], boxes[0, 1])
    assert not settled.isclose(boxes).all(dim=2)[~fixed].any()


def test_of_points_nothing_is_known_on_later_frames() -> None:
    places = MarkPlaces.of(regions(False, True), frames=2)

    assert places.known.tolist() == [True, True, True, False]
    assert not places.log_agreement(torch.rand(4, 3, 4))[3].any()


def test_an_empty_region_has_a_place_of_no_size() -> None:
    empty = torch.zeros(1, 8, 8, dtype=torch.bool)

    places = MarkPlaces.of(Regions(empty, empty, torch.tensor([False])), frames=1)

    assert places.boxes.tolist() == [[0, 0, 0, 0]]
    assert places.log_agreement(torch.rand(1, 3, 4)).isfinite().all()


@pytest.fixture
def config() -> GleeConfig:
    few = replace(FEW, num_queries=20, num_heads=2, num_points=2, num_layers=2, mlp_width=64)
    return replace(tiny(), object_decoder=few, coarse_context=True)


@torch.no_grad()
def test_unread_cells_are_those_of_a_network_that_adds_nothing(config: GleeConfig) -> None:
    model = build_glee(config).eval()
    nn.init.zeros_(model.early_fusion.gain)
    for layer in model.pixel_decoder.layers:
        for linear in (layer.attention.out, layer.feed_forward.reduce):
            nn.init.zeros_(linear.weight)
            nn.init.zeros_(linear.bias)
    image = model.encode_image(torch.randn(1, 3, 64, 96))
    tokens = torch.randn(3, config.width)

    outputs = model.detect(image, PromptBatch(model.names_prompt(tokens, tokens)), every_layer=True)

    assert outputs.cells is not None
    torch.testing.assert_close(
        outputs.cells.content, model.unread_cells(image).content, atol=1e-3, rtol=1e-3
    )


def test_sigmoids_of_cells_come_back() -> None:
    boxes = cell_boxes(((1, 1), (3, 5)), torch.zeros(()))

    torch.testing.assert_close(inverse_sigmoid(boxes).sigmoid(), boxes)
