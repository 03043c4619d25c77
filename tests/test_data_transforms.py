"""Opening samples and augmenting them: what belongs together stays together."""

import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from glee.data.pixels import load_pixels
from glee.data.scene import Scene, open_frame, open_sample
from glee.data.schema import BadSampleError, Frame, Sample, Supervision
from glee.data.transforms import (
    MultiScale,
    ScaleJitter,
    augment,
    crop,
    flip,
    resize,
    shortest_edge,
    swap_sides,
)
from glee.ops.masks import encode_rle, mask_to_boxes

BOX = (30, 10, 60, 40)


def scene(expression: str | None = None, box: tuple[int, int, int, int] = BOX) -> Scene:
    """A picture of 80 x 120 with a white rectangle, which is the object."""
    x1, y1, x2, y2 = box
    mask = torch.zeros(1, 80, 120, dtype=torch.bool)
    mask[:, y1:y2, x1:x2] = True
    return Scene(
        pixels=(mask[0, ..., None].numpy() * np.full(3, 255)).astype(np.uint8),
        boxes=torch.tensor([box], dtype=torch.float32),
        names=("left shoe",),
        masks=mask,
        expression=expression,
        supervision=Supervision(masks=True, exhaustive=frozenset({"left shoe", "cup"})),
    )


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def bright_box(found: Scene) -> list[float]:
    mask = torch.from_numpy(found.pixels[..., 0] > 127)[None]
    return mask_to_boxes(mask)[0].tolist()


@pytest.mark.parametrize(
    ("text", "swapped"),
    [
        ("man on the left of the right car", "man on the right of the left car"),
        ("bright leftover upright", "bright leftover upright"),
        ("leftmost, right-hand Left", "rightmost, left-hand Right"),
        ("dog", "dog"),
    ],
)
def test_sides_are_swapped_as_whole_words(text: str, swapped: str) -> None:
    assert swap_sides(text) == swapped
    assert swap_sides(swapped) == text


def test_a_flip_mirrors_everything() -> None:
    mirrored = flip(scene("the left shoe"))

    assert mirrored.boxes.tolist() == [[60, 10, 90, 40]] == [bright_box(mirrored)]
    assert mirrored.masks is not None
    assert mask_to_boxes(mirrored.masks).tolist() == [[60, 10, 90, 40]]
    assert (mirrored.names, mirrored.expression) == (("right shoe",), "the right shoe")
    assert mirrored.supervision.exhaustive == {"right shoe", "cup"}


def test_two_flips_are_none() -> None:
    before = scene("on the left")

    after = flip(flip(before))

    assert np.array_equal(after.pixels, before.pixels)
    assert torch.equal(after.boxes, before.boxes)
    assert (after.expression, after.supervision) == (before.expression, before.supervision)


def test_a_resize_scales_pixels_boxes_and_masks_alike() -> None:
    double = resize(scene(), (160, 240))

    assert double.size == (160, 240)
    assert double.boxes.tolist() == [[60, 20, 120, 80]] == [bright_box(double)]
    assert double.masks is not None
    assert mask_to_boxes(double.masks).tolist() == [[60, 20, 120, 80]]


def test_a_crop_cuts_objects_at_its_borders() -> None:
    part = crop(scene(), (20, 40, 30, 50))

    assert part.size == (30, 50)
    assert part.boxes.tolist() == [[0, 0, 20, 20]] == [bright_box(part)]


def test_what_is_cropped_away_is_left_out() -> None:
    part = crop(scene(), (50, 0, 30, 50))

    assert (len(part), part.boxes.shape) == (0, (0, 4))
    assert part.masks is not None
    assert part.masks.shape == (0, 30, 50)


@pytest.mark.parametrize("size", [(200, 300), (50, 75), (80, 120)])
def test_a_resize_to_a_part_is_a_resize_and_a_crop(size: tuple[int, int]) -> None:
    part = (size[0] // 5, size[1] // 4, size[0] // 2, size[1] - size[1] // 4)

    at_once, after = resize(scene(), size, part), crop(resize(scene(), size), part)

    assert np.abs(at_once.pixels.astype(int) - after.pixels).max() <= 1
    assert torch.equal(at_once.boxes, after.boxes)
    assert at_once.masks is not None
    assert after.masks is not None
    assert torch.equal(at_once.masks, after.masks)


def test_an_object_too_small_for_a_pixel_vanishes_with_its_mask() -> None:
    tiny = scene(None, (61, 41, 62, 42))
    config = MultiScale(shortest=(8,), crop=0, flip=0)

    assert len(augment([tiny], config, seeded())[0]) == 0


def test_an_object_whose_mask_is_cropped_away_goes_with_its_box() -> None:
    before = scene()
    assert before.masks is not None
    before.masks[:, 20:] = False  # the box reaches further down than the mask

    assert len(crop(before, (20, 0, 60, 120))) == 0


def test_the_longest_edge_limits_the_shortest() -> None:
    assert shortest_edge((480, 640), 800, 1333) == (800, 1067)
    assert shortest_edge((480, 1280), 800, 1333) == (500, 1333)
    assert shortest_edge((1, 1000), 1, 10) == (1, 10)


@pytest.mark.parametrize("config", [MultiScale(), ScaleJitter(side=200, scales=(0.5, 2))])
def test_box_mask_and_pixels_agree_after_any_augmentation(config: Any) -> None:
    for seed in range(30):
        (one,) = augment([scene()], config, seeded(seed))
        if not len(one):
            continue
        assert one.masks is not None
        assert one.masks.shape[1:] == one.size
        around = mask_to_boxes(one.masks)[0]
        assert (around - one.boxes[0]).abs().max() <= 4
        assert (around - torch.tensor(bright_box(one))).abs().max() <= 4


@pytest.mark.parametrize("config", [MultiScale(), ScaleJitter(side=200)])
def test_the_same_seed_gives_the_same_augmentation(config: Any) -> None:
    first, again = (augment([scene()], config, seeded(3))[0] for _ in range(2))
    different = [augment([scene()], config, seeded(seed))[0].size for seed in range(20)]

    assert np.array_equal(first.pixels, again.pixels)
    assert torch.equal(first.boxes, again.boxes)
    assert len(set(different)) > 5


def test_multi_scale_keeps_to_its_lengths() -> None:
    config = MultiScale(shortest=(64, 96), longest=120, crop=0)

    sizes = {augment([scene()], config, seeded(seed))[0].size for seed in range(20)}

    assert sizes == {(64, 96), (80, 120)}


def test_jitter_never_exceeds_its_square() -> None:
    config = ScaleJitter(side=100)

    for seed in range(30):
        assert max(augment([scene()], config, seeded(seed))[0].size) <= 100


@pytest.mark.parametrize("config", [MultiScale(crop=1), ScaleJitter(side=600, scales=(2, 2))])
def test_an_expression_that_counts_is_never_cropped(config: Any) -> None:
    wide = [augment([scene("second shoe")], config, seeded(n))[0] for n in range(20)]

    assert {round(one.size[1] / one.size[0], 1) for one in wide} == {1.5}


@pytest.mark.parametrize("config", [MultiScale(crop=1), ScaleJitter(side=60, scales=(2, 2))])
def test_an_expression_without_number_is_cropped(config: Any) -> None:
    everywhere = scene("seconds", (0, 0, 120, 80))

    found = [augment([everywhere], config, seeded(n))[0] for n in range(20)]

    assert len({round(one.size[1] / one.size[0], 1) for one in found} | {1.5}) > 1


def test_an_expression_whose_object_is_cropped_away_is_a_bad_sample() -> None:
    corner = scene("a shoe", (0, 0, 30, 30))
    config = ScaleJitter(side=60, scales=(2, 2), flip=0)
    kept, lost = (seeded(seed) for seed in (4, 6))

    assert len(augment([corner], config, kept)[0]) == 1
    with pytest.raises(BadSampleError, match="'a shoe' describes was cropped away"):
        augment([corner], config, lost)
    # A name may well be absent from a crop.
    assert len(augment([scene(None, (0, 0, 30, 30))], config, seeded(6))[0]) == 0


def test_frames_of_a_clip_are_flipped_and_scaled_alike() -> None:
    config = MultiScale(shortest=(40, 80, 160), crop=0)

    for seed in range(10):
        first, second = augment([scene(), scene()], config, seeded(seed))
        assert first.size == second.size
        assert torch.equal(first.boxes, second.boxes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"scales": (0, 1)}, "more than 0"), ({"whole_scales": (0.5, 2)}, "within")],
)
def test_ranges_that_make_no_sense_are_refused(changes: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ScaleJitter(**changes)


def frame(**changes: Any) -> Frame:
    whole = scene()
    assert whole.masks is not None
    own = Frame(
        image=whole.pixels,
        size=(80, 120),
        boxes=whole.boxes.numpy(),
        names=whole.names,
        masks=tuple(encode_rle(whole.masks)),
        track_ids=(7,),
    )
    return dataclasses.replace(own, **changes)


def test_a_sample_is_opened_with_one_clean_expression() -> None:
    sample = Sample(
        key="a",
        frames=(frame(), frame()),
        expressions=("The Shoe!", "LEFT one"),
        supervision=Supervision(masks=True),
    )

    opened = [open_sample(sample, seeded(n), (0, 1)) for n in range(20)]

    assert {one.expression for clip in opened for one in clip} == {"the shoe", "left one"}
    assert all(clip[0].expression == clip[1].expression for clip in opened)
    assert opened[0][0].masks is not None
    assert opened[0][0].masks.sum() == 900
    assert opened[0][0].track_ids is not None
    assert opened[0][0].track_ids.tolist() == [7]


def test_an_object_with_an_empty_mask_is_left_out() -> None:
    empty = encode_rle(torch.zeros(1, 80, 120, dtype=torch.bool))
    own = frame(masks=tuple(empty))

    assert len(open_frame(own, Supervision(masks=True))) == 0


def test_pixels_come_from_arrays_bytes_and_files(tmp_path: Path) -> None:
    pixels, buffer = scene().pixels, io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    (tmp_path / "a.png").write_bytes(buffer.getvalue())

    for source in (pixels, buffer.getvalue(), tmp_path / "a.png"):
        assert np.array_equal(load_pixels(frame(image=source)), pixels)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (Path("/nowhere/a.jpg"), "nowhere.*cannot be read"),
        (b"no image", "an image of 8 bytes cannot be read"),
        (np.zeros((4, 5, 3), np.uint8), "4x5 pixels.*annotation"),
    ],
)
def test_an_image_that_does_not_fit_is_a_bad_sample(image: Any, message: str) -> None:
    with pytest.raises(BadSampleError, match=message):
        load_pixels(frame(image=image))


def test_a_damaged_mask_is_a_bad_sample() -> None:
    with pytest.raises(BadSampleError, match="mask in an image of 80x120"):
        frame(masks=({"size": [80, 120], "counts": "0"},)).decode_masks()


@pytest.mark.parametrize(
    "changes", [{"boxes": np.zeros((2, 4), np.float32)}, {"masks": ()}, {"track_ids": (1, 2)}]
)
def test_parts_of_different_length_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\[2, 4\]|entries for 1 names"):
        frame(**changes)


def test_a_sample_without_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="'a' has no frames"):
        Sample(key="a", frames=())
