import pytest
import torch
from torch import Tensor, nn

from glee.config import ObjectDecoderConfig
from glee.model.heads import Heads
from glee.model.interfaces import CellQueries, FeaturePyramid
from glee.training.cell_distillation import DenseLabels, DenseTeacher, cell_distillation
from glee.training.config import CriterionConfig


class Numbered(nn.Module):
    """A detector that says of each cell its number, finest level first."""

    def forward(self, pixels: Tensor, _: FeaturePyramid) -> tuple[Tensor, Tensor]:
        height, width = pixels.shape[2:]
        count = sum((height // s) * (width // s) for s in (8, 16, 32))
        scores = torch.arange(count, dtype=torch.float32)[None, :, None]
        boxes = torch.tensor([0.0, 0.0, width / 2, height]).expand(1, count, 4)
        return scores, boxes


def test_labels_come_coarsest_level_first_with_boxes_in_shares_of_the_image() -> None:
    labels = DenseTeacher(Numbered(), ("thing",))(torch.zeros(1, 3, 32, 64), FeaturePyramid(()))

    # 4 x 8 cells of stride 8, then 2 x 4 of 16, then 1 x 2 of 32.
    numbers = labels.scores[0, :, 0].int().tolist()
    assert numbers == [40, 41, *range(32, 40), *range(32)]
    assert labels.boxes_cxcywh[0, 0].tolist() == [0.25, 0.5, 0.5, 1.0]


@pytest.fixture
def heads() -> Heads:
    torch.manual_seed(0)
    heads = Heads(4, ObjectDecoderConfig())
    with torch.no_grad():
        heads.similarity.weight.copy_(torch.eye(4))
    return heads


def losses_of(heads: Heads, score: float, logit: float) -> dict[str, Tensor]:
    """One cell of the coarsest level, which learns nothing, and one that the detector sees."""
    content = torch.zeros(1, 2, 4)
    content[0, :, 0] = logit
    prior = torch.tensor([[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5]]).logit()
    cells = CellQueries(content, prior, torch.ones(2, dtype=torch.bool))
    labels = DenseLabels(torch.tensor([[[score]]]), torch.tensor([[[0.5, 0.5, 0.5, 0.5]]]))
    classes = torch.tensor([[[1.0, 0.0, 0.0, 0.0]]])
    boxes = (heads.box(content) + prior).sigmoid()
    return cell_distillation(cells, boxes, classes, heads, labels, CriterionConfig())


def test_a_cell_that_says_what_the_detector_says_has_nothing_to_learn(heads: Heads) -> None:
    losses = losses_of(heads, score=0.5, logit=0.0)

    assert {name: round(value.item(), 6) for name, value in losses.items()} == {
        "taught_semantic": 0.0,
        "taught_box_l1": 0.0,
        "taught_box_giou": 0.0,
    }


def test_a_wrong_score_costs_its_squared_error_times_the_cross_entropy(heads: Heads) -> None:
    losses = losses_of(heads, score=1.0, logit=0.0)

    # The error is 0.5, the cross-entropy log 2, the sum of scores 1, the weight 4.
    expected = torch.tensor(4 * 0.25 * 2.0).mul(torch.tensor(2.0).log() / 2)
    torch.testing.assert_close(losses["taught_semantic"], expected)


def test_boxes_of_cells_where_the_detector_sees_nothing_are_not_taught(heads: Heads) -> None:
    nn.init.ones_(heads.box.layers[-1].bias)

    unsure, sure = (losses_of(heads, score, 0.0)["taught_box_l1"] for score in (0.05, 0.9))

    assert unsure == 0
    assert sure > 0
