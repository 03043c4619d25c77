import pytest
import torch
from torch import Tensor

from glee.config import ObjectDecoderConfig
from glee.data.targets import Targets
from glee.model.heads import Heads
from glee.model.interfaces import CellQueries
from glee.training.cell_losses import assign_cells, cell_losses
from glee.training.config import CriterionConfig

# Four cells in a row, each a quarter of the image wide.
CENTRES = torch.tensor([[0.125, 0.5], [0.375, 0.5], [0.625, 0.5], [0.875, 0.5]])
VALID = torch.ones(4, dtype=torch.bool)


def one_object(box: list[float], label: int = 0) -> Targets:
    return Targets(labels=torch.tensor([label]), boxes_cxcywh=torch.tensor([box]))


def boxes_at(*cells: int, box: list[float]) -> Tensor:
    boxes = torch.tensor([0.5, 0.5, 0.01, 0.01]).repeat(4, 1)
    boxes[list(cells)] = torch.tensor(box)
    return boxes


def test_cells_inside_an_object_that_fit_it_best_stand_for_it() -> None:
    box = [0.25, 0.5, 0.5, 1.0]  # the left half: cells 0 and 1
    boxes = boxes_at(1, 3, box=box)

    found = assign_cells(torch.zeros(4, 1), boxes, (CENTRES, VALID), one_object(box), 1)

    assert found.cell.tolist() == [1]
    assert found.quality.tolist() == [1.0]  # its box overlaps fully


def test_the_quality_of_other_cells_falls_with_how_well_they_fit() -> None:
    box = [0.25, 0.5, 0.5, 1.0]
    boxes = boxes_at(0, box=box)
    boxes[1] = torch.tensor([0.25, 0.5, 0.5, 0.5])  # half of it

    found = assign_cells(torch.zeros(4, 1), boxes, (CENTRES, VALID), one_object(box), 2)

    assert found.cell.tolist() == [0, 1]
    torch.testing.assert_close(found.quality, torch.tensor([1.0, 0.5**3]))


def test_an_object_smaller_than_a_cell_takes_the_nearest_one() -> None:
    box = [0.7, 0.5, 0.02, 0.02]

    found = assign_cells(
        torch.zeros(4, 1), boxes_at(2, box=box), (CENTRES, VALID), one_object(box), 3
    )

    assert found.cell.tolist() == [2]


def test_cells_that_cannot_become_queries_stand_for_nothing() -> None:
    box = [0.25, 0.5, 0.5, 1.0]
    valid = torch.tensor([False, True, True, True])

    found = assign_cells(
        torch.zeros(4, 1), boxes_at(0, 1, box=box), (CENTRES, valid), one_object(box), 4
    )

    assert found.cell.tolist() == [1]


def test_a_cell_within_two_objects_stands_for_the_one_it_overlaps_more() -> None:
    small, large = [0.375, 0.5, 0.25, 1.0], [0.5, 0.5, 1.0, 1.0]
    truth = Targets(labels=torch.tensor([0, 0]), boxes_cxcywh=torch.tensor([large, small]))

    found = assign_cells(torch.zeros(4, 1), boxes_at(1, box=small), (CENTRES, VALID), truth, 1)

    assert dict(zip(found.cell.tolist(), found.object.tolist(), strict=True))[1] == 1


@pytest.fixture
def heads() -> Heads:
    torch.manual_seed(0)
    return Heads(8, ObjectDecoderConfig())


@pytest.fixture
def cells() -> CellQueries:
    torch.manual_seed(0)
    logits = torch.cat([CENTRES, torch.full((4, 2), 0.25)], dim=1).logit()
    return CellQueries(torch.randn(1, 4, 8), logits, VALID)


def boxes_of(cells: CellQueries, heads: Heads) -> Tensor:
    return (heads.box(cells.content) + cells.box_logits).sigmoid()


def test_what_an_image_says_nothing_of_is_not_denied(heads: Heads, cells: CellQueries) -> None:
    classes, config = torch.randn(1, 2, 8), CriterionConfig(cells_per_object=1)
    nothing = Targets(
        labels=torch.zeros(0, dtype=torch.int64),
        boxes_cxcywh=torch.zeros(0, 4),
        exhaustive=torch.tensor([False, False]),
    )

    losses = cell_losses(cells, boxes_of(cells, heads), classes, heads, [nothing], config)

    assert losses["cells_semantic"] == 0


def test_only_marked_images_teach_confidence(heads: Heads, cells: CellQueries) -> None:
    classes, config = torch.randn(1, 2, 8), CriterionConfig(cells_per_object=1)
    plain = one_object([0.25, 0.5, 0.5, 1.0])
    marked = Targets(labels=plain.labels, boxes_cxcywh=plain.boxes_cxcywh, marked=True)

    without, with_mark = (
        cell_losses(cells, boxes_of(cells, heads), classes, heads, [truth], config)[
            "cells_confidence"
        ]
        for truth in (plain, marked)
    )

    assert without == 0
    assert with_mark > 0


def test_no_objects_teach_no_boxes_but_have_a_gradient(heads: Heads, cells: CellQueries) -> None:
    nothing = Targets(labels=torch.zeros(0, dtype=torch.int64), boxes_cxcywh=torch.zeros(0, 4))
    config = CriterionConfig(cells_per_object=2)

    boxes = boxes_of(cells, heads)
    losses = cell_losses(cells, boxes, torch.randn(1, 2, 8), heads, [nothing], config)
    torch.stack(list(losses.values())).sum().backward()

    assert losses["cells_box_l1"] == losses["cells_box_giou"] == 0
    assert heads.similarity.weight.grad is not None
