"""One object of each training image is marked, as a user would mark it, and is then all truth."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from glee.data.collate import Batch
from glee.data.marks import Known, draw_box, draw_point, draw_scribble
from glee.data.targets import Targets
from glee.data.visual_prompts import MarkConfig, mark_objects
from glee.model.interfaces import Regions
from glee.ops.boxes import scale_boxes, xyxy_to_cxcywh
from glee.ops.masks import mask_to_boxes

CANVAS, IMAGE = (96, 128), (80, 120)

ALWAYS = MarkConfig(chance=1)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rectangle(x1: int, y1: int, x2: int, y2: int) -> Tensor:
    mask = torch.zeros(CANVAS, dtype=torch.bool)
    mask[y1:y2, x1:x2] = True
    return mask


LEFT, RIGHT = (10, 20, 30, 60), (70, 5, 110, 25)


def shows(*boxes: tuple[int, int, int, int], masks: bool = True, **fields: Any) -> Targets:
    """Targets whose masks are L-shaped: the boxes without their upper right quarter."""
    drawn = torch.stack([rectangle(*box) for box in boxes]) if boxes else torch.zeros(0, *CANVAS)
    for mask, (x1, y1, x2, y2) in zip(drawn, boxes, strict=True):
        mask[y1 : (y1 + y2) // 2, (x1 + x2) // 2 : x2] = False
    xyxy = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return Targets(
        labels=torch.arange(len(boxes)),
        boxes_cxcywh=xyxy_to_cxcywh(scale_boxes(xyxy, (1 / CANVAS[0], 1 / CANVAS[1]))),
        masks=drawn.bool() if masks else None,
        **fields,
    )


def batch_of(*truth: Targets, frames: int = 1) -> Batch:
    return Batch(
        pixels=torch.zeros(len(truth), 3, *CANVAS),
        sizes=(IMAGE,) * len(truth),
        names=("left", "right"),
        expressions=(),
        truth=truth,
        frames=frames,
    )


def marked(batch: Batch, config: MarkConfig = ALWAYS, seed: int = 0) -> tuple[Batch, Regions]:
    found = mark_objects(batch, config, seeded(seed))
    assert found.regions is not None
    return found, found.regions


def only(**shares: float) -> MarkConfig:
    return MarkConfig(chance=1, **({"mask": 0, "point": 0, "box": 0} | shares))


def test_one_object_of_each_image_is_left_and_marked() -> None:
    batch, regions = marked(batch_of(shows(LEFT, RIGHT), shows(RIGHT)), only(mask=1))

    assert [len(truth) for truth in batch.truth] == [1, 1]
    assert all(truth.marked for truth in batch.truth)
    masks = [truth.masks for truth in batch.truth if truth.masks is not None]
    assert torch.equal(regions.template_masks, torch.cat(masks))
    assert not regions.brightened.any()


def test_every_object_is_marked_some_time() -> None:
    batch = batch_of(shows(LEFT, RIGHT))

    labels = {int(marked(batch, seed=n)[0].truth[0].labels) for n in range(20)}

    assert labels == {0, 1}


def test_an_image_without_objects_leaves_the_truth_of_all_images_as_it_is() -> None:
    batch = batch_of(shows(LEFT, RIGHT), shows())

    assert mark_objects(batch, ALWAYS, seeded()) is batch


def test_marks_come_in_the_share_of_batches_asked_for() -> None:
    batch, generator = batch_of(shows(LEFT)), seeded()
    config = MarkConfig(chance=0.2)

    found = [mark_objects(batch, config, generator).regions is not None for _ in range(500)]

    assert 70 < sum(found) < 130  # 100 on average, with a deviation of 9


def test_kinds_of_marks_come_in_the_shares_asked_for() -> None:
    target = shows(LEFT)
    batch = batch_of(*[target] * 400)

    _, regions = marked(batch, MarkConfig(chance=1, mask=0.5, point=0.25, box=0.25))

    areas = regions.template_masks.flatten(1).sum(1)
    counts = [int((areas == area).sum()) for area in (600, 800)]  # of the mask, and of its box
    assert 160 < counts[0] < 240
    assert 70 < counts[1] < 130
    assert 70 < int(regions.brightened.sum()) < 130
    assert sum(counts) + int(regions.brightened.sum()) == 400


def test_the_seed_decides_on_the_marks() -> None:
    batch = batch_of(*[shows(LEFT, RIGHT)] * 12)

    (_, first), (_, again), (_, other) = (marked(batch, seed=n) for n in (1, 1, 2))

    assert torch.equal(first.template_masks, again.template_masks)
    assert not torch.equal(first.template_masks, other.template_masks)


def test_an_object_without_a_mask_is_marked_by_its_box_or_a_point_in_the_middle() -> None:
    batch = batch_of(*[shows(LEFT, masks=False)] * 50)

    _, boxes = marked(batch, only(mask=1))
    _, points = marked(batch, only(mask=1, point=1))

    assert all(torch.equal(mask, rectangle(*LEFT)) for mask in boxes.template_masks)
    assert points.brightened.all()
    middles = mask_to_boxes(points.template_masks)
    # A reach of 120 // 40 = 3 and 80 // 40 = 2 pixels around x in 15..25 and y in 30..50.
    assert (middles[:, 0].min(), middles[:, 1].min()) >= (12, 28)
    assert (middles[:, 2].max(), middles[:, 3].max()) <= (28, 52)


def test_an_object_of_the_first_frame_is_followed_through_its_clip() -> None:
    here, there = torch.tensor([7, 8]), torch.tensor([8, 9])
    clip = [shows(LEFT, RIGHT, track_ids=here), shows(RIGHT, LEFT, track_ids=there, follows=True)]
    batch = batch_of(*clip, *clip, frames=2)

    seen = set()
    for seed in range(20):
        found, regions = marked(batch, seed=seed)
        assert len(regions.template_masks) == 2  # one a clip
        first, second, *_ = (truth.track_ids for truth in found.truth)
        assert first is not None
        assert second is not None
        seen.add((*first.tolist(), *second.tolist()))
        assert all(truth.marked for truth in found.truth)

    assert seen == {(7,), (8, 8)}  # the object 7 is not seen again


def test_a_clip_whose_first_frame_is_empty_is_not_marked() -> None:
    ids = torch.tensor([], dtype=torch.int64), torch.tensor([3])
    batch = batch_of(shows(track_ids=ids[0]), shows(LEFT, track_ids=ids[1]), frames=2)

    assert mark_objects(batch, ALWAYS, seeded()) is batch


def test_a_clip_without_track_ids_is_refused() -> None:
    with pytest.raises(ValueError, match="clips need track_ids"):
        mark_objects(batch_of(shows(LEFT), shows(LEFT), frames=2), ALWAYS, seeded())


def known(*box: int, mask: bool = True) -> Known:
    xyxy = torch.tensor(box, dtype=torch.float32)
    return Known(CANVAS, IMAGE, xyxy, rectangle(*box) if mask else None)


def test_a_box_without_jitter_is_the_tightest_around_the_mask() -> None:
    loose = replace(known(*LEFT), xyxy=torch.tensor([0.0, 0, 90, 70]))

    assert torch.equal(draw_box(loose, 0, seeded()), rectangle(*LEFT))


def test_the_sides_of_a_box_shift_apart_and_no_further_than_allowed() -> None:
    drawn = torch.stack([draw_box(known(*LEFT), 0.25, seeded(n)) for n in range(200)])

    low, high = torch.aminmax(mask_to_boxes(drawn), dim=0)
    # 20 wide and 40 high: each side shifts by up to 5 and 10, and boxes end on whole pixels.
    assert low.tolist() == [5, 10, 26, 51]
    assert high.tolist() == [14, 29, 35, 70]


def test_marks_at_the_borders_are_cut_and_never_empty() -> None:
    for corner in ((0, 0, 1, 1), (119, 79, 120, 80), (0, 79, 1, 80)):
        for seed in range(5):
            box = draw_box(known(*corner), 0.9, seeded(seed))
            point = draw_point(known(*corner), seeded(seed))
            x, y = min(corner[0], 119), min(corner[1], 79)
            assert box.any()
            assert point[y, x]
            assert not (box | point)[80:].any()
            assert not (box | point)[:, 120:].any()


def test_a_point_reaches_a_fortieth_of_the_image_to_each_side() -> None:
    # As in GLEE's released code: rows y-2 to y+1 and columns x-3 to x+2.
    assert torch.equal(draw_point(known(50, 40, 51, 41), seeded()), rectangle(47, 38, 53, 42))


def test_points_are_clicked_all_over_the_mask_and_only_there() -> None:
    target = shows(LEFT).masks
    assert target is not None
    one = Known(CANVAS, IMAGE, torch.tensor(LEFT).float(), target[0])

    drawn = mask_to_boxes(torch.stack([draw_point(one, seeded(n)) for n in range(300)])).long()

    clicks = {(x + 3, y + 2) for x, y, *_ in drawn.tolist()}
    assert all(target[0, y, x] for x, y in clicks)
    assert {(x < 20, y < 40) for x, y in clicks} == {(True, True), (True, False), (False, False)}


def test_a_scribble_lies_on_the_object_and_is_thin() -> None:
    disc = (torch.cartesian_prod(torch.arange(400), torch.arange(400)) - 200).float().norm(dim=1)
    mask = (disc < 150).reshape(400, 400)

    strokes = torch.stack([draw_scribble(mask, (400, 400), seeded(n)) for n in range(20)])

    assert not (strokes & ~mask).any()
    areas = strokes.flatten(1).sum(1)
    assert areas.min() > 0
    assert areas.float().mean() < 0.05 * mask.sum()  # 4 pixels wide
    spans = mask_to_boxes(strokes)
    assert (spans[:, 2] - spans[:, 0]).mean() > 75  # strokes, not blots


def test_a_scribble_on_a_single_pixel_is_that_pixel() -> None:
    mask = rectangle(0, 0, 1, 1)

    assert torch.equal(draw_scribble(mask, IMAGE, seeded()), mask)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"chance": 1.5}, "chance must lie in"),
        ({"mask": 0, "point": 0, "box": 0}, "not be negative, nor all zero"),
        ({"mask": -1}, "not be negative"),
        ({"box_jitter": 1}, "box_jitter must lie in"),
    ],
)
def test_marks_that_make_no_sense_are_refused(fields: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MarkConfig(**fields)
