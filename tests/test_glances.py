"""A second look at the best boxes says what they are, and which one is described."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from glee import Predictor
from glee.config import ConceptsConfig, GlanceConfig, lite, nano
from glee.model.build import build_glee
from glee.model.glances import (
    EXPECTED,
    LOOKS_GAIN,
    MEANING_GAIN,
    PARTS,
    Glances,
    Glimpses,
    choose_boxes,
    enlarge,
)
from glee.model.interfaces import FoldedTokens, ObjectOutputs, PromptBatch, TextTokens
from glee.training.config import OptimizerConfig
from glee.training.optimizer import freeze

LEFT, RIGHT, NEAR_LEFT = [0.2, 0.5, 0.2, 0.4], [0.7, 0.5, 0.2, 0.4], [0.21, 0.5, 0.2, 0.4]
ELSEWHERE = [0.5, 0.1, 0.1, 0.1]
WIDTH = 8


def outputs_of(boxes: list[list[float]], logits: Tensor) -> ObjectOutputs:
    count = len(boxes)
    return ObjectOutputs(
        logits=logits[None],
        confidence=torch.zeros(1, count),
        boxes_cxcywh=torch.tensor([boxes]),
        kernels=torch.zeros(1, count, 4),
        kernel_bias=torch.zeros(1, count),
        embeddings=torch.zeros(1, count, 4),
    )


class Eye:
    """Sees the mean color of a box as its classes' logits."""

    def look(self, pixels: Tensor, boxes_cxcywh: Tensor) -> Tensor:
        assert boxes_cxcywh.shape == (len(pixels), 4)
        return torch.nn.functional.pad(pixels.mean(dim=(2, 3)), (0, WIDTH - 3))

    def guess(self, seen: Tensor, softness: float) -> Tensor:
        return (seen[..., :3] * 100 / softness).softmax(dim=-1)


def small_glances(**changes: int) -> Glances:
    config = GlanceConfig(side=32, num_names=2, mlp_width=16, **changes)
    known = ConceptsConfig(num_classes=3, head_width=WIDTH, width=WIDTH)
    torch.manual_seed(0)
    return Glances(config, known, WIDTH).eval()


def names_of(classes: Tensor, meanings: Tensor | None = None) -> TextTokens:
    empty = torch.zeros(1, 1, 0, WIDTH)
    folded = FoldedTokens(empty, empty[..., 0], empty)
    return TextTokens(classes[None], folded, meanings=None if meanings is None else meanings[None])


def test_of_boxes_that_show_the_same_the_best_is_chosen() -> None:
    boxes = torch.tensor([[NEAR_LEFT, RIGHT, LEFT]])

    rows, real = choose_boxes(boxes, torch.tensor([[0.5, 0.1, 0.9]]), 3)

    assert rows[0, :2].tolist() == [2, 1]
    assert real.tolist() == [[True, True, False]]


def test_a_box_is_seen_as_a_square_around_it_without_distortion() -> None:
    pixels = torch.zeros(1, 3, 64, 128)
    pixels[:, 0, 16:48, 32:96] = 1.0  # two to one
    box = torch.tensor([[[0.5, 0.5, 0.5, 0.5]]])

    squares, inner = enlarge(pixels, box, 32)

    assert squares.shape == (1, 3, 32, 32)
    assert (inner[0, 2] / inner[0, 3]).item() == pytest.approx(2)
    seen = squares[0, 0] > 0.5
    assert seen.any(dim=0).float().mean().item() == pytest.approx(inner[0, 2].item(), abs=1 / 32)
    assert seen.any(dim=1).float().mean().item() == pytest.approx(inner[0, 3].item(), abs=1 / 32)
    assert not seen[:7].any()


def test_each_image_is_looked_at_in_its_own_boxes() -> None:
    pixels = torch.zeros(2, 3, 64, 64)
    pixels[0, 0], pixels[1, 1] = 1.0, 1.0
    found = outputs_of([LEFT, RIGHT], torch.zeros(2, 1))
    both = ObjectOutputs(*(v.expand(2, *v.shape[1:]) for v in vars_of(found)))

    glimpses = small_glances(count=2).look(Eye(), pixels, both)

    assert glimpses.seen.shape == (2, 2, WIDTH)
    parts = glimpses.color.unflatten(-1, (PARTS**2, 3))
    assert (parts[0].argmax(dim=-1) == 0).all()
    assert (parts[1].argmax(dim=-1) == 1).all()


def test_the_parts_of_a_box_have_their_own_colours_row_by_row() -> None:
    pixels = torch.zeros(1, 3, 64, 64)
    pixels[:, 0, :, :32] = 1  # red on the left
    pixels[:, 2, 32:] = 1  # blue below

    _, color = small_glances().see(Eye(), pixels, torch.tensor([[[0.5, 0.5, 0.6, 0.4]]]))

    red, _, blue = color.view(PARTS, PARTS, 3).unbind(-1)
    assert (red[:, 0] > 0.9).all()
    assert (red[:, -1] < 0.1).all()
    assert (blue[0] < 0.1).all()
    assert (blue[-1] > 0.9).all()


def vars_of(found: ObjectOutputs) -> list[Tensor]:
    return [getattr(found, name) for name in ObjectOutputs.__dataclass_fields__]


def glimpses_of(found: ObjectOutputs, rows: list[int], seen: Tensor) -> Glimpses:
    index = torch.tensor([rows])
    return Glimpses(
        rows=index,
        real=torch.ones_like(index, dtype=torch.bool),
        boxes=found.boxes_cxcywh[:, rows],
        seen=seen[None],
        color=torch.zeros(1, len(rows), 3 * PARTS**2),
    )


@torch.no_grad()
def test_what_fits_a_description_best_gets_the_score_that_was_best() -> None:
    glances = small_glances()
    glances.trust.fill_(-1.0)  # what was worst before fits best
    glances.naming.zero_()
    found = outputs_of([LEFT, RIGHT, ELSEWHERE], torch.tensor([[3.0], [1.0], [2.5]]))
    tokens = torch.randn(1, 4, WIDTH)
    valid = torch.ones(1, 4, dtype=torch.bool)
    text = replace(names_of(torch.randn(1, WIDTH)), guides=tokens, valid=valid)

    chosen = glances.choose(found, glimpses_of(found, [0, 1], torch.randn(2, WIDTH)), text)

    # The third was not looked at and stays behind all that were.
    assert chosen.logits[0, :, 0].tolist() == pytest.approx([1.0, 3.0, 1.0])


@torch.no_grad()
def test_where_few_boxes_differ_the_best_stays_the_best() -> None:
    glances = small_glances(count=3)
    found = outputs_of([LEFT, RIGHT, NEAR_LEFT], torch.tensor([[3.0], [1.0], [2.0]]))
    glimpses = glances.look(Eye(), torch.randn(1, 3, 64, 64), found)
    valid = torch.ones(1, 4, dtype=torch.bool)
    text = replace(names_of(torch.randn(1, WIDTH)), guides=torch.randn(1, 4, WIDTH), valid=valid)

    chosen = glances.choose(found, glimpses, text)

    assert glimpses.real.tolist() == [[True, True, False]]
    assert chosen.logits[0, :, 0].tolist() == pytest.approx([3.0, 1.0, 1.0])


@torch.no_grad()
def test_several_images_are_judged_as_each_alone() -> None:
    glances, project = small_glances(count=2), torch.nn.Identity()
    glances.out.weight.normal_()
    glances.naming.fill_(1.0)
    names = torch.randn(2, WIDTH)
    glances.learned.copy_(names)
    pixels = torch.randn(2, 3, 64, 64)
    found = [outputs_of([LEFT, RIGHT, ELSEWHERE], torch.randn(3, 2)) for _ in range(2)]
    both = ObjectOutputs(*map(torch.cat, zip(*map(vars_of, found), strict=True)))
    text = names_of(names)

    def named(some: ObjectOutputs, images: Tensor) -> Tensor:
        glimpses = glances.look(Eye(), images, some)
        return glances.name(Eye(), some, glimpses, text, project).logits

    alone = [named(one, pixels[row : row + 1]) for row, one in enumerate(found)]

    assert torch.allclose(named(both, pixels), torch.cat(alone), atol=1e-5)


@torch.no_grad()
def test_boxes_that_were_not_real_are_never_chosen() -> None:
    glances = small_glances()
    found = outputs_of([LEFT, RIGHT], torch.tensor([[1.0], [2.0]]))
    glimpses = glimpses_of(found, [0, 1], torch.randn(2, WIDTH))
    unreal = replace(glimpses, real=torch.tensor([[True, False]]))

    fits = glances(
        unreal, torch.tensor([[1.0, 9.0]]), torch.randn(1, 2, WIDTH), torch.ones(1, 2) > 0
    )

    assert fits.argmax().item() == 0


@torch.no_grad()
def test_a_name_that_was_learned_counts_as_it_looks() -> None:
    glances, project = small_glances(), torch.nn.Identity()
    names = torch.randn(2, WIDTH)
    glances.learned.copy_(names)
    found = outputs_of([LEFT, RIGHT, NEAR_LEFT, ELSEWHERE], torch.zeros(4, 2))
    glimpses = glimpses_of(found, [0, 1], torch.randn(2, WIDTH))
    alike = glances.similarity(glances.seen(glimpses.seen), names[None])[0]

    logits = glances.name(Eye(), found, glimpses, names_of(names), project).logits[0]

    gain = LOOKS_GAIN * (alike - EXPECTED)
    assert torch.allclose(logits[:2], gain, atol=1e-5)
    assert torch.allclose(logits[2], gain[0], atol=1e-5)  # shows what the first box does
    assert torch.allclose(logits[3], gain.mean(dim=0), atol=1e-5)


@torch.no_grad()
def test_another_name_is_known_by_its_definition() -> None:
    glances, project = small_glances(), torch.nn.Identity()
    glances.learned.copy_(-torch.ones(2, WIDTH))
    glances.defined.copy_(torch.eye(WIDTH)[:3])
    names, meanings = torch.ones(3, WIDTH), torch.eye(WIDTH)[:3]
    found = outputs_of([LEFT, RIGHT], torch.zeros(2, 3))
    seen = torch.eye(WIDTH)[[2, 0]]  # the third class, then the first

    text = names_of(names, meanings)
    logits = glances.name(Eye(), found, glimpses_of(found, [0, 1], seen), text, project).logits[0]

    assert logits.argmax(dim=1).tolist() == [2, 0]
    assert logits[0, 2].item() == pytest.approx(MEANING_GAIN * (1 - EXPECTED), abs=1e-4)


@torch.no_grad()
def test_without_definitions_other_names_gain_nothing() -> None:
    glances, project = small_glances(), torch.nn.Identity()
    glances.learned.copy_(-torch.ones(2, WIDTH))
    found = outputs_of([LEFT, RIGHT], torch.randn(2, 1))
    glimpses = glimpses_of(found, [0, 1], torch.randn(2, WIDTH))

    named = glances.name(Eye(), found, glimpses, names_of(torch.ones(1, WIDTH)), project)

    assert torch.equal(named.logits, found.logits)


@pytest.mark.parametrize(
    ("glances", "message"),
    [({"count": 0}, "glances.count"), ({"num_heads": 3}, "glances.num_heads")],
)
def test_sizes_that_make_no_sense_are_named(glances: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(nano(), glances=GlanceConfig(**glances))


def test_only_a_network_of_two_encoders_can_look_again() -> None:
    with pytest.raises(ValueError, match="need a backbone of two encoders"):
        replace(lite(), glances=GlanceConfig())


@torch.no_grad()
def test_nano_looks_again_for_text_unless_told_not_to() -> None:
    torch.manual_seed(0)
    model = build_glee(nano()).eval()
    assert model.glances is not None
    model.glances.out.weight.normal_()
    model.glances.learned.normal_()
    image = model.encode_image(torch.randn(1, 3, 96, 128))
    tokens = model.text_projection(model.glances.learned[:3])
    valid = torch.ones(1, 3, dtype=torch.bool)

    def differ(prompt: PromptBatch) -> bool:
        one, other = (
            model.detect(image, prompt, second_look=look).final.logits for look in (True, False)
        )
        return not torch.equal(one, other)

    assert differ(PromptBatch(model.names_prompt(tokens, tokens)))
    assert differ(PromptBatch(model.expression_prompt(tokens[None], valid)))


def test_training_leaves_the_second_look_as_it_is() -> None:
    model = build_glee(nano())

    freeze(model, OptimizerConfig(text=0.0))

    assert model.glances is not None
    assert not any(parameter.requires_grad for parameter in model.glances.parameters())
    assert all(parameter.requires_grad for parameter in model.heads.parameters())


def test_a_saved_vocabulary_keeps_what_its_names_mean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    model = build_glee(nano())
    made = Predictor(model).vocabulary(["okapi", "tuk tuk"])
    made.save(tmp_path / "names.safetensors")
    monkeypatch.setattr("glee.inference.text.define", lambda name: pytest.fail(f"read {name}"))

    read = Predictor(model).load_vocabulary(tmp_path / "names.safetensors")

    assert made.prompt.meanings is not None
    assert read.prompt.meanings is not None
    assert torch.equal(read.prompt.meanings, made.prompt.meanings)
    assert not torch.equal(made.prompt.meanings[0, 0], made.prompt.classes[0, 0])
