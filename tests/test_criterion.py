"""Which losses apply to what, and their sum, on the predictions of a tiny network."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from glee.data.targets import Targets
from glee.model.glee import GLEE
from glee.model.interfaces import GleeOutputs, PromptBatch
from glee.training.config import CriterionConfig, DenoisingConfig, MaskPointsConfig, MatcherConfig
from glee.training.criterion import Criterion, Losses
from glee.training.denoising import Denoising, noise_targets
from glee.training.distillation import EncodedTexts
from glee.training.matching import Assignment
from glee.training.randomness import SeededRandomness
from glee.training.set_losses import Matched, semantic_loss

SIZE = (64, 96)
CONFIG = CriterionConfig(
    matcher=MatcherConfig(num_points=64), mask_points=MaskPointsConfig(num_points=64)
)


class SamePoints(SeededRandomness):
    """The same points for every mask, so that what is compared differs in nothing else."""

    def __init__(self) -> None:
        super().__init__(torch.Generator().manual_seed(0))
        self.given = self._uniform(1, 1000, 2)

    def points(self, rows: int, count: int) -> Tensor:
        return self.given[:, :count].expand(rows, -1, -1)


def truth(seed: int, *labels: int) -> Targets:
    generator = torch.Generator().manual_seed(seed)
    masks = torch.zeros(len(labels), *SIZE, dtype=torch.bool)
    for mask in masks:
        y, x = (int(torch.randint(size - 20, (1,), generator=generator)) for size in SIZE)
        mask[y : y + 20, x : x + 20] = True
    boxes = 0.1 + 0.5 * torch.rand(len(labels), 4, generator=generator)
    ids = torch.arange(len(labels))
    return Targets(
        labels=torch.tensor(labels, dtype=torch.int64),
        boxes_cxcywh=boxes,
        masks=masks,
        track_ids=ids,
    )


@pytest.fixture(scope="module")
def outputs(model: GLEE) -> GleeOutputs:
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(5, model.config.width, generator=generator)
    prompt = PromptBatch(model.names_prompt(tokens, tokens[:3]))
    with torch.no_grad():
        return model(torch.randn(2, 3, *SIZE, generator=generator), prompt, every_layer=True)


TARGETS = [truth(1, 0, 2, 2), truth(2, 1)]


def criticise(
    outputs: GleeOutputs,
    targets: list[Targets] = TARGETS,
    config: CriterionConfig = CONFIG,
    num_objects: float | None = None,
) -> Losses:
    return Criterion(config, SamePoints())(outputs, targets, num_objects=num_objects)


def assert_same(ours: Losses, theirs: Losses) -> None:
    assert ours.numbers() == pytest.approx(theirs.numbers(), rel=1e-4, abs=1e-6)


def part(outputs: GleeOutputs, image: int) -> GleeOutputs:
    row = slice(image, image + 1)

    def cut(value: object) -> object:
        return type(value)(*(getattr(value, name)[row] for name in value.__slots__))

    return replace(
        outputs,
        final=cut(outputs.final),
        mask_features=outputs.mask_features[row],
        auxiliary=tuple(map(cut, outputs.auxiliary)),
        proposals=cut(outputs.proposals),
    )


def test_every_set_of_predictions_is_supervised_and_the_total_is_the_sum(
    outputs: GleeOutputs,
) -> None:
    losses = criticise(outputs)

    for term in ("semantic", "box_l1", "box_giou", "mask", "dice", "confidence"):
        assert {f"{term}/{name}" for name in ("0", "1", "last", "cells")} <= losses.terms.keys()
    assert losses.total().item() == pytest.approx(sum(losses.numbers().values()), rel=1e-5)
    assert losses.numbers()["mask/1"] > 0
    assert losses.numbers()["semantic/cells"] > 0


def test_the_order_of_the_objects_does_not_matter(outputs: GleeOutputs) -> None:
    shuffled = [TARGETS[0].take(torch.tensor([2, 0, 1])), TARGETS[1]]

    assert_same(criticise(outputs, shuffled), criticise(outputs))


def test_losses_of_a_batch_are_the_sum_of_those_of_its_images(outputs: GleeOutputs) -> None:
    both = criticise(outputs, num_objects=1).numbers()

    alone = [
        criticise(part(outputs, image), TARGETS[image : image + 1], num_objects=1).numbers()
        for image in (0, 1)
    ]
    assert both == pytest.approx({name: alone[0][name] + alone[1][name] for name in both}, rel=1e-4)


def test_losses_are_divided_by_the_number_of_objects(outputs: GleeOutputs) -> None:
    local, given = criticise(outputs).numbers(), criticise(outputs, num_objects=8).numbers()

    assert given == pytest.approx({name: value / 2 for name, value in local.items()}, rel=1e-4)


def test_images_without_masks_teach_none(outputs: GleeOutputs) -> None:
    losses = criticise(outputs, [replace(own, masks=None) for own in TARGETS])

    assert losses.numbers()["mask/last"] == losses.numbers()["dice/last"] == 0
    assert losses.numbers()["box_l1/last"] > 0


def test_images_with_and_without_masks_may_share_a_batch(outputs: GleeOutputs) -> None:
    mixed = [TARGETS[0], replace(TARGETS[1], masks=None)]

    losses = criticise(outputs, mixed, num_objects=1).numbers()

    alone = criticise(part(outputs, 0), TARGETS[:1], num_objects=1).numbers()
    assert losses["dice/last"] == pytest.approx(alone["dice/last"], rel=1e-4)
    assert losses["box_l1/last"] > alone["box_l1/last"]


def test_rough_boxes_decide_the_matching_but_teach_nothing(outputs: GleeOutputs) -> None:
    rough = [replace(own, learn_boxes=False) for own in TARGETS]

    losses, exact = criticise(outputs, rough).numbers(), criticise(outputs).numbers()

    assert losses["box_l1/last"] == losses["box_giou/0"] == 0
    assert losses["semantic/last"] == exact["semantic/last"]


def test_only_marked_images_teach_confidence_and_not_their_chosen_cells(
    outputs: GleeOutputs,
) -> None:
    marked = [TARGETS[0], replace(TARGETS[1], marked=True)]

    losses = criticise(outputs, marked).numbers()

    assert losses["confidence/last"] > 0
    assert losses["confidence/cells"] == 0
    assert criticise(outputs).numbers()["confidence/last"] == 0
    alone = criticise(part(outputs, 1), marked[1:]).numbers()
    assert losses["confidence/last"] == pytest.approx(alone["confidence/last"], rel=1e-4)


def test_the_query_that_stands_for_the_marked_object_should_be_the_confident_one(
    outputs: GleeOutputs,
) -> None:
    marked = [replace(own, marked=True) for own in TARGETS]
    confidence = torch.full_like(outputs.final.confidence, -20)
    pairs = Criterion(CONFIG, SamePoints()).match(outputs, marked)["last"]
    for row, pair in zip(confidence, pairs, strict=True):
        row[pair.query] = 20

    sure = replace(outputs, final=replace(outputs.final, confidence=confidence))

    assert criticise(sure, marked).numbers()["confidence/last"] < 1e-6


def test_confidence_may_be_taught_to_cells_and_counted_by_object(outputs: GleeOutputs) -> None:
    marked = [replace(own, marked=True) for own in TARGETS]
    variant = replace(CONFIG, proposal_confidence=True, confidence_per_object=True)

    plain = criticise(outputs, marked).numbers()
    paper = criticise(outputs, marked, variant).numbers()

    assert paper["confidence/cells"] > 0
    queries, objects = outputs.final.logits.shape[1], 4
    expected = plain["confidence/last"] * queries / objects
    assert paper["confidence/last"] == pytest.approx(expected, rel=1e-4)


def test_masks_may_be_compared_by_focal_loss(outputs: GleeOutputs) -> None:
    plain, focal = (
        criticise(outputs, config=replace(CONFIG, mask_loss=kind)).numbers()
        for kind in ("cross_entropy", "focal")
    )

    assert 0 < focal["mask/last"] < 0.75 * plain["mask/last"]
    assert focal["dice/last"] == plain["dice/last"]


def test_names_that_are_not_annotated_everywhere_teach_no_absence() -> None:
    known = torch.tensor([True, False])
    targets = [Targets(labels=torch.tensor([1]), boxes_cxcywh=torch.ones(1, 4), exhaustive=known)]
    pairs = [Assignment(torch.tensor([0]), torch.tensor([0]))]

    loss = semantic_loss(torch.zeros(1, 2, 2), Matched(pairs, targets, 1), CONFIG.focal)

    # Two absences of the first name, the presence of the second; its absence is not known.
    by_hand = (2 * 0.75 + 0.25) * 0.25 * math.log(2)
    assert loss.item() == pytest.approx(by_hand)


def test_frames_that_follow_are_linked_and_stills_and_marked_ones_are_not(
    outputs: GleeOutputs,
) -> None:
    clip = [TARGETS[0], replace(TARGETS[1], follows=True)]

    assert criticise(outputs, clip).numbers()["tracking"] > 0
    assert criticise(outputs).numbers()["tracking"] == 0
    marked = [replace(own, marked=True) for own in clip]
    assert criticise(outputs, marked).numbers()["tracking"] == 0


def test_distillation_is_weighted_and_zero_without_texts(outputs: GleeOutputs) -> None:
    valid = torch.ones(1, 2, dtype=torch.bool)
    texts = EncodedTexts(torch.ones(1, 2, 4), torch.zeros(1, 2, 4), valid)

    losses = Criterion(CONFIG, SamePoints())(outputs, TARGETS, texts=texts)

    assert losses.numbers()["distillation"] == 4
    assert criticise(outputs).numbers()["distillation"] == 0


THREE_COPIES = DenoisingConfig(num_queries=9)


def train_step(
    model: GLEE, targets: list[Targets], noise: DenoisingConfig = THREE_COPIES
) -> tuple[Losses, Denoising | None]:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(2, 3, *SIZE, generator=generator)
    tokens = torch.randn(5, model.config.width, generator=generator)
    prompt = PromptBatch(model.names_prompt(tokens, tokens[:3]))
    denoising = noise_targets(targets, prompt.text.classes, noise, SamePoints())
    extra = None if denoising is None else denoising.queries
    outputs = model(pixels, prompt, every_layer=True, extra=extra)
    return Criterion(CONFIG, SamePoints())(outputs, targets, denoising=denoising), denoising


def test_a_step_teaches_all_that_a_prompt_of_names_reads(model: GLEE) -> None:
    losses, _ = train_step(model, TARGETS)
    losses.total().backward()

    silent = {name for name, value in model.named_parameters() if value.grad is None}
    model.zero_grad()
    # Confidence is part of every step, with a gradient of zero where nothing is marked.
    unused = ("text_encoder.", "text_projection.", "template_encoder.", "point_sampler.")
    assert {name for name in silent if not name.startswith(unused)} == set()
    assert losses.numbers()["noised_semantic/last"] > 0


def test_a_batch_without_objects_has_zero_losses_but_for_names_and_finite_gradients(
    model: GLEE,
) -> None:
    losses, denoising = train_step(model, [truth(0), truth(0)])
    losses.total().backward()

    gradients = [value.grad for value in model.parameters() if value.grad is not None]
    masks_learn = model.heads.mask_features.weight.grad
    model.zero_grad()
    assert denoising is None
    assert {name.split("/")[0] for name, value in losses.numbers().items() if value} == {"semantic"}
    assert all(gradient.isfinite().all() for gradient in gradients)
    torch.testing.assert_close(masks_learn, torch.zeros_like(masks_learn))


def test_the_names_of_the_losses_are_the_same_in_every_step(model: GLEE) -> None:
    with torch.no_grad():
        full, empty = train_step(model, TARGETS)[0], train_step(model, [truth(0), truth(0)])[0]

    assert list(full.numbers()) == list(empty.numbers())


@torch.no_grad()
def test_losses_of_noised_queries_do_not_grow_with_the_number_of_copies(model: GLEE) -> None:
    one, three = (
        train_step(model, TARGETS, DenoisingConfig(num_queries=count, label_noise=0, box_noise=0))
        for count in (3, 9)
    )

    numbers = one[0].numbers()
    assert [step[1].groups for step in (one, three) if step[1]] == [1, 3]
    assert three[0].numbers() == pytest.approx(numbers, rel=1e-3, abs=1e-5)
    assert numbers["noised_box_l1/last"] > 0


def test_denoising_without_its_predictions_is_refused(outputs: GleeOutputs) -> None:
    table = torch.zeros(1, 3, outputs.final.embeddings.shape[2])
    denoising = noise_targets(TARGETS, table, DenoisingConfig(), SamePoints())

    with pytest.raises(ValueError, match=r"call the network with extra=denoising\.queries"):
        Criterion(CONFIG, SamePoints())(outputs, TARGETS, denoising=denoising)


def test_half_precision_predictions_are_compared_in_full(outputs: GleeOutputs) -> None:
    half = replace(
        outputs,
        final=type(outputs.final)(
            *(getattr(outputs.final, name).bfloat16() for name in outputs.final.__slots__)
        ),
    )

    losses = criticise(half)

    assert all(value.dtype == torch.float32 for value in losses.terms.values())
    assert losses.total().isfinite()
