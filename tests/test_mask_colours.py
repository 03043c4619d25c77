"""Masks follow the colours of their image, and marked objects are found again by theirs."""

from dataclasses import fields, replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from glee.inference.postprocess import Scoring, Selection, find_objects, follow_masks
from glee.inference.preprocess import ImageGeometry
from glee.inference.remembered import Remembered, join_remembered
from glee.model.interfaces import (
    GleeOutputs,
    MarkColours,
    MaskGuide,
    ObjectOutputs,
    Regions,
    VisualTokens,
)
from glee.model.mask_colours import (
    MOST,
    SIMILAR,
    colour_bins,
    follow_colours,
    learn_colours,
    weigh_colours,
)
from glee.ops.box_means import average_in_boxes
from glee.ops.masks import mask_to_boxes
from glee.video.object_memory import ObjectMemory

SIDE = 64
RED, BLUE = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 1.0])


def disc(row: int, column: int, radius: int) -> Tensor:
    """A bool mask [SIDE, SIDE]."""
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    return (y - row) ** 2 + (x - column) ** 2 < radius**2


def red_on_blue(mask: Tensor) -> Tensor:
    """Pixels [1, 3, SIDE, SIDE] that are red in a mask."""
    return torch.where(mask, RED[:, None, None], BLUE[:, None, None])[None]


def outputs_of(
    pixels: Tensor,
    boxes: Tensor,
    *,
    given: bool = False,
    colours: MarkColours | None = None,
    guided: bool = True,
) -> GleeOutputs:
    """Outputs of one image with queries of some boxes [Q, 4]."""
    count = len(boxes)
    final = ObjectOutputs(
        logits=torch.zeros(1, count, 1),
        confidence=torch.zeros(1, count),
        boxes_cxcywh=boxes[None],
        kernels=torch.zeros(1, count, 4),
        kernel_bias=torch.zeros(1, count),
        embeddings=torch.zeros(1, count, 4),
    )
    empty = torch.zeros(1, 1, 4)
    visual = VisualTokens(empty, (empty,), torch.ones(1, 1, dtype=torch.bool), colours)
    guide = MaskGuide(pixels, torch.tensor([given])) if guided else None
    return GleeOutputs(final, torch.zeros(1, 4, 16, 16), visual=visual, guide=guide)


def overlap(mask: Tensor, other: Tensor) -> float:
    """Intersection over union."""
    return float((mask & other).sum() / (mask | other).sum())


def logits_of(mask: Tensor) -> Tensor:
    """Mask logits that are sure of a mask, but not very."""
    return torch.where(mask, 1.0, -1.0)[None]


BOX = torch.tensor([[0.5, 0.5, 0.5, 0.5]])
OBJECT = disc(32, 32, 14)


def test_a_mask_that_is_a_little_off_moves_to_what_has_its_colour() -> None:
    rough = disc(36, 35, 13)

    found = follow_colours(
        outputs_of(red_on_blue(OBJECT), BOX), 0, torch.tensor([0]), logits_of(rough)
    )

    assert overlap(rough, OBJECT) < 0.75
    assert overlap(found[0] > 0, OBJECT) > 0.85


def test_masks_stay_where_the_image_has_one_colour_or_nothing_guides_them() -> None:
    rough = logits_of(disc(36, 35, 13))
    plain = red_on_blue(torch.zeros(SIDE, SIDE, dtype=torch.bool))

    same = follow_colours(outputs_of(plain, BOX), 0, torch.tensor([0]), rough.clone())
    unguided = follow_colours(
        outputs_of(red_on_blue(OBJECT), BOX, guided=False), 0, torch.tensor([0]), rough
    )

    assert torch.equal(same > 0, rough > 0)
    assert unguided is rough


def test_the_mask_of_a_given_box_ends_there() -> None:
    wide = torch.ones(SIDE, SIDE, dtype=torch.bool)
    pixels = red_on_blue(wide)
    box = torch.tensor([[0.5, 0.25, 0.5, 0.25]])

    free = follow_colours(outputs_of(pixels, box), 0, torch.tensor([0]), logits_of(wide))
    ended = follow_colours(
        outputs_of(pixels, box, given=True), 0, torch.tensor([0]), logits_of(wide)
    )

    assert (free > 0).all()
    rows, columns = (ended[0] > 0).any(1).nonzero(), (ended[0] > 0).any(0).nonzero()
    assert (int(rows[0]), int(rows[-1])) == (8, 23)
    assert (int(columns[0]), int(columns[-1])) == (16, 47)


def test_colours_known_of_an_object_find_all_of_it_from_a_part() -> None:
    # A red and a green half: their own colours would only ever join what is near in colour.
    left = OBJECT & (torch.arange(SIDE) < 32)
    pixels = red_on_blue(OBJECT)
    pixels[0, :, OBJECT & ~left] = torch.tensor([0.0, 1.0, 0.0])[:, None]
    colours = learn_colours(pixels, regions_of(OBJECT))
    start = logits_of(left)

    alone = follow_colours(outputs_of(pixels, BOX), 0, torch.tensor([0]), start.clone())
    known = follow_colours(outputs_of(pixels, BOX, colours=colours), 0, torch.tensor([0]), start)

    assert overlap(alone[0] > 0, OBJECT) < 0.6
    assert overlap(known[0] > 0, OBJECT) > 0.9


def regions_of(mask: Tensor, *, brightened: bool = False) -> Regions:
    """One marked object."""
    return Regions(mask[None], mask[None], torch.tensor([brightened]))


def test_an_objects_colours_are_likelier_in_it_than_around_it() -> None:
    pixels = red_on_blue(OBJECT)
    red, blue = (
        int(colour_bins(colour[:, None, None].expand(3, 4, 4), (1, 1))) for colour in (RED, BLUE)
    )

    colours = learn_colours(pixels, regions_of(OBJECT))

    assert colours.likely[0, red].item() == pytest.approx(MOST)
    assert colours.likely[0, blue].item() == pytest.approx(-MOST)
    # Of a colour that was not there nothing is said.
    assert colours.likely[0, -1].item() == pytest.approx(0, abs=0.5)
    assert colours.known.tolist() == [True]
    assert learn_colours(pixels, regions_of(OBJECT, brightened=True)).known.tolist() == [False]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_colours_are_learned_in_the_numbers_of_the_image(dtype: torch.dtype) -> None:
    pixels = red_on_blue(OBJECT)

    colours = learn_colours(pixels.to(dtype), regions_of(OBJECT))

    expected = learn_colours(pixels, regions_of(OBJECT))
    torch.testing.assert_close(colours.mean.float(), expected.mean, atol=0.02, rtol=0)


def test_colours_of_an_object_that_fills_the_image_say_nothing() -> None:
    whole = torch.ones(SIDE, SIDE, dtype=torch.bool)

    colours = learn_colours(red_on_blue(OBJECT), regions_of(whole))

    assert not colours.likely.any()


def test_queries_lose_by_how_much_their_colours_differ_from_the_marked_object() -> None:
    half = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    half[:, :32] = True
    pixels = red_on_blue(half)
    boxes = torch.tensor([[0.25, 0.5, 0.4, 0.4], [0.75, 0.5, 0.4, 0.4]])
    outputs = outputs_of(pixels, boxes)
    mean = torch.cat([RED, RED])[None]
    likely, known = torch.zeros(1, 1), torch.tensor([True])

    weighed = weigh_colours(outputs.final, pixels, MarkColours(likely, mean, known))
    unknown = weigh_colours(outputs.final, pixels, MarkColours(likely, mean, ~known))

    # Red and blue differ by one in two of three channels.
    expected = torch.tensor([0.0, -SIMILAR * 2 / 3])
    torch.testing.assert_close(weighed.logits[0, :, 0], expected)
    torch.testing.assert_close(weighed.confidence[0], expected)
    assert torch.equal(unknown.logits, outputs.final.logits)


@pytest.mark.parametrize(
    ("box", "mean"),
    [
        ([0.25, 0.25, 0.5, 0.5], 2.5),  # pixels 0, 1, 4 and 5 of 4 x 4
        ([0.5, 0.5, 1.0, 1.0], 7.5),
        ([0.375, 0.125, 0.5, 0.25], 1.0),  # half of pixel 0, pixel 1, half of pixel 2
        ([0.375, 0.125, 0.0, 0.0], 1.0),  # at least a pixel
        ([0.0, 0.0, 0.25, 0.25], 0.0),  # beyond the border there is nothing
    ],
)
def test_pixels_count_by_the_share_of_them_in_the_box(box: list[float], mean: float) -> None:
    maps = torch.arange(16.0).view(1, 1, 4, 4)

    assert average_in_boxes(maps, torch.tensor([[box]])).item() == pytest.approx(mean)


def remembered(red: float) -> Remembered:
    """One object with a mean colour."""
    tokens = torch.zeros(1, 2, 4)
    colours = MarkColours(
        torch.full((1, 3), red), torch.full((1, 6), red), torch.tensor([red > 0.5])
    )
    visual = VisualTokens(tokens, (tokens,), torch.ones(1, 2, dtype=torch.bool), colours)
    return Remembered(("object",), visual, "network")


def test_colours_are_kept_with_their_objects_and_in_a_stored_state() -> None:
    memory, again = ObjectMemory(), ObjectMemory()
    memory.keep([1], remembered(0.25))
    memory.keep([2], remembered(0.75))

    again.restore(memory.state(), ("object",), torch.device("cpu"))

    both = join_remembered([remembered(0.25), remembered(0.75)])
    for tokens in (both, memory.tokens_of([1, 2]), again.tokens_of([1, 2])):
        colours = tokens.visual.colours
        assert colours is not None
        assert colours.mean[:, 0].tolist() == [0.25, 0.75]
        assert colours.likely[:, 0].tolist() == [0.25, 0.75]
        assert colours.known.tolist() == [False, True]
    second = both.take(torch.tensor([1])).visual.colours
    assert second is not None
    assert second.mean[:, 0].tolist() == [0.75]


def test_objects_stored_without_colours_are_joined_with_others_as_of_unknown_ones() -> None:
    earlier = remembered(0.75)
    earlier = replace(earlier, visual=replace(earlier.visual, colours=None))

    colours = join_remembered([earlier, remembered(0.75)]).visual.colours

    assert colours is not None
    assert colours.known.tolist() == [False, True]
    assert colours.mean[:, 0].tolist() == [0, 0.75]
    assert len(colours.likely) == 2


def test_masks_that_are_followed_together_are_those_followed_alone() -> None:
    """Objects share one count of colours, whose parts must not run into each other."""
    boxes = torch.tensor([[0.5, 0.5, 0.5, 0.5], [0.25, 0.25, 0.3, 0.2], [0.8, 0.7, 0.02, 0.02]])
    boxes = boxes.repeat(4, 1)  # more than are counted together
    starts = torch.cat([logits_of(disc(*at)) for at in ((36, 35, 13), (16, 16, 9), (50, 45, 2))])
    starts = starts.repeat(4, 1, 1)
    pixels = red_on_blue(OBJECT)
    together = follow_colours(outputs_of(pixels, boxes), 0, torch.arange(12), starts.clone())
    alone = [
        follow_colours(
            outputs_of(pixels, boxes[n : n + 1]), 0, torch.tensor([0]), starts[n : n + 1].clone()
        )
        for n in range(12)
    ]

    torch.testing.assert_close(together, torch.cat(alone))
    assert not torch.equal(together > 0, starts > 0)


def whole(size: int = SIDE) -> ImageGeometry:
    """An image that is the network's input."""
    return ImageGeometry((size, size), (size, size), (size, size), (size, size))


def test_boxes_move_half_of_the_way_to_masks_but_not_what_lies_beyond_the_image() -> None:
    boxes = torch.tensor([[10.0, 10, 30, 40], [-5, 5, 20, 30], [1, 2, 3, 4]])
    masks = torch.zeros(3, SIDE, SIDE, dtype=torch.bool)
    masks[0, 20:38, 8:34] = True
    masks[1, 10:20, 10:30] = True

    followed = follow_masks(boxes, mask_to_boxes(masks), whole())

    assert followed.tolist() == [[9, 15, 32, 39], [-5, 7.5, 25, 25], [1, 2, 3, 4]]
    assert follow_masks(boxes[:0], mask_to_boxes(masks[:0]), whole()).shape == (0, 4)


@pytest.mark.parametrize("scoring", ["object", "pair"])
def test_boxes_follow_masks_where_there_are_masks_and_no_box_was_given(scoring: Scoring) -> None:
    """Of two images only the first has a box that was not given."""
    off = torch.tensor([[0.5, 0.6, 0.3, 0.5]])
    rough = F.avg_pool2d(logits_of(disc(33, 33, 14))[None], 4)[0]
    one = outputs_of(red_on_blue(OBJECT), off)
    features = torch.cat([rough[None], torch.zeros(1, 3, 16, 16)], dim=1)
    final = replace(one.final, kernels=torch.tensor([[[3.0, 0, 0, 0]]]))
    twice = ObjectOutputs(*(getattr(final, f.name).repeat_interleave(2, 0) for f in fields(final)))
    outputs = GleeOutputs(
        twice,
        features.expand(2, -1, -1, -1),
        guide=MaskGuide(red_on_blue(OBJECT).expand(2, -1, -1, -1), torch.tensor([False, True])),
    )

    free, given = (
        find_objects(outputs, row, whole(), Selection(scoring=scoring)) for row in (0, 1)
    )
    unmasked = find_objects(outputs, 0, whole(), Selection(masks=False))

    as_found = [0.35 * SIDE, 0.35 * SIDE, 0.65 * SIDE, 0.85 * SIDE]
    assert free.masks is not None
    middle = (torch.tensor([as_found]) + mask_to_boxes(free.masks)) / 2
    torch.testing.assert_close(free.boxes, middle)
    assert (free.boxes - torch.tensor([as_found])).abs().max() > 2
    assert given.boxes[0].tolist() == unmasked.boxes[0].tolist() == pytest.approx(as_found)
