"""The tracker on hand-made objects: births, deaths, names, memory, weak and double objects."""

import json
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from glee import Instances
from glee.tracking.appearance import CosineScale, add_views, compare
from glee.tracking.association import assign, is_cut
from glee.tracking.config import TrackerConfig
from glee.tracking.motion import correct, expect, place_affinity, to_places
from glee.tracking.reference import ReferenceConfig, ReferenceTracks, tao_reference
from glee.tracking.snapshot import Snapshot
from glee.tracking.tracker import Tracker

CAT, DOG, COW = torch.eye(3).repeat_interleave(8, dim=1)  # looks that have nothing in common
LEFT, RIGHT, MIDDLE = (10.0, 10.0, 30.0, 30.0), (70.0, 10.0, 90.0, 30.0), (40.0, 10.0, 60.0, 30.0)
NAMES = ("cat", "dog", "cow")


def frame(
    *objects: tuple[tuple[float, float, float, float], Tensor],
    scores: list[float] | None = None,
    labels: list[int] | None = None,
    names: tuple[str, ...] = NAMES,
) -> Instances:
    """Return objects of one frame, each a box and a look."""
    count = len(objects)
    return Instances(
        boxes=torch.tensor([box for box, _ in objects]).reshape(count, 4),
        scores=torch.tensor(scores or [0.9] * count),
        labels=torch.tensor(labels or [0] * count, dtype=torch.int64),
        names=names,
        image_size=(50, 100),
        embeddings=torch.stack([look for _, look in objects]) if count else torch.zeros(0, 24),
    )


def ids(tracked: Instances) -> list[int]:
    assert tracked.track_ids is not None
    return tracked.track_ids.tolist()


def test_ids_count_from_one_and_stay_with_their_objects() -> None:
    tracker = Tracker()

    first = tracker.step(frame((LEFT, CAT), (RIGHT, DOG), scores=[0.8, 0.9]))
    second = tracker.step(frame((RIGHT, DOG), (LEFT, CAT)))

    assert ids(first) == [2, 1]  # the surer one is first
    assert ids(second) == [1, 2]


def test_an_empty_frame_has_no_tracks_and_costs_none() -> None:
    tracker = Tracker()
    tracker.step(frame((LEFT, CAT)))

    assert ids(tracker.step(frame())) == []
    assert ids(tracker.step(frame((LEFT, CAT)))) == [1]


def test_a_new_look_at_the_same_place_is_another_object() -> None:
    tracker = Tracker()
    tracker.step(frame((LEFT, CAT)))

    assert ids(tracker.step(frame((LEFT, DOG)))) == [2]


def test_an_object_is_known_again_elsewhere_by_its_look() -> None:
    tracker = Tracker()
    for _ in range(20):
        tracker.step(frame((LEFT, CAT)))
    for _ in range(100):
        tracker.step(frame((MIDDLE, DOG)))

    assert ids(tracker.step(frame((MIDDLE, DOG), (RIGHT, CAT)))) == [2, 1]


def test_an_object_is_forgotten_in_the_end() -> None:
    tracker = Tracker(TrackerConfig(coast_frames=3, remember_frames=10))
    for _ in range(20):
        tracker.step(frame((LEFT, CAT)))
    for _ in range(10):
        tracker.step(frame((MIDDLE, DOG)))

    assert ids(tracker.step(frame((RIGHT, CAT)))) == [3]


def test_what_was_seen_once_is_forgotten_soon() -> None:
    tracker = Tracker()
    tracker.step(frame((LEFT, CAT)))
    for _ in range(10):
        tracker.step(frame((MIDDLE, DOG)))

    assert ids(tracker.step(frame((RIGHT, CAT)))) == [3]


def test_only_so_many_identities_are_remembered() -> None:
    tracker = Tracker(TrackerConfig(max_remembered=2))
    looks = torch.eye(24)
    for n in range(12):
        for _ in range(3):
            tracker.step(frame((MIDDLE, looks[n])))

    assert len(tracker.state().tensors["ids"]) <= 3  # two, and one that was just born


def test_the_state_does_not_grow_with_the_frames() -> None:
    tracker = Tracker(TrackerConfig(views=3))
    generator = torch.Generator().manual_seed(0)
    sizes = []
    for _ in range(40):
        noisy = CAT + 0.3 * torch.randn(24, generator=generator)
        tracker.step(frame((LEFT, noisy)))
        sizes.append(sum(value.numel() for value in tracker.state().tensors.values()))

    assert set(sizes) == {sizes[0]}


def test_weak_objects_continue_tracks_but_start_none() -> None:
    tracker = Tracker(TrackerConfig(birth_score=0.5, keep_score=0.1))
    tracker.step(frame((LEFT, CAT)))

    tracked = tracker.step(frame((LEFT, CAT), (RIGHT, DOG), scores=[0.2, 0.4]))

    assert ids(tracked) == [1]
    assert ids(tracker.step(frame((LEFT, CAT), scores=[0.05]))) == []


def test_a_second_answer_for_the_same_object_starts_no_track() -> None:
    almost = (11.0, 10.0, 31.0, 30.0)  # IoU 19 / 21 with LEFT

    tracked = Tracker().step(frame((LEFT, CAT), (almost, DOG), scores=[0.9, 0.6]))

    assert ids(tracked) == [1]
    assert tracked.boxes.tolist() == [list(LEFT)]


def masked(found: Instances, *areas: tuple[int, int, int, int]) -> Instances:
    """Give each object the pixels of an area, xyxy."""
    masks = torch.zeros(len(areas), *found.image_size, dtype=torch.bool)
    for mask, (left, top, right, bottom) in zip(masks, areas, strict=True):
        mask[top:bottom, left:right] = True
    return replace(found, masks=masks)


WHOLE = (10, 10, 30, 30)


def test_a_second_answer_is_known_by_its_mask_even_with_a_wrong_box() -> None:
    wrong = (12.0, 14.0, 22.0, 26.0)  # IoU 0.3 with LEFT
    tracker = Tracker()
    both = masked(frame((LEFT, CAT), (wrong, DOG), scores=[0.9, 0.6]), WHOLE, (10, 10, 30, 29))

    first, second = tracker.step(both), tracker.step(both)

    assert ids(first) == ids(second) == [1]
    assert second.boxes.tolist() == [list(LEFT)]


def test_a_weaker_answer_for_the_same_object_does_not_take_its_track() -> None:
    off = (14.0, 10.0, 34.0, 30.0)
    tracker = Tracker()
    tracker.step(masked(frame((LEFT, CAT)), WHOLE))
    turned = CAT + 0.8 * COW  # looks less like what was seen than the weaker answer does

    tracked = tracker.step(
        masked(frame((off, turned), (LEFT, CAT), scores=[0.9, 0.3]), WHOLE, WHOLE)
    )

    assert ids(tracked) == [1]
    assert tracked.scores.tolist() == pytest.approx([0.9])


def test_of_two_answers_that_fit_alike_the_surer_is_the_object() -> None:
    near, nearer = (14.0, 10.0, 34.0, 30.0), (12.0, 10.0, 32.0, 30.0)
    tracker = Tracker()
    tracker.step(frame((LEFT, CAT)))

    tracked = tracker.step(frame((near, CAT), (nearer, CAT), scores=[0.9, 0.3]))

    assert tracked.boxes[ids(tracked).index(1)].tolist() == list(near)


def test_objects_in_one_box_are_two_if_their_masks_are() -> None:
    upper, lower = (10, 10, 30, 20), (10, 20, 30, 30)

    tracked = Tracker().step(masked(frame((LEFT, CAT), (LEFT, DOG)), upper, lower))

    assert sorted(ids(tracked)) == [1, 2]


@pytest.mark.parametrize("doubled", [[0, 1, 2, 2, 3], [0, 0, 0, 0, 1]])
def test_consumed_objects_give_the_same_tracks(doubled: list[int]) -> None:
    areas = [(20 * n, 0, 20 * n + 10, 10 + n) for n in doubled]  # of one place: the same object
    boxes = [tuple(map(float, area)) for area in areas]
    found = masked(frame(*zip(boxes, torch.eye(24), strict=False)), *areas)  # type: ignore[arg-type]
    copied = Tracker().step(found)

    moved = Tracker().step(found, consume=True)

    assert copied.masks is not None
    assert moved.masks is not None
    assert len(copied) == len(set(doubled))
    assert torch.equal(moved.masks, copied.masks)
    assert torch.equal(moved.boxes, copied.boxes)
    assert ids(moved) == ids(copied)


def test_with_probation_a_track_is_reported_from_its_third_sighting_on() -> None:
    tracker = Tracker(TrackerConfig(birth_frames=3))

    assert [ids(tracker.step(frame((LEFT, CAT)))) for _ in range(4)] == [[], [], [1], [1]]


def test_a_track_is_called_what_it_was_called_most() -> None:
    tracker = Tracker()
    for label in (1, 1, 1):
        tracker.step(frame((LEFT, CAT), labels=[label]))

    once = tracker.step(frame((LEFT, CAT), labels=[2]))
    for _ in range(5):
        often = tracker.step(frame((LEFT, CAT), labels=[2]))

    assert once.label_names() == ["dog"]
    assert often.label_names() == ["cow"]


def test_names_may_change_on_the_way() -> None:
    tracker = Tracker()
    for _ in range(3):
        tracker.step(frame((LEFT, CAT), labels=[1]))

    same = tracker.step(frame((LEFT, CAT), labels=[0], names=("wolf", "dog")))
    other = tracker.step(frame((LEFT, CAT), labels=[0], names=("pet",)))

    assert same.label_names() == ["dog"]
    assert other.label_names() == ["pet"]
    assert ids(other) == [1]


def test_rows_keep_their_order_scores_and_embeddings() -> None:
    found = frame((LEFT, CAT), (RIGHT, DOG), (MIDDLE, COW), scores=[0.5, 0.1, 0.9])

    tracked = Tracker().step(found)

    assert torch.equal(tracked.scores, found.scores[[0, 2]])
    assert torch.equal(tracked.boxes, found.boxes[[0, 2]])
    assert tracked.embeddings is not None
    assert torch.equal(tracked.embeddings, torch.stack([CAT, COW]))


def test_a_restored_tracker_goes_on_as_if_never_stopped() -> None:
    whole, first, second = Tracker(), Tracker(), Tracker()
    frames = [frame((LEFT, CAT), (RIGHT, DOG)), frame((LEFT, CAT)), frame((MIDDLE, DOG))] * 3
    for one in frames[:4]:
        whole.step(one)
        first.step(one)
    state = first.state()

    second.restore(Snapshot(json.loads(json.dumps(state.values)), state.tensors))

    for one in frames[4:]:
        assert ids(second.step(one)) == ids(whole.step(one))
    after, expected = second.state(), whole.state()
    assert after.values == expected.values
    assert all(torch.equal(after.tensors[name], expected.tensors[name]) for name in after.tensors)


def test_a_state_is_not_changed_by_what_follows() -> None:
    tracker = Tracker()
    tracker.step(frame((LEFT, CAT)))
    state = tracker.state()

    tracker.step(frame((RIGHT, CAT)))

    assert state.tensors["places"].tolist()[0][:2] == [20, 20]


def test_a_damaged_state_is_refused() -> None:
    tracker = Tracker()
    tracker.step(frame((LEFT, CAT)))
    state = tracker.state()

    with pytest.raises(ValueError, match="lacks views"):
        Tracker().restore(
            Snapshot(state.values, {k: v for k, v in state.tensors.items() if k != "views"})
        )
    with pytest.raises(ValueError, match=r"views of the state must be torch.float32 \[1, 2, 24\]"):
        Tracker(TrackerConfig(views=2)).restore(state)
    with pytest.raises(ValueError, match="not that of a Tracker"):
        Tracker().restore(Snapshot({}, {}))


def test_objects_without_embeddings_and_other_sizes_are_refused() -> None:
    tracker = Tracker()
    tracker.step(frame((LEFT, CAT)))

    with pytest.raises(ValueError, match="no embeddings"):
        tracker.step(replace(frame((LEFT, CAT)), embeddings=None))
    with pytest.raises(
        ValueError, match=r"\[60, 100\] pixels, but the frames before had \[50, 100"
    ):
        tracker.step(replace(frame((LEFT, CAT)), image_size=(60, 100)))
    with pytest.raises(ValueError, match="9 numbers, but those of the frames before had 24"):
        tracker.step(replace(frame((LEFT, CAT)), embeddings=torch.ones(1, 9)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep_score": 0.5}, r"keep_score \(0.5\) must not exceed birth_score"),
        ({"min_affinity": 2}, "min_affinity must lie in 0..1"),
        ({"views": 0}, "views must be a whole number of at least 1"),
        ({"coast_frames": 1000}, "coast_frames"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(
    options: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        TrackerConfig(**options)  # type: ignore[arg-type]


def test_one_sure_pair_is_worth_more_than_none_and_no_pair_is_forced() -> None:
    rows, columns = assign(torch.tensor([[0.5, 0.0], [-1.0, -1.0]]))

    assert (rows.tolist(), columns.tolist()) == ([0], [0])


def test_it_is_a_cut_only_if_nothing_is_like_before() -> None:
    assert is_cut(torch.tensor([[0.1, 0.2], [0.0, 0.3]]))
    assert not is_cut(torch.tensor([[1.0, 0.2, 0.0, 0.0]]))  # one goes on, three are new
    assert not is_cut(torch.zeros(0, 3))


def test_two_sightings_tell_the_velocity() -> None:
    seen = to_places(torch.tensor([[14.0, 10, 34, 30]]))
    start = to_places(torch.tensor([[10.0, 10, 30, 30]]))
    one = torch.ones(1, dtype=torch.int64)

    place, velocity, steady = correct(start, torch.zeros(1, 4), seen, one, one)
    later = expect(place, velocity, one)

    torch.testing.assert_close(velocity, torch.tensor([[4.0, 0, 0, 0]]))
    torch.testing.assert_close(later[0, :2], torch.tensor([28.0, 20]), rtol=0, atol=0.2)
    assert steady.tolist() == [2]


def test_an_object_that_turns_up_elsewhere_has_no_velocity() -> None:
    seen, one = to_places(torch.tensor([[80.0, 10, 100, 30]])), torch.ones(1, dtype=torch.int64)
    start = to_places(torch.tensor([[10.0, 10, 30, 30]]))

    place, velocity, steady = correct(start, torch.full((1, 4), 3.0), seen, one, 9 * one)

    assert torch.equal(place, seen)
    assert velocity.abs().sum() == 0
    assert steady.tolist() == [1]


def test_places_agree_less_the_further_apart_and_more_the_longer_unseen() -> None:
    expected = to_places(torch.tensor([LEFT]))
    seen = to_places(torch.tensor([LEFT, (15.0, 10, 35, 30), RIGHT]))

    now, later = (place_affinity(expected, torch.tensor([n]), seen)[0] for n in (1, 10))

    assert now[0] == 1
    assert now[0] > now[1] > now[2]
    assert later[1] > now[1]


def test_a_gallery_keeps_views_that_differ_and_merges_similar_ones() -> None:
    views, weights = torch.zeros(1, 2, 24), torch.zeros(1, 2)
    looks = torch.nn.functional.normalize(torch.stack([CAT, DOG, CAT + 0.1 * COW]), dim=1)

    for look in looks:
        views, weights = add_views(views, weights, look[None])

    similarity = compare(views, weights, looks)[0]
    assert weights.sum() == 3
    assert similarity[1] > 0.999
    assert (similarity > 0.99).all()


def test_cosines_are_judged_by_those_that_are_usual() -> None:
    scale = CosineScale()
    for _ in range(300):
        scale.learn_unlike(torch.tensor([0.5]))
        scale.learn_alike(torch.tensor([0.8]))

    agreement = scale.agreement(torch.tensor([0.5, 0.65, 0.8, 1.0]))

    torch.testing.assert_close(agreement, torch.tensor([0.0, 0.5, 1, 1]), rtol=0, atol=0.05)


def test_the_reference_follows_each_query_by_the_mean_of_its_last_embeddings() -> None:
    tracks, logits = ReferenceTracks(), torch.tensor([[4.0, 0], [0, 2], [-9, -9]])
    looks = torch.stack([CAT, DOG, COW])
    order = torch.tensor([2, 0, 1])

    first = tracks.step(looks, logits)
    second = tracks.step(looks[order], logits[order] + 2)

    assert first.tolist() == [0, 1, 2]
    assert second.tolist() == [1, 2, 0]
    assert tracks.query(1, torch.tensor([0, 2])).tolist() == [1, 0]
    torch.testing.assert_close(tracks.memory, looks)
    chosen = tracks.choose(ReferenceConfig(max_tracks=2))
    assert (chosen.tracks.tolist(), chosen.labels.tolist()) == ([0, 1], [0, 1])
    torch.testing.assert_close(chosen.scores, torch.tensor([5.0, 3]).sigmoid())


def test_the_reference_reports_a_track_once_for_tao() -> None:
    tracks = ReferenceTracks()
    tracks.step(torch.eye(2), torch.tensor([[4.0, 3], [-1, -2]]))

    assert tracks.choose(tao_reference()).tracks.tolist() == [0, 1]
    assert tracks.choose(ReferenceConfig(max_tracks=2)).tracks.tolist() == [0, 0]


def test_the_reference_refuses_other_numbers_of_names() -> None:
    tracks = ReferenceTracks()
    with pytest.raises(ValueError, match="no frame"):
        tracks.choose(ReferenceConfig())
    tracks.step(torch.eye(2), torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"logits \[2, 4\] must have the shapes"):
        tracks.step(torch.eye(2), torch.zeros(2, 4))
