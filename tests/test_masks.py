import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pycocotools.mask import encode
from torch import Tensor

from glee.ops import masks as mask_ops
from glee.ops.masks import (
    decode_rle,
    encode_rle,
    grade_masks,
    mask_to_boxes,
    render_masks,
    resize_masks,
)

Size = tuple[int, int]


def render_in_two_steps(logits: Tensor, *, padded: Size, resized: Size, original: Size) -> Tensor:
    """Resize logits [N, h, w] to those of the original image, as the released code does."""
    large = F.interpolate(logits[:, None], padded, mode="bilinear", align_corners=False)
    cropped = large[..., : resized[0], : resized[1]]
    return F.interpolate(cropped, original, mode="bilinear", align_corners=False)[:, 0]


def assert_renders_like_two_steps(
    logits: Tensor, padded: Size, resized: Size, original: Size
) -> None:
    expected = render_in_two_steps(logits, padded=padded, resized=resized, original=original)
    masks, quality = grade_masks(logits, padded=padded, resized=resized, original=original)

    assert torch.equal(
        masks, render_masks(logits, padded=padded, resized=resized, original=original)
    )
    clear = expected.abs() > 1e-4 * logits.abs().max()
    assert torch.equal(masks[clear], expected[clear] > 0)
    inside = (expected > 0).float()
    mean = (expected.sigmoid() * inside).sum((1, 2)) / (inside.sum((1, 2)) + 1e-6)
    torch.testing.assert_close(quality, mean, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("padded", "resized", "original"),
    [
        ((48, 64), (48, 64), (48, 64)),  # nothing but the stride of 4
        ((48, 64), (45, 61), (45, 61)),  # padding
        ((48, 64), (45, 61), (97, 130)),  # up
        ((48, 64), (45, 61), (13, 17)),  # down
        ((48, 64), (48, 3), (300, 19)),
        ((48, 64), (45, 61), (1, 1)),
        ((48, 64), (1, 1), (7, 5)),
        ((47, 63), (33, 62), (71, 1)),
        ((12, 16), (12, 16), (50, 50)),  # the network's own resolution
        ((6, 9), (5, 8), (20, 30)),  # below it
    ],
)
def test_masks_are_those_of_resizing_twice(padded: Size, resized: Size, original: Size) -> None:
    logits = torch.randn(4, 12, 16, generator=torch.Generator().manual_seed(0)) - 0.5

    assert_renders_like_two_steps(logits, padded, resized, original)


def test_masks_are_those_of_resizing_twice_at_random_sizes() -> None:
    generator = torch.Generator().manual_seed(1)

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (1,), generator=generator))

    for _ in range(25):
        logits = 5 * torch.randn(2, draw(1, 20), draw(1, 20), generator=generator)
        padded = draw(1, 60), draw(1, 60)
        resized = draw(1, padded[0]), draw(1, padded[1])
        assert_renders_like_two_steps(logits, padded, resized, (draw(1, 90), draw(1, 90)))


def test_a_small_object_is_found_at_every_place() -> None:
    logits = torch.full((12, 3, 4), -1.0)
    logits.view(12, 12)[range(12), range(12)] = 3.0

    assert_renders_like_two_steps(logits, (12, 16), (11, 15), (23, 29))


def test_masks_do_not_depend_on_the_strips_in_which_they_are_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logits = torch.randn(3, 12, 16, generator=torch.Generator().manual_seed(0))
    sizes: dict[str, Size] = {"padded": (48, 64), "resized": (45, 61), "original": (90, 122)}
    whole, whole_quality = grade_masks(logits, **sizes)

    monkeypatch.setattr(mask_ops, "STRIP_PIXELS", 300)
    strips, strips_quality = grade_masks(logits, **sizes)

    assert torch.equal(strips, whole)
    torch.testing.assert_close(strips_quality, whole_quality)


def test_quality_is_the_mean_sigmoid_inside() -> None:
    logits = torch.full((1, 4, 4), -5.0)
    logits[:, :, :2] = 5.0

    masks, quality = grade_masks(logits, padded=(4, 4), resized=(4, 4), original=(4, 4))

    assert masks[0, 0].tolist() == [True, True, False, False]
    torch.testing.assert_close(quality, torch.tensor([1 / (1 + np.exp(-5.0))]).float())


def test_a_mask_without_positive_logit_is_empty_with_quality_zero() -> None:
    logits = torch.tensor([-1.0, 0.0])[:, None, None].expand(2, 3, 4)

    masks, quality = grade_masks(logits, padded=(12, 16), resized=(11, 15), original=(20, 30))

    assert not masks.any()
    assert quality.tolist() == [0, 0]


def test_no_logits_give_no_masks() -> None:
    masks, quality = grade_masks(
        torch.zeros(0, 3, 4), padded=(12, 16), resized=(11, 15), original=(20, 30)
    )

    assert masks.shape == (0, 20, 30)
    assert quality.shape == (0,)


def test_half_precision_logits_are_resized_in_single_precision() -> None:
    logits = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    sizes: dict[str, Size] = {"padded": (24, 32), "resized": (22, 31), "original": (44, 60)}

    masks, quality = grade_masks(logits, **sizes)

    assert quality.dtype == torch.float32
    assert torch.equal(masks, render_masks(logits.float(), **sizes))


def test_an_image_larger_than_its_padding_is_refused() -> None:
    message = r"resized \(11, 17\) must fit into padded \(12, 16\), \(height, width\) both"

    with pytest.raises(ValueError, match=message):
        render_masks(torch.zeros(1, 3, 4), padded=(12, 16), resized=(11, 17), original=(9, 9))


def test_prompt_masks_are_resized_and_padded_with_nothing() -> None:
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    mask[0, :, 3] = True

    resized = resize_masks(mask, resized=(2, 2), padded=(3, 4))

    assert resized.int().tolist() == [[[0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]]


def test_enlarged_prompt_masks_include_every_pixel_they_touch() -> None:
    mask = torch.tensor([[[True, False, False]]])

    resized = resize_masks(mask, resized=(1, 6), padded=(1, 6))

    assert resized.int().tolist() == [[[1, 1, 1, 0, 0, 0]]]


@pytest.mark.parametrize("width", [7, 8, 16])  # of which 8 and 16 are read in words
def test_boxes_of_masks_end_behind_the_last_pixel(width: int) -> None:
    masks = torch.zeros(3, 5, width, dtype=torch.bool)
    masks[0, 2, 3] = True
    masks[1, 1, -1] = masks[1, 4, 0] = True

    assert mask_to_boxes(masks).tolist() == [[3, 2, 4, 3], [0, 1, width, 5], [0, 0, 0, 0]]


def test_boxes_of_masks_do_not_depend_on_how_these_lie_in_memory() -> None:
    masks = torch.rand(4, 16, 24, generator=torch.Generator().manual_seed(0)) > 0.99
    part = torch.zeros(4, 16, 29, dtype=torch.bool)[:, :, 3:27].copy_(masks)
    across = torch.zeros(4, 24, 16, dtype=torch.bool).transpose(1, 2).copy_(masks)

    assert torch.equal(mask_to_boxes(part), mask_to_boxes(masks))
    assert torch.equal(mask_to_boxes(across), mask_to_boxes(masks))


def test_boxes_of_no_masks_are_empty() -> None:
    assert mask_to_boxes(torch.zeros(0, 5, 7, dtype=torch.bool)).shape == (0, 4)


@pytest.fixture
def varied_masks() -> Tensor:
    """Return masks that fill the image, or a part of it at each of its sides."""
    masks = torch.rand(11, 9, 13, generator=torch.Generator().manual_seed(0)) > 0.5
    masks[0], masks[1] = False, True
    masks[2], masks[2, 0, 0] = False, True
    masks[3], masks[3, -1, -1] = False, True
    masks[6, :3], masks[7, -3:], masks[8, :, :4], masks[9, :, -4:] = False, False, False, False
    masks[10], masks[10, :, 4:7] = False, True
    return masks


def test_run_lengths_are_those_of_pycocotools(varied_masks: Tensor) -> None:
    theirs = encode(np.asfortranarray(varied_masks.permute(1, 2, 0).byte().numpy()))

    ours = encode_rle(varied_masks)

    assert [one["counts"].encode() for one in ours] == [one["counts"] for one in theirs]
    assert ours[0]["size"] == [9, 13]


def test_masks_come_back_from_run_lengths(varied_masks: Tensor) -> None:
    assert torch.equal(decode_rle(encode_rle(varied_masks), (9, 13)), varied_masks)


def test_boxes_that_are_known_change_no_code(varied_masks: Tensor) -> None:
    assert encode_rle(varied_masks, mask_to_boxes(varied_masks)) == encode_rle(varied_masks)


def test_masks_of_one_row_or_one_column_come_back_from_run_lengths() -> None:
    for size in ((1, 1), (1, 8), (8, 1)):
        masks = torch.rand(5, *size, generator=torch.Generator().manual_seed(0)) > 0.5
        assert torch.equal(decode_rle(encode_rle(masks), size), masks)


def test_no_masks_come_back_from_no_run_lengths() -> None:
    assert encode_rle(torch.zeros(0, 9, 13, dtype=torch.bool)) == []
    assert decode_rle([], (9, 13)).shape == (0, 9, 13)


def test_run_lengths_of_another_size_are_refused(varied_masks: Tensor) -> None:
    with pytest.raises(ValueError, match=r"mask has size \[9, 13\], its image \[13, 9\]"):
        decode_rle(encode_rle(varied_masks), (13, 9))


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ("", "are no counts"),
        ("0", r"add up to 0 pixels, but its size \[4, 6\] has 24"),
        ("d", "are no counts"),  # a number that promises more characters
        ("\u00e9", "are no counts"),
        ("o" * 20 + "0", "are no counts"),  # a number of a hundred bits
        ("`1", "add up to 48 pixels"),
    ],
)
def test_damaged_run_lengths_are_refused(counts: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode_rle([{"size": [4, 6], "counts": counts}], (4, 6))


@pytest.mark.parametrize("size", [(-4, 6), (0, 6), (2**20, 2**20)])
def test_run_lengths_of_absurd_sizes_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="a mask cannot have the size"):
        decode_rle([{"size": list(size), "counts": "0"}], size)
