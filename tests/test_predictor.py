import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from glee import Instances, Predictor, Prompts, Vocabulary
from glee.config import tiny
from glee.inference import postprocess
from glee.model.build import build_glee
from glee.model.glee import GLEE
from glee.ops.boxes import suppress_nested

Picture = NDArray[np.uint8]


def assert_same(first: Instances, second: Instances) -> None:
    assert first.label_names() == second.label_names()
    torch.testing.assert_close(first.scores, second.scores, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(first.boxes, second.boxes, rtol=1e-3, atol=1e-2)


def test_one_image_gives_instances_and_a_list_gives_a_list(
    predictor: Predictor, image: Picture
) -> None:
    assert isinstance(predictor.predict(image, ["cat"]), Instances)
    assert len(predictor.predict([image], ["cat"])) == 1
    assert predictor.predict([], ["cat"]) == []


def test_results_lie_in_pixels_of_the_original_image(predictor: Predictor, image: Picture) -> None:
    found = predictor.predict(image, ["cat", "dog"], threshold=0)

    assert len(found) > 0
    assert found.masks is not None
    assert found.masks.shape == (len(found), 60, 100)
    assert (found.boxes[:, 2] <= 100).all()
    assert (found.boxes[:, 3] <= 60).all()
    assert (found.boxes >= 0).all()


def test_scores_fall_and_exceed_the_threshold(predictor: Predictor, image: Picture) -> None:
    everything = predictor.predict(image, ["cat"], threshold=0).scores
    middle = everything.median().item()

    found = predictor.predict(image, ["cat"], threshold=middle)

    assert (found.scores > middle).all()
    assert torch.equal(found.scores, everything[everything > middle])
    assert torch.equal(everything, everything.sort(descending=True).values)


def test_nested_objects_of_a_name_are_left_out_when_asked(
    predictor: Predictor, image: Picture
) -> None:
    everything = predictor.predict(image, ["cat"], threshold=0)
    all_kept = predictor.predict(image, ["cat"], threshold=0, nested=1)
    apart = predictor.predict(image, ["cat"], threshold=0, nested=0.5)

    assert len(everything) == len(all_kept) > len(apart) > 0
    kept = suppress_nested(everything.boxes, everything.scores, everything.labels, 0.5)
    torch.testing.assert_close(apart.scores, everything.scores[kept])
    with pytest.raises(ValueError, match=re.escape("nested must lie in 0..1")):
        predictor.predict(image, ["cat"], nested=0)


def test_results_do_not_depend_on_the_other_images(predictor: Predictor, image: Picture) -> None:
    tall = np.ascontiguousarray(image.transpose(1, 0, 2))

    together = predictor.predict([tall, image], ["cat", "dog"], threshold=0)

    assert_same(together[1], predictor.predict(image, ["cat", "dog"], threshold=0))


def test_results_do_not_depend_on_the_order_of_the_names(
    predictor: Predictor, image: Picture
) -> None:
    names = ["cat", "red bus", "a very small dog"]

    forward = predictor.predict(image, names, threshold=0)

    assert_same(forward, predictor.predict(image, names[::-1], threshold=0))


def test_names_seen_before_do_not_pass_the_text_encoder_again(
    predictor: Predictor, image: Picture
) -> None:
    passed = []
    hook = predictor.model.text_encoder.register_forward_hook(
        lambda _module, inputs, _output: passed.append(len(inputs[0]))
    )

    predictor.predict(image, ["tern", "gull"])
    predictor.predict(image, ["gull", "auk", "tern"])
    predictor.predict(image, ["tern", "gull"])
    hook.remove()

    assert sum(passed) == 3


def test_an_encoded_image_is_prompted_without_the_image_encoder(
    predictor: Predictor, image: Picture
) -> None:
    encoded = predictor.encode(image)
    passed = []
    hook = predictor.model.backbone.register_forward_hook(lambda *_: passed.append(1))

    found = predictor.predict(encoded, ["cat"], threshold=0)
    hook.remove()

    assert not passed
    assert_same(found, predictor.predict(image, ["cat"], threshold=0))


def test_several_marks_pass_together_and_answer_as_each_would_alone(
    predictor: Predictor, image: Picture
) -> None:
    boxes = [(30, 20, 50, 40), (0, 0, 20, 20), (60, 10, 90, 50)]

    together = predictor.predict(image, Prompts(boxes=boxes))
    alone = [predictor.predict(image, Prompts(boxes=[box])) for box in boxes]

    assert together.prompt_ids is not None
    assert together.prompt_ids.tolist() == [0, 1, 2]
    for row, single in enumerate(alone):
        assert_same(together[row], single)


def test_many_marks_are_worked_off_in_batches(predictor: Predictor, image: Picture) -> None:
    points = [(5 + 8 * n, 30) for n in range(11)]

    found = predictor.predict(image, Prompts(points=points), masks=False)

    assert len(found) == 11


def test_every_kind_of_mark_gives_one_object(predictor: Predictor, image: Picture) -> None:
    mask = np.zeros((60, 100), dtype=bool)
    mask[20:40, 30:50] = True
    prompts = Prompts(
        points=[(40, 30)],
        boxes=[(30, 20, 50, 40)],
        scribbles=[[(32, 22), (48, 38)]],
        masks=[mask],
        categories=["square", "cat"],
    )

    found = predictor.predict(image, prompts)

    assert found.prompt_ids is not None
    assert found.prompt_ids.tolist() == [0, 1, 2, 3]
    assert found.names == ("square", "cat")


def test_an_expression_gives_its_best_object_and_more_above_a_threshold(
    predictor: Predictor, image: Picture
) -> None:
    prompts = Prompts(expression=["the bright square", "a cat, on the left!"])

    best = predictor.predict(image, prompts)
    more = predictor.predict(image, prompts, threshold=0)

    assert sorted(best.label_names()) == ["a cat, on the left!", "the bright square"]
    assert len(more) > 2
    assert torch.equal(more.labels, more.prompt_ids)


def test_expressions_may_come_with_a_mark_that_they_share(
    predictor: Predictor, image: Picture
) -> None:
    prompts = Prompts(expression="the bright square", points=[(40, 30), (10, 10)])

    assert predictor.predict(image, prompts).label_names() == ["the bright square"] * 2


def test_pairs_may_give_an_object_several_names(predictor: Predictor, image: Picture) -> None:
    found = predictor.predict(image, ["cat", "dog", "bus"], scoring="pair", max_objects=60)

    assert len(found) == 60  # 20 queries and 3 names


def test_marked_objects_can_be_ranked_by_confidence(predictor: Predictor, image: Picture) -> None:
    prompts = Prompts(points=[(40, 30)])
    seen = []
    hook = predictor.model.heads.register_forward_hook(lambda *args: seen.append(args[2]))

    found = predictor.predict(image, prompts, scoring="confidence")
    hook.remove()

    best = seen[-1].confidence[0].max().sigmoid()
    torch.testing.assert_close(found.scores[0], best)


def test_names_need_the_stated_threshold_and_pairs_none(
    predictor: Predictor, image: Picture
) -> None:
    everything = predictor.predict(image, ["cat"], threshold=0).scores

    named = predictor.predict(image, ["cat"])
    pairs = predictor.predict(image, ["cat"], scoring="pair")

    assert len(named) == (everything > 0.2).sum() < len(everything)
    assert len(pairs) == len(everything)


def test_pairs_below_the_threshold_cost_no_mask(
    predictor: Predictor, image: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = []
    render = postprocess.grade_masks

    def count(logits: torch.Tensor, **sizes: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        rendered.append(len(logits))
        return render(logits, **sizes)

    monkeypatch.setattr(postprocess, "grade_masks", count)
    predictor.predict(image, ["cat"], scoring="pair", threshold=0.999)

    assert rendered == [0]


def test_boxes_alone_cost_no_mask_features(predictor: Predictor, image: Picture) -> None:
    passed = []
    hook = predictor.model.pixel_decoder.output.register_forward_hook(lambda *_: passed.append(1))

    with_masks = predictor.predict(image, ["cat"], threshold=0)
    without = predictor.predict(image, ["cat"], threshold=0, masks=False)
    hook.remove()

    assert passed == [1]
    assert without.masks is None
    assert_same(without, with_masks)


def test_expressions_are_cleaned_as_the_released_weights_expect(
    predictor: Predictor, image: Picture
) -> None:
    plain = predictor.predict(image, Prompts(expression="the dog on the left"))
    noisy = predictor.predict(image, Prompts(expression="The dog, on the-left!"))

    assert_same(plain[torch.tensor([0])], plain)
    torch.testing.assert_close(noisy.scores, plain.scores)


def test_an_expression_passes_the_text_encoder_once(predictor: Predictor, image: Picture) -> None:
    passed = []
    hook = predictor.model.text_encoder.register_forward_hook(lambda *_: passed.append(1))

    for _ in range(3):
        predictor.predict(image, Prompts(expression="an expression of its own"))
    hook.remove()

    assert passed == [1]


def test_with_an_expression_cells_are_chosen_by_it_and_not_by_confidence(
    predictor: Predictor, image: Picture
) -> None:
    chosen = []
    hook = predictor.model.query_selection.register_forward_hook(
        lambda _module, _args, options, _output: chosen.append(options["by_confidence"]),
        with_kwargs=True,
    )

    predictor.predict(image, Prompts(points=[(40, 30)]))
    predictor.predict(image, Prompts(points=[(40, 30)], expression="the square"))
    hook.remove()

    assert chosen == [True, False]


def test_large_vocabularies_do_not_pile_up(model: GLEE, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Predictor(model)._text
    monkeypatch.setattr("glee.inference.text.FOLDED_TOKENS_KEPT", 10)

    for number in range(5):
        cache.vocabulary([f"a name of many tokens {number}", "and another"])

    assert len(cache._vocabularies) == 1


def test_what_another_network_encoded_is_refused(predictor: Predictor, image: Picture) -> None:
    other = Predictor(build_glee(tiny()))

    with pytest.raises(ValueError, match="the image was encoded by another network"):
        predictor.predict(other.encode(image), ["cat"])
    with pytest.raises(ValueError, match="the vocabulary was encoded by another network"):
        predictor.predict(image, other.vocabulary(["cat"]))


def test_the_network_predicts_in_evaluation_mode_every_time(image: Picture) -> None:
    predictor = Predictor(build_glee(tiny()))
    before = predictor.predict(image, ["cat"], threshold=0)

    predictor.model.train()
    after = predictor.predict(image, ["cat"], threshold=0)

    assert torch.equal(after.scores, before.scores)
    assert predictor.model.training


def test_weights_of_another_dtype_are_refused() -> None:
    with pytest.raises(ValueError, match=r"weights in torch\.float16; give it in float32"):
        Predictor(build_glee(tiny()).half())


@pytest.mark.parametrize("device", ["gpu", "xpu:7"])
def test_a_device_that_is_not_there_is_named(model: GLEE, device: str) -> None:
    with pytest.raises(ValueError, match=f"device '{device}' is not available here; there is: cpu"):
        Predictor(model, device=device)


def test_text_is_encoded_exactly_inside_the_autocast_of_a_user(model: GLEE, image: Picture) -> None:
    plain = Predictor(model).predict(image, ["cat"], threshold=0)

    with torch.autocast("cpu", torch.bfloat16):
        inside = Predictor(model).predict(image, ["cat"], threshold=0)

    assert_same(inside, plain)


def test_a_seed_chooses_other_points_and_the_same_each_time(model: GLEE, image: Picture) -> None:
    prompts = Prompts(boxes=[(0, 0, 100, 60)])  # many more pixels than points

    first, again = (Predictor(model, seed=3).predict(image, prompts) for _ in range(2))

    assert torch.equal(first.scores, again.scores)
    assert not torch.equal(first.scores, Predictor(model).predict(image, prompts).scores)


def test_a_vocabulary_gives_what_its_names_give_also_after_saving(
    predictor: Predictor, image: Picture, tmp_path: Path
) -> None:
    predictor.vocabulary(["cat", "red bus"]).save(tmp_path / "names.safetensors")

    vocabulary = predictor.load_vocabulary(tmp_path / "names.safetensors")

    assert vocabulary.names == ("cat", "red bus")
    found = predictor.predict(image, vocabulary, threshold=0)
    assert_same(found, predictor.predict(image, ["cat", "red bus"], threshold=0))


def test_a_vocabulary_of_another_network_is_refused(predictor: Predictor, tmp_path: Path) -> None:
    other = Predictor(build_glee(tiny()))
    other.vocabulary(["cat"]).save(tmp_path / "names.safetensors")

    with pytest.raises(ValueError, match="made for another network"):
        predictor.load_vocabulary(tmp_path / "names.safetensors")


def test_a_file_that_is_no_vocabulary_is_refused(predictor: Predictor, tmp_path: Path) -> None:
    (tmp_path / "names.safetensors").write_text("cat, dog")

    with pytest.raises(ValueError, match=r"names\.safetensors is no vocabulary"):
        predictor.load_vocabulary(tmp_path / "names.safetensors")


def test_a_large_vocabulary_is_compared_block_by_block(
    predictor: Predictor, image: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"thing {number}" for number in range(40)]
    whole = predictor.predict(image, names, threshold=0)

    monkeypatch.setattr("glee.model.early_fusion.SCORES_AT_ONCE", 100)
    monkeypatch.setattr("glee.model.early_fusion.LEAST_CELLS", 1)
    monkeypatch.setattr("glee.model.query_selection.NAMES_AT_ONCE", 7)

    assert_same(predictor.predict(image, names, threshold=0), whole)


def test_bfloat16_finds_about_the_same(model: torch.nn.Module, image: Picture) -> None:
    exact = Predictor(model).predict(image, ["cat"], threshold=0)  # type: ignore[arg-type]

    rough = Predictor(model, dtype=torch.bfloat16).predict(  # type: ignore[arg-type]
        image, ["cat"], threshold=0
    )

    torch.testing.assert_close(rough.scores, exact.scores, rtol=0.05, atol=0.02)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3)])
def test_images_of_any_shape_are_taken(predictor: Predictor, size: tuple[int, int]) -> None:
    found = predictor.predict(np.zeros((*size, 3), dtype=np.uint8), ["cat"], threshold=0)

    assert found.image_size == size


def test_files_and_arrays_give_the_same(
    predictor: Predictor, image: Picture, tmp_path: Path
) -> None:
    Image.fromarray(image).save(tmp_path / "image.png")

    from_file = predictor.predict(tmp_path / "image.png", ["cat"], threshold=0)

    assert_same(from_file, predictor.predict(image, ["cat"], threshold=0))


def test_each_image_may_have_its_own_prompts(predictor: Predictor, image: Picture) -> None:
    prompts = [Prompts(categories=["cat"]), Prompts(points=[(40, 30)])]

    named, marked = predictor.predict([image, image], prompts)

    assert named.names == ("cat",)
    assert marked.names == ("object",)


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ([], "no prompt given"),
        ("cat", "write \\['cat'\\] for a name"),
        ([Prompts(categories=["a"])] * 3, "prompts has 3 entries for 2 images"),
        ([Prompts(categories=["a"]), "b"], "prompts has 2 entries for 2 images"),
    ],
)
def test_prompts_that_do_not_fit_the_images_are_refused(
    predictor: Predictor, image: Picture, prompts: object, message: str
) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        predictor.predict([image, image], prompts)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 1.5}, r"threshold must lie in 0\.\.1"),
        ({"max_objects": 0}, "max_objects must be at least 1, got 0"),
        ({"scoring": "best"}, "scoring must be one of object, pair, confidence, got 'best'"),
        ({"scoring": "confidence"}, 'scoring="confidence" ranks marked objects'),
    ],
)
def test_options_that_make_no_sense_are_refused(
    predictor: Predictor, image: Picture, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        predictor.predict(image, ["cat"], **options)  # type: ignore[call-overload]


def test_points_to_exclude_are_refused_where_the_network_does_not_know_them(
    predictor: Predictor, image: Picture
) -> None:
    prompts = Prompts(points=[[(40, 30), (5, 5)]], point_labels=[[1, 0]])

    with pytest.raises(ValueError, match="trained without points to exclude"):
        predictor.predict(image, prompts)


def test_points_to_exclude_matter_where_the_network_knows_them(image: Picture) -> None:
    config = tiny()
    assert config.visual_prompts is not None
    torch.manual_seed(0)
    network = build_glee(
        replace(config, visual_prompts=replace(config.visual_prompts, negative_points=True))
    )
    predictor = Predictor(network)

    plain = predictor.predict(image, Prompts(points=[(40, 30)]))
    prompts = Prompts(points=[[(40, 30), (5, 5)]], point_labels=[[1, 0]])
    excluding = predictor.predict(image, prompts)
    with torch.no_grad():
        network.point_sampler.sign.weight[1] += 1
    changed = Predictor(network).predict(image, prompts)

    assert plain.scores.item() != excluding.scores.item() != changed.scores.item()


def test_marks_are_refused_by_a_network_without_visual_prompts(image: Picture) -> None:
    predictor = Predictor(build_glee(replace(tiny(), visual_prompts=None)))

    with pytest.raises(ValueError, match="trained without visual prompts"):
        predictor.predict(image, Prompts(points=[(40, 30)]))


def test_a_vocabulary_knows_its_length(predictor: Predictor) -> None:
    vocabulary = predictor.vocabulary(["cat", "dog"])

    assert isinstance(vocabulary, Vocabulary)
    assert len(vocabulary) == 2
