import numpy as np
import pytest
from pycocotools.mask import encode, iou

from glee.evaluation.arrays import BoolArray, FloatArray
from glee.evaluation.overlaps import (
    box_overlaps,
    compute_overlaps,
    mask_intersections,
    mask_overlaps,
    track_overlaps,
    tube_overlaps,
)
from glee.evaluation.regions import Boxes, Masks, Rle, Tracks, Tubes

LONE = np.array([False])
CROWD = np.array([True])


def boxes(*rows: tuple[float, float, float, float]) -> FloatArray:
    return np.array(rows, dtype=np.float64)


def mask(columns: slice, *, rows: slice = slice(None)) -> Rle:
    """A mask of 4 x 6 pixels, filled where rows and columns meet."""
    pixels = np.zeros((4, 6), dtype=np.uint8, order="F")
    pixels[rows, columns] = 1
    code: Rle = encode(pixels)
    return code


def track(frames: list[int], *rows: tuple[float, float, float, float]) -> Tracks:
    return Tracks([np.array(frames)], [boxes(*rows)])


def test_boxes_overlap_by_intersection_over_union() -> None:
    found, true = boxes((0, 0, 4, 4)), boxes((2, 0, 4, 4), (4, 0, 4, 4), (0, 0, 4, 4))

    overlaps = box_overlaps(found, true, np.zeros(3, dtype=np.bool_))

    assert overlaps[0] == pytest.approx([8 / 24, 0, 1])


def test_a_box_inside_of_a_crowd_overlaps_it_fully() -> None:
    found, true = boxes((2, 2, 2, 2), (-2, 0, 4, 4)), boxes((0, 0, 10, 10))

    assert box_overlaps(found, true, CROWD)[:, 0] == pytest.approx([1, 0.5])


def test_boxes_without_area_overlap_nothing() -> None:
    point = boxes((3, 3, 0, 0))

    assert box_overlaps(point, point, LONE)[0, 0] == 0


def test_boxes_overlap_as_in_coco_to_the_last_bit() -> None:
    random = np.random.default_rng(0)
    found, true = (np.round(random.uniform(0, 60, (50, 4)), 2) for _ in range(2))
    crowd: BoolArray = random.random(50) < 0.3

    ours = box_overlaps(found, true, crowd)

    np.testing.assert_array_equal(ours, iou(found, true, crowd.astype(np.uint8).tolist()))


def test_masks_overlap_by_pixels() -> None:
    found = [mask(slice(0, 4)), mask(slice(0, 0))]

    overlaps = mask_overlaps(found, [mask(slice(2, 6))], LONE)

    assert overlaps[:, 0] == pytest.approx([8 / 24, 0])
    assert mask_intersections(found, [mask(slice(2, 6))])[:, 0].tolist() == [8, 0]


def test_no_masks_give_an_empty_table() -> None:
    assert mask_overlaps([], [mask(slice(0, 2))], LONE).shape == (0, 1)


def test_tubes_overlap_over_all_frames_together() -> None:
    # Frame 1: 8 of 16 + 8 pixels; frame 2: only the first, 4 pixels; frame 3: neither.
    found = [mask(slice(0, 4)), mask(slice(0, 1)), None]
    true = [mask(slice(2, 6)), None, None]

    assert tube_overlaps([found], [true])[0, 0] == pytest.approx(8 / 28)


def test_tubes_without_a_pixel_overlap_nothing() -> None:
    empty: list[Rle | None] = [mask(slice(0, 0)), None]

    assert tube_overlaps([empty], [empty])[0, 0] == 0


def test_tracks_overlap_over_all_frames_together() -> None:
    # Frame 7: half of each; frame 9: only the first; frame 8: only the second.
    found = track([9, 7], (0, 0, 2, 2), (0, 0, 4, 4))
    true = track([7, 8], (2, 0, 4, 4), (0, 0, 2, 3))

    assert track_overlaps(found, true)[0, 0] == pytest.approx(8 / (24 + 4 + 6))


def test_a_tubes_area_is_the_mean_over_frames_with_pixels() -> None:
    frames = [mask(slice(0, 1))["counts"], None, mask(slice(0, 0))["counts"], b""]
    frames[3] = mask(slice(0, 4))["counts"]

    assert Tubes([frames], np.array([[4, 6]])).areas().tolist() == [10]


def test_areas_of_many_masks_are_counted() -> None:
    # More than the 255 that pycocotools counts at once.
    one = mask(slice(0, 2))["counts"]

    areas = Masks([one] * 300, np.tile([4, 6], (300, 1))).areas()

    assert areas.tolist() == [8.0] * 300


def test_equal_regions_have_equal_fingerprints_and_others_not() -> None:
    prints = Boxes(boxes((1, 2, 3, 4), (2, 1, 3, 4), (1, 2, 3, 4), (-0.0, 0, 1, 1), (0, 0, 1, 1)))

    first, turned, same, minus, plus = prints.fingerprints().tolist()

    assert first == same != turned
    assert minus == plus


def test_regions_of_two_kinds_cannot_be_compared() -> None:
    none = np.zeros(0, dtype=np.int64)

    with pytest.raises(TypeError, match="detections are Boxes but annotations are Masks"):
        compute_overlaps(Boxes(boxes()[:, None].reshape(0, 4)), none, Masks([], none), none, LONE)


def test_a_track_has_one_box_in_a_frame() -> None:
    with pytest.raises(ValueError, match="track 0 needs one box a frame"):
        track([3, 3], (0, 0, 1, 1), (0, 0, 1, 1))
