import torch

from glee.config import ConceptsConfig, CspConfig, EfficientNetConfig, PairConfig
from glee.model.backbones.pair import Concepts, Pair

SMALL = PairConfig(
    words=EfficientNetConfig(
        stem_width=8, widths=(8, 8, 8, 8, 16, 16, 24), depths=(1, 1, 1, 1, 1, 1, 1)
    ),
    places=CspConfig(stem_width=8, depths=(1, 1, 1, 1), neck_width=8, has_neck=True),
    concepts=ConceptsConfig(num_classes=3, head_width=5, width=4),
)


def test_the_maps_of_both_encoders_are_joined_at_each_stride() -> None:
    maps = Pair(SMALL).eval()(torch.randn(2, 3, 64, 96)).maps

    assert [each.shape[1] for each in maps] == list(SMALL.out_widths)
    assert [each.shape[2:] for each in maps] == [(16, 24), (8, 12), (4, 6), (2, 3)]


def test_a_cell_that_is_surely_a_class_gets_the_embedding_of_that_class() -> None:
    concepts = Concepts(6, SMALL.concepts)
    with torch.no_grad():
        concepts.embeddings.copy_(torch.eye(3, 4))
        concepts.classes.weight.zero_()
        concepts.classes.bias.copy_(torch.tensor([0.0, 50.0, 0.0]))

    found = concepts(torch.randn(1, 6, 2, 2))

    torch.testing.assert_close(found[0, :, 0, 0], torch.tensor([0.0, 1.0, 0.0, 0.0]))
