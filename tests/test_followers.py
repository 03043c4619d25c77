"""Names, expressions and marks followed with a tiny network, whose weights are random."""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from glee import Instances, Predictor, Prompts
from glee.config import tiny
from glee.data.shapes import Shape, draw_clip
from glee.inference import predictor as predictor_module
from glee.model.build import build_glee
from glee.model.glee import GLEE
from glee.ops.boxes import clip_boxes, pairwise_iou
from glee.ops.exclusive import render_exclusive
from glee.ops.masks import mask_to_boxes, render_masks
from glee.tracking.config import TrackerConfig
from glee.tracking.reference import ChosenTracks, ReferenceConfig
from glee.tracking.snapshot import Snapshot
from glee.video import names
from glee.video.both_ways import follow_both_ways
from glee.video.expressions import ExpressionFollower
from glee.video.follower import Follower
from glee.video.marks import MarkFollower
from glee.video.names import NameFollower
from glee.video.reference import follow_offline, place_tracks

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def predictor(model: GLEE) -> Predictor:
    """The tiny network, with masks that are neither empty nor full."""
    model = deepcopy(model)
    torch.manual_seed(3)
    for parameter in [*model.heads.mask.parameters(), model.heads.mask_features.weight]:
        torch.nn.init.normal_(parameter, std=0.3)
    return Predictor(model)


@pytest.fixture(scope="module")
def frames() -> list[Picture]:
    """Three small frames with a disc that moves."""
    disc = Shape("disc", (220, 40, 40), [(20 + 4.0 * t, 20.0, 9.0) for t in range(3)], 0)
    return [frame.pixels for frame in draw_clip([disc], (40, 64))]


def ids(found: Instances) -> list[int]:
    assert found.track_ids is not None
    return found.track_ids.tolist()


def same(first: Instances, second: Instances) -> None:
    assert ids(first) == ids(second)
    torch.testing.assert_close(first.scores, second.scores, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(first.boxes, second.boxes, rtol=1e-3, atol=1e-2)


def followers(predictor: Predictor, frame: Picture) -> Iterator[Follower]:
    config = TrackerConfig(birth_score=0, keep_score=0)
    yield NameFollower(predictor, ["cat", "dog"], config=config, max_objects=5)
    yield ExpressionFollower(predictor, ["the red disc", "a square"])
    marks = MarkFollower(predictor)
    marks.mark(frame, Prompts(boxes=[(10, 10, 30, 30)]))
    yield marks


def test_followers_go_on_from_their_states(predictor: Predictor, frames: list[Picture]) -> None:
    stopped, restored = (list(followers(predictor, frames[0])) for _ in range(2))

    for before, after in zip(stopped, restored, strict=True):
        before.step(frames[0])
        state = before.state()
        after.restore(Snapshot(json.loads(json.dumps(state.values)), state.tensors))
        same(after.step(frames[1]), before.step(frames[1]))
        with pytest.raises(ValueError, match="state"):
            after.restore(Snapshot({}, {}))


def test_frames_of_another_size_are_refused(predictor: Predictor, frames: list[Picture]) -> None:
    for follower in followers(predictor, frames[0]):
        follower.step(frames[0])
        with pytest.raises(ValueError, match=r"\[30, 64\] pixels, but the frames before had"):
            follower.step(frames[1][:30])


def test_predictions_have_embeddings_and_names_have_tracks(
    predictor: Predictor, frames: list[Picture]
) -> None:
    config = TrackerConfig(birth_score=0, keep_score=0)
    follower = NameFollower(predictor, ["cat"], config=config, max_objects=4, masks=False)

    first, again = follower.step(frames[0]), follower.step(frames[0])
    follower.change(["dog", "cat"])

    assert first.embeddings is not None
    assert first.embeddings.shape == (len(first), predictor.model.config.width)
    assert len(first) > 0
    assert ids(first) == ids(again)
    assert follower.step(frames[1]).names == ("dog", "cat")


def with_ellipses(*, places: bool = False) -> Predictor:
    """A network whose masks follow the colours of their image, and whose boxes follow these.

    places  whether boxes that are given stay
    """
    torch.manual_seed(0)
    reach = {"cell_reach": True, "relative_boxes": True, "mark_places": True} if places else {}
    decoder = replace(tiny().object_decoder, box_masks=True, **reach)
    config = replace(tiny(), object_decoder=decoder, coarse_context=places)
    model = build_glee(config).eval()
    torch.nn.init.normal_(model.heads.mask_features.weight, std=0.3)
    return Predictor(model)


@pytest.mark.parametrize("follow", [False, True])
def test_the_first_frame_of_an_expression_is_what_predict_finds(
    follow: bool, predictor: Predictor, frames: list[Picture]
) -> None:
    text, predictor = "the red disc", with_ellipses() if follow else predictor

    found = ExpressionFollower(predictor, text).step(frames[0])

    alone = predictor.predict(frames[0], Prompts(expression=text))
    unmasked = predictor.predict(frames[0], Prompts(expression=text), masks=False)
    assert torch.equal(unmasked.boxes, alone.boxes) != follow
    torch.testing.assert_close(found.boxes, alone.boxes)
    assert found.masks is not None
    assert alone.masks is not None
    assert torch.equal(found.masks, alone.masks)


def test_consistency_prefers_what_looks_like_the_object_before(
    predictor: Predictor, frames: list[Picture]
) -> None:
    follower = ExpressionFollower(predictor, "the red disc", consistency=100, masks=False)
    follower.step(frames[0])
    encoded = predictor.encode(frames[0])
    (outputs,) = predictor.detect_each(encoded, Prompts(expression="the red disc"), masks=False)
    worst = outputs.final.logits[0, :, 0].argmin()
    state = follower.state()

    follower.restore(Snapshot(state.values, {"1": outputs.final.embeddings[0, worst]}))

    found = follower.step(encoded)
    torch.testing.assert_close(found.scores[0], outputs.final.logits[0, worst, 0].sigmoid())


def test_expressions_that_stay_keep_their_ids(predictor: Predictor, frames: list[Picture]) -> None:
    follower = ExpressionFollower(predictor, ["a cat", "a dog"], masks=False)
    assert ids(follower.step(frames[0])) == [1, 2]

    follower.change(["a cow", "a dog"])
    found = follower.step(frames[1])

    assert ids(found) == [3, 2]
    assert found.label_names() == ["a cow", "a dog"]


def test_an_expression_below_the_threshold_is_left_out(
    predictor: Predictor, frames: list[Picture]
) -> None:
    always = ExpressionFollower(predictor, ["a cat", "a dog"]).step(frames[0])
    threshold = always.scores.min().item()

    found = ExpressionFollower(predictor, ["a cat", "a dog"], threshold=threshold).step(frames[0])

    assert len(found) == int((always.scores > threshold).sum()) < 2
    assert found.masks is not None
    assert len(found.masks) == len(found)


def test_a_marked_object_is_found_from_its_remembered_tokens(
    predictor: Predictor, frames: list[Picture]
) -> None:
    prompts = Prompts(boxes=[(10, 10, 30, 30)])
    follower = MarkFollower(predictor)

    shown = follower.mark(frames[0], prompts)
    found = follower.step(frames[1])

    expected = predictor.predict(frames[1], predictor.remember(frames[0], prompts))
    torch.testing.assert_close(found.boxes, expected.boxes)
    torch.testing.assert_close(shown.boxes, predictor.predict(frames[0], prompts).boxes)
    assert ids(shown) == ids(found) == [1]


def test_several_objects_together_answer_as_each_would_alone(
    predictor: Predictor, frames: list[Picture]
) -> None:
    click, box = Prompts(points=[(20, 20)]), Prompts(boxes=[(30, 5, 60, 35)])
    together, alone = MarkFollower(predictor), MarkFollower(predictor)
    together.mark(frames[0], click)
    together.mark(frames[1], box)  # of another number of points
    alone.mark(frames[1], box)

    found, single = together.step(frames[2]), alone.step(frames[2])

    assert ids(found) == [1, 2]
    torch.testing.assert_close(found.boxes[1], single.boxes[0], rtol=1e-3, atol=1e-2)
    torch.testing.assert_close(found.scores[1], single.scores[0], rtol=1e-4, atol=1e-5)


def test_a_given_mask_is_the_object_on_its_own_frame(
    predictor: Predictor, frames: list[Picture]
) -> None:
    mask = np.zeros((40, 64), dtype=bool)
    mask[11:29, 11:29] = True
    follower, encoded = MarkFollower(predictor), predictor.encode(frames[0])

    shown = follower.mark(encoded, Prompts(masks=[mask], points=[(50, 20)]))
    found = follower.step(encoded)

    for seen in (shown, found):
        assert seen.masks is not None
        assert ids(seen) == [1, 2]  # points come before masks
        assert torch.equal(seen.masks[1], torch.tensor(mask))
        assert seen.boxes[1].tolist() == [11, 11, 29, 29]
        assert seen.scores[1] == 1


def test_marks_on_the_next_frame_are_computed_once(
    predictor: Predictor, frames: list[Picture]
) -> None:
    follower, encoded = MarkFollower(predictor), predictor.encode(frames[0])
    passed = []
    hook = predictor.model.object_decoder.register_forward_hook(lambda *_: passed.append(1))

    follower.mark(encoded, Prompts(points=[(20, 20)]))
    follower.step(encoded)
    hook.remove()

    assert len(passed) == 1


def test_objects_are_corrected_and_removed_on_the_way(
    predictor: Predictor, frames: list[Picture]
) -> None:
    follower, fresh = MarkFollower(predictor), MarkFollower(predictor)
    follower.mark(frames[0], Prompts(points=[(20, 20), (50, 30)]))
    better = Prompts(boxes=[(14, 10, 34, 30)])
    fresh.mark(frames[1], better)

    follower.mark(frames[1], better, track_ids=[1])
    both = follower.step(frames[2])
    follower.remove(2)
    one = follower.step(frames[2])
    follower.mark(frames[2], Prompts(points=[(20, 20)]))

    assert ids(both) == [1, 2]
    torch.testing.assert_close(both.boxes[0], fresh.step(frames[2]).boxes[0], rtol=1e-3, atol=1e-2)
    assert ids(one) == [1]
    assert follower.track_ids == (1, 3)  # 2 is never given again


def test_without_objects_there_are_none(predictor: Predictor, frames: list[Picture]) -> None:
    follower = MarkFollower(predictor, ["cat", "dog"])
    found = follower.step(frames[0])
    follower.mark(frames[0], Prompts(points=[(20, 20)]))
    follower.remove(1)

    assert ids(found) == ids(follower.step(frames[1])) == []
    assert found.masks is not None
    assert found.masks.shape == (0, 40, 64)


def test_sure_objects_are_learned_anew(predictor: Predictor, frames: list[Picture]) -> None:
    prompts = Prompts(boxes=[(5, 5, 60, 38)])
    fixed, never, always = (
        MarkFollower(predictor, refresh_above=above) for above in (None, 0.9999999, 0.0)
    )
    for follower in (fixed, never, always):
        follower.mark(frames[0], prompts)
        follower.step(frames[1])

    before, same_, after = (f.state().tensors["template"] for f in (fixed, never, always))
    assert torch.equal(before, same_)
    assert not torch.equal(before, after)


def test_exclusive_objects_share_no_pixel(predictor: Predictor, frames: list[Picture]) -> None:
    prompts = Prompts(boxes=[(10, 10, 30, 30), (12, 10, 32, 30)])
    free, exclusive = MarkFollower(predictor), MarkFollower(predictor, exclusive=True)
    free.mark(frames[0], prompts)
    exclusive.mark(frames[0], prompts)

    overlapping, apart = free.step(frames[1]).masks, exclusive.step(frames[1]).masks

    assert overlapping is not None
    assert apart is not None
    assert (overlapping.sum(0) > 1).any()
    assert not (apart.sum(0) > 1).any()


def test_a_pixel_goes_to_the_likeliest_object_if_it_beats_the_background() -> None:
    # Probabilities of 4 pixels. Background: 0.6 * 0.6 = 0.36, 0.9 * 0.95 and 0.5 * 0.3.
    p = torch.tensor([[[0.4, 0.1, 0.5, 0.2]], [[0.4 - 1e-3, 0.05, 0.7, 0.2]]])
    size = (1, 4)
    none = torch.zeros(2, *size, dtype=torch.bool)
    given = none.clone()
    given[0, 0, 2] = True

    masks = render_exclusive(p.logit(), none, padded=size, resized=size, original=size)
    with_given = render_exclusive(p.logit(), given, padded=size, resized=size, original=size)

    assert masks[:, 0].int().tolist() == [[1, 0, 0, 0], [0, 0, 1, 0]]
    assert with_given[:, 0].int().tolist() == [[0, 0, 1, 0], [0, 0, 0, 0]]


def test_of_one_object_the_exclusive_mask_is_the_plain_one() -> None:
    logits = torch.randn(1, 8, 8, generator=torch.Generator().manual_seed(0))
    sizes = {"padded": (32, 32), "resized": (30, 28), "original": (53, 49)}

    plain = render_masks(logits, **sizes)  # type: ignore[arg-type]

    none = torch.zeros_like(plain)
    assert torch.equal(render_exclusive(logits, none, **sizes), plain)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("prompts", "track_ids", "message"),
    [
        (Prompts(categories=["cat"]), None, "must hold marks only"),
        (Prompts(categories=["cat"], points=[(1, 1)]), None, "must hold marks only"),
        (Prompts(points=[(1, 1)]), [1, 2], "1 different numbers above 0"),
        (Prompts(points=[(1, 1)]), [0], "1 different numbers above 0"),
        (Prompts(points=[(99, 1)]), None, r"points: \(99, 1\) lies outside the image"),
        (Prompts(masks=np.ones((1, 40, 60))), None, r"a mask is \[40, 60\] but the image is"),
    ],
)
def test_marks_that_make_no_sense_are_refused_and_change_nothing(
    predictor: Predictor,
    frames: list[Picture],
    prompts: Prompts,
    track_ids: list[int] | None,
    message: str,
) -> None:
    follower = MarkFollower(predictor)

    with pytest.raises(ValueError, match=message):
        follower.mark(frames[0], prompts, track_ids)

    assert follower.track_ids == ()


def test_unknown_objects_are_named(predictor: Predictor, frames: list[Picture]) -> None:
    follower = MarkFollower(predictor)
    follower.mark(frames[0], Prompts(points=[(20, 20), (30, 20)]))
    follower.remove(1)

    with pytest.raises(ValueError, match="track 7 is not followed; there are: 2"):
        follower.remove(7)
    with pytest.raises(ValueError, match="track_ids has 1, which is not followed"):
        follower.mark(frames[0], Prompts(points=[(20, 20)]), track_ids=[1])
    with pytest.raises(ValueError, match="must have points"):
        predictor.remember(frames[0], Prompts(categories=["cat"]))


def test_a_list_of_frames_is_followed_in_both_directions(
    predictor: Predictor, frames: list[Picture]
) -> None:
    prompts, backward = Prompts(boxes=[(14, 10, 34, 30)]), MarkFollower(predictor)
    backward.mark(frames[1], prompts)

    found = dict(follow_both_ways(MarkFollower(predictor), frames, {1: prompts}))

    assert list(found) == [1, 2, 0]
    same(found[0], backward.step(frames[0]))
    with pytest.raises(ValueError, match="frame 3"):
        list(follow_both_ways(MarkFollower(predictor), frames, {3: prompts}))


def test_the_original_procedure_gives_all_tracks_in_all_frames(
    predictor: Predictor, frames: list[Picture]
) -> None:
    config = ReferenceConfig(max_tracks=4)

    found = list(follow_offline(predictor, lambda: frames, ["cat", "dog"], config=config))

    assert [ids(one) for one in found] == [[1, 2, 3, 4]] * 3
    assert all(torch.equal(one.scores, found[0].scores) for one in found)
    calls = iter([frames, frames[:2]])
    with pytest.raises(ValueError, match="another number"):
        list(follow_offline(predictor, lambda: next(calls), ["cat"], masks=False))
    assert list(follow_offline(predictor, list, ["cat"])) == []


def test_released_mistakes_of_boxes_can_be_repeated(
    predictor: Predictor, frames: list[Picture]
) -> None:
    encoded = predictor.encode(frames[0][:, :50])
    (outputs,) = predictor.detect_each(encoded, predictor.vocabulary(["cat"]))
    one = torch.zeros(1, dtype=torch.int64)
    chosen, geometry = ChosenTracks(one, one, torch.ones(1)), encoded.geometry

    right, wrong = (
        place_tracks(outputs, geometry, chosen, one, ReferenceConfig(released_boxes=released))
        for released in (False, True)
    )

    shrink = [geometry.content[axis] / geometry.padded[axis] for axis in (1, 0, 1, 0)]
    assert min(shrink) < 1
    torch.testing.assert_close(wrong.boxes, right.boxes * torch.tensor(shrink))


def test_tracks_are_told_apart_on_the_device_of_the_network(
    predictor: Predictor, frames: list[Picture]
) -> None:
    encoded = predictor.encode(frames[0])
    (outputs,) = predictor.detect_each(encoded, predictor.vocabulary(["cat"]), masks=False)
    one = torch.zeros(1, dtype=torch.int64)
    chosen = ChosenTracks(one, one, torch.ones(1))

    with torch.device("meta"):  # for all that is made without saying where
        placed = place_tracks(outputs, encoded.geometry, chosen, one, ReferenceConfig(nms=0.5))

    assert placed.boxes.device == outputs.final.logits.device


def near_network() -> Predictor:
    """A network to which it counts where a mark is, and nothing else."""
    torch.manual_seed(0)
    decoder = replace(tiny().object_decoder, cell_reach=True, relative_boxes=True, mark_places=True)
    model = build_glee(replace(tiny(), object_decoder=decoder, coarse_context=True))
    for weight in (model.heads.box.layers[-1].weight, model.heads.similarity.weight):
        torch.nn.init.zeros_(weight)
    return Predictor(model)


MARKED = Prompts(boxes=[(11, 11, 29, 29), (40, 5, 60, 15)])


def candidates(predictor: Predictor, frames: list[Picture], last: Tensor) -> list[Tensor]:
    """Return the boxes [Q, 4] of all queries of the second frame for each object marked."""
    encoded = predictor.encode(frames[1])
    remembered = replace(predictor.remember(frames[0], MARKED), near=last)
    return [
        encoded.geometry.boxes_to_original(boxes, clip=False)
        for outputs in predictor.detect_each(encoded, remembered)
        for boxes in outputs.final.boxes_cxcywh
    ]


def test_boxes_of_marked_objects_follow_their_masks(frames: list[Picture]) -> None:
    """Where the network looks next stays where it found them."""
    predictor = with_ellipses(places=True)
    plain, follower = (MarkFollower(predictor, masks=masks) for masks in (False, True))
    marked = [one.mark(frames[0], MARKED).boxes for one in (plain, follower)]

    torch.testing.assert_close(*marked)  # those that were given stay
    boxes, found = plain.step(frames[1]).boxes, follower.step(frames[1])

    assert found.masks is not None
    halfway = (boxes + mask_to_boxes(found.masks)) / 2
    there = found.masks.flatten(1).any(dim=1)
    assert there.any()
    torch.testing.assert_close(found.boxes[there], halfway[there])
    assert follower.state().values["last"] == plain.state().values["last"]


def test_where_places_count_an_object_is_looked_for_where_it_was(frames: list[Picture]) -> None:
    predictor = near_network()
    follower = MarkFollower(predictor)
    last = follower.mark(frames[0], MARKED).boxes

    found = follower.step(frames[1])

    for box, near in zip(candidates(predictor, frames, last), last, strict=True):
        best = box[pairwise_iou(box, near[None])[:, 0].argmax()]
        torch.testing.assert_close(
            found.boxes[(last == near).all(1)][0], clip_boxes(best, found.image_size)
        )
    state = follower.state()
    wrong = Snapshot({**state.values, "last": {"1": [0, 0, 1]}}, state.tensors)
    with pytest.raises(ValueError, match="'last' must hold boxes"):
        follower.restore(wrong)


def test_names_keep_more_objects_inside_each_other_in_videos_than_in_pictures(
    frames: list[Picture], monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, asked = near_network(), list[object]()
    predict = predictor.predict

    def note(*args: Any, **options: Any) -> Instances:
        asked.append(options["nested"])
        return predict(*args, **options)

    monkeypatch.setattr(predictor, "predict", note)
    config = TrackerConfig(birth_score=0, keep_score=0)

    NameFollower(predictor, ["cat"], config=config).step(frames[0])

    assert asked == [names.NESTED]
    assert names.NESTED > predictor_module.NESTED
