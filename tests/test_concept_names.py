"""What a classifier takes the contents of boxes for counts with names."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from glee.config import nano
from glee.model.build import build_glee
from glee.model.concept_names import EXPECTED, GAIN, weigh_concepts
from glee.model.interfaces import ObjectOutputs, PromptBatch, Regions

# Four concepts around a centre in which they agree by half.
CONCEPTS = torch.eye(5)[:4] + torch.eye(5)[4]
LARGE, SMALL = [0.5, 0.5, 0.6, 0.6], [0.5, 0.5, 0.05, 0.05]


def outputs_of(*boxes: list[float], names: int) -> ObjectOutputs:
    """Queries of some boxes, with zeros as logits of so many names."""
    count = len(boxes)
    return ObjectOutputs(
        logits=torch.zeros(1, count, names),
        confidence=torch.zeros(1, count),
        boxes_cxcywh=torch.tensor([boxes]),
        kernels=torch.zeros(1, count, 4),
        kernel_bias=torch.zeros(1, count),
        embeddings=torch.zeros(1, count, 4),
    )


def weigh(seen: Tensor, names: Tensor, *boxes: list[float]) -> Tensor:
    """Return the logits [Q, K] of boxes that show concepts, for names."""
    outputs = outputs_of(*boxes, names=len(names))
    return weigh_concepts(outputs, seen[None], names[None], CONCEPTS).logits[0]


def test_a_box_gains_for_the_name_that_it_shows_and_loses_for_others() -> None:
    logits = weigh(CONCEPTS[:1], CONCEPTS[:2], LARGE)

    assert logits[0, 0].item() == pytest.approx(GAIN * (1 - EXPECTED))
    # Two of four directions around their centre are -1/3 alike.
    assert logits[0, 1].item() == pytest.approx(GAIN * (-1 / 3 - EXPECTED))


def test_of_small_boxes_and_of_names_like_no_concept_nothing_is_said() -> None:
    seen = CONCEPTS[[0, 0]]
    strange = -CONCEPTS.sum(dim=0, keepdim=True)

    small = weigh(seen, CONCEPTS[:2], LARGE, SMALL)
    unlike = weigh(seen[:1], torch.cat([CONCEPTS[:1], strange]), LARGE)

    assert small[1].tolist() == [0, 0]
    assert unlike[0, 1].item() == 0
    assert unlike[0, 0].item() > 0


def test_without_any_concept_logits_stay() -> None:
    outputs = outputs_of(LARGE, names=1)

    same = weigh_concepts(outputs, CONCEPTS[None, :1], CONCEPTS[None, :1], torch.zeros(3, 5))

    assert torch.equal(same.logits, outputs.logits)


@torch.no_grad()
def test_concepts_count_for_names_alone_and_not_in_training() -> None:
    torch.manual_seed(0)
    model = build_glee(nano()).eval()
    embeddings = model.backbone.concepts.embeddings  # type: ignore[union-attr]
    embeddings.normal_()  # type: ignore[operator]
    tokens = model.text_projection(embeddings[:3])  # names of three of the concepts
    image = model.encode_image(torch.randn(1, 3, 64, 96))
    unseen = replace(image, concepts=None)
    names = PromptBatch(model.names_prompt(tokens, tokens))
    valid = torch.ones(1, 3, dtype=torch.bool)
    expression = PromptBatch(model.expression_prompt(tokens[None], valid))
    mask = torch.zeros(1, 64, 96, dtype=torch.bool)
    mask[:, 8:40, 8:40] = True
    marked = replace(names, regions=Regions(mask, mask, torch.tensor([False])))

    def differ(prompt: PromptBatch, *, every_layer: bool = False) -> bool:
        one, other = (
            model.detect(each, prompt, every_layer=every_layer).final.logits
            for each in (image, unseen)
        )
        return not torch.equal(one, other)

    assert differ(names)
    assert not differ(names, every_layer=True)
    assert not differ(expression)
    assert not differ(marked)
