"""Online tracking on drawn clips, with perfect objects and noisy embeddings."""

from collections.abc import Callable

import pytest

from glee.data.shapes import Shape
from glee.tracking.tracker import Tracker
from shape_clips import (
    crossing,
    crowd,
    cut,
    idf1,
    look_alike_occlusion,
    look_alikes_crossing,
    look_alikes_side_by_side,
    occlusion,
    re_entry,
    scale_change,
    unseen_frames,
)

CASES = (
    crossing,
    look_alikes_crossing,
    look_alikes_side_by_side,
    occlusion,
    look_alike_occlusion,
    re_entry,
    scale_change,
    cut,
    crowd,
)

# Deviation of each number of an embedding, whose own deviation is 1: two views of the same object
# have a cosine of 0.74 then.
NOISE = 0.6


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_identities_are_kept(case: Callable[[], list[Shape]]) -> None:
    with_masks = idf1(case(), Tracker(), noise=NOISE, seed=0)
    with_boxes = idf1(case(), Tracker(), noise=NOISE, seed=1, masks=False)

    assert min(with_masks, with_boxes) >= 0.98


def test_the_clips_hide_their_objects_for_as_long_as_they_say() -> None:
    assert unseen_frames(occlusion(), identity=0) == 10
    assert unseen_frames(look_alike_occlusion(), identity=0) == 10
    assert unseen_frames(re_entry(), identity=0) >= 60
    assert unseen_frames(cut(), identity=0) == 20
