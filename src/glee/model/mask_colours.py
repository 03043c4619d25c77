"""Masks follow the colours of their image, and marked objects are found again by theirs."""

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from glee.model.interfaces import GleeOutputs, MarkColours, ObjectOutputs, Regions
from glee.ops.box_means import average_in_boxes
from glee.ops.boxes import cxcywh_to_xyxy, xyxy_to_cxcywh
from glee.ops.masks import mask_to_boxes

BINS, LOW, HIGH = 16, -2.12, 2.65
"""Steps of each channel, and the range of normalised values that they divide."""

ALIKE = 0.5
"""Share of its count that a bin gets from those around it."""

DOUBT = 0.5
"""Colours that are as if seen anywhere, as a share of those that were, so that rare ones say
little."""

MOST = 2.0
"""Of what a colour says, as a logarithm."""

OWN, KNOWN, OWN_BESIDE_KNOWN = 3.0, 2.0, 1.5
"""How much the colours of a mask count in it, and those known of a marked object, beside which the
former count less: they agree mostly."""

AROUND, FAR_AROUND = 0.35, 1.0
"""What of a box's sides around it is looked at: for a mask, and to learn an object's colours."""

LEAST_SIDE = 2  # of what is looked at, in pixels

SMOOTH, LEAST_SMOOTH = 1 / 12, 3
"""Side of the square over which what colours say is averaged, in sides of the box, so that there
are no specks; and in pixels at least."""

SIMILAR = 3.0
"""Taken from the logits of a query for each unit by which its mean colour differs."""

OBJECTS_AT_ONCE = 8
"""Whose colours are counted together: each is little work, and many large ones much memory."""

STRIDE, MIDDLE = 4, 0.5
"""Pixels averaged before boxes are, and the share of a box's sides that its middle has."""


def follow_colours(outputs: GleeOutputs, row: int, query: Tensor, logits: Tensor) -> Tensor:
    """Return the mask logits [N, h, w] of queries [N] of a row, as the colours of the image say.

    Each mask and what is around it are counted by their colours, and what is likelier in the mask
    joins it, as in GrabCut (Rother et al., SIGGRAPH 2004) with histograms for its mixtures and
    without its cuts. The colours known of a marked object count in the same way. Masks end at the
    box where that was marked. Without `outputs.guide` they stay as they are; else they are changed
    in place, since they are large.
    """
    guide = outputs.guide
    if guide is None or not logits.numel():
        return logits
    colours = None if outputs.visual is None else outputs.visual.colours
    known = None
    if colours is not None and colours.known[row]:
        known = colours.likely[row]
    bins = colour_bins(guide.pixels[row], (logits.shape[1], logits.shape[2]))
    boxes = cxcywh_to_xyxy(outputs.final.boxes_cxcywh[row, query].float()).tolist()
    ends = guide.given is not None and bool(guide.given[row])
    for first in range(0, len(boxes), OBJECTS_AT_ONCE):
        some = slice(first, first + OBJECTS_AT_ONCE)
        _follow(logits[some], boxes[some], bins, None if ends else known)
    if ends:
        for mask, box in zip(logits, boxes, strict=True):
            _cut(mask, box)
    return logits


def learn_colours(pixels: Tensor, regions: Regions) -> MarkColours:
    """Return the colours of marked objects on their images, pixels [B, 3, H, W].

    Nothing is known of those marked by points or scribbles, which have no extent.
    """
    likely = []
    small = F.avg_pool2d(pixels, STRIDE)
    marks = F.avg_pool2d(regions.template_masks[:, None].float(), STRIDE)[:, 0]
    places = mask_to_boxes(regions.template_masks).to(pixels)
    height, width = pixels.shape[2:]
    places = places / places.new_tensor([width, height, width, height])
    for image, mark, place in zip(small, marks, places, strict=True):
        bins = colour_bins(image, (image.shape[1], image.shape[2]))
        rows, columns = _window(place.tolist(), bins.shape, FAR_AROUND)
        likely.append(_likely([bins[rows, columns]], [mark[rows, columns]])[0])
    means = mean_colours(pixels, xyxy_to_cxcywh(places)[:, None])[:, 0]
    return MarkColours(torch.stack(likely), means, ~regions.brightened)


def weigh_colours(outputs: ObjectOutputs, pixels: Tensor, colours: MarkColours) -> ObjectOutputs:
    """Return predictions whose logits say how much like the marked object they are coloured."""
    seen = mean_colours(pixels, outputs.boxes_cxcywh)
    other = (seen - colours.mean[:, None].to(seen)).abs().mean(dim=-1)
    taken = SIMILAR * other * colours.known[:, None]
    return replace(
        outputs,
        logits=outputs.logits - taken[..., None],
        confidence=outputs.confidence - taken,
    )


def mean_colours(pixels: Tensor, boxes_cxcywh: Tensor) -> Tensor:
    """Return the mean colours of images [B, 3, H, W] in boxes [B, Q, 4] of 0..1 and their middles.

    Returns [B, Q, 6].
    """
    small = F.avg_pool2d(pixels, STRIDE)
    shares = boxes_cxcywh.new_tensor([1, 1, MIDDLE, MIDDLE])
    each = [average_in_boxes(small, boxes) for boxes in (boxes_cxcywh, boxes_cxcywh * shares)]
    return torch.cat(each, dim=-1)


def colour_bins(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Return in which of BINS ** 3 colours each place of an image [3, H, W] lies, int64 [h, w]."""
    height, width = size
    factor = pixels.shape[1] // height
    if (factor * height, factor * width) == (pixels.shape[1], pixels.shape[2]):
        # The same as a pool, whose every window costs more than a sum of slices.
        corners = [pixels[:, y::factor, x::factor] for y in range(factor) for x in range(factor)]
        resized = torch.stack(corners).mean(dim=0)
    else:
        resized = F.adaptive_avg_pool2d(pixels, size)
    steps = (resized - LOW).mul_(BINS / (HIGH - LOW)).clamp_(0, BINS - 1).floor_()
    red, green, blue = steps
    return ((red * BINS + green) * BINS + blue).long()


def _follow(
    logits: Tensor, boxes: Sequence[list[float]], bins: Tensor, known: Tensor | None
) -> None:
    """Change mask logits [N, h, w] of objects in boxes, xyxy in 0..1, as colours say.

    known  how likely they are known to be, [BINS ** 3]; None if nothing is
    """
    windows = [_window(box, bins.shape, AROUND) for box in boxes]
    reaches = [_reach(box, bins) for box in boxes]
    seen = [bins[window] for window in windows]
    parts = [mask[window] for mask, window in zip(logits, windows, strict=True)]
    own = OWN
    if known is not None:
        known, own = known.to(logits), OWN_BESIDE_KNOWN
        for part, colour, reach in zip(parts, seen, reaches, strict=True):
            part.add_(_smooth(known[colour], reach), alpha=KNOWN)
    likely = own * _likely(seen, [part.sigmoid() for part in parts])
    for part, colour, reach, says in zip(parts, seen, reaches, likely, strict=True):
        part.add_(_smooth(says[colour], reach))


def _likely(bins: Sequence[Tensor], inside: Sequence[Tensor]) -> Tensor:
    """Return how much likelier each colour is inside than outside, as logarithms [N, BINS ** 3].

    Where there is no inside or no outside, colours say nothing.

    bins    of each of N objects, [h, w]
    inside  0..1, of the same sizes
    """
    parts, colours = len(bins), BINS**3
    share = torch.cat([own.flatten() for own in inside])
    place = torch.cat([own.flatten() + n * colours for n, own in enumerate(bins)])
    counts = share.new_zeros(2, parts * colours)
    for count, part in zip(counts, (share, 1 - share), strict=True):
        count.index_add_(0, place, part)
    counts = counts.view(-1, colours)
    counts = torch.lerp(counts, _near(counts), ALIKE)
    total = counts.sum(dim=1, keepdim=True)
    shares = (counts + DOUBT * total / colours) / ((1 + DOUBT) * total).clamp(min=1e-6)
    within, without = shares.clamp_(min=1e-12).log_().chunk(2)
    there = (total > 0).view(2, parts, 1).all(dim=0)
    return (within - without).clamp_(-MOST, MOST) * there


def _near(counts: Tensor) -> Tensor:
    """Return the means of counts [N, BINS ** 3] over each bin and those that touch it."""
    near = counts.new_ones(BINS, BINS).triu(-1).tril(1)
    near /= near.sum(dim=1, keepdim=True)
    blue = counts.view(-1, BINS) @ near.T
    green = near @ blue.view(-1, BINS, BINS)
    return (near @ green.view(-1, BINS, BINS**2)).flatten(1)


def _smooth(values: Tensor, reach: int) -> Tensor:
    side = 2 * reach + 1
    return F.avg_pool2d(values[None], side, 1, reach, count_include_pad=False)[0]


def _reach(box: list[float], bins: Tensor) -> int:
    """Return how far is averaged over a mask of a box xyxy in 0..1, in pixels [h, w]."""
    area = (box[2] - box[0]) * (box[3] - box[1]) * bins.numel()
    return max(int(SMOOTH * max(area, 0) ** 0.5), LEAST_SMOOTH) // 2


def _window(box: list[float], size: torch.Size, around: float) -> tuple[slice, slice]:
    """Return the rows and columns of a box xyxy in 0..1, and of what is around it."""
    slices = []
    for axis in (1, 0):
        low, high, count = box[axis], box[axis + 2], size[1 - axis]
        margin = around * (high - low)
        start = min(max(int((low - margin) * count), 0), count - LEAST_SIDE)
        end = min(-int(-(high + margin) * count // 1), count)
        slices.append(slice(start, max(end, start + LEAST_SIDE)))
    return slices[0], slices[1]


def _cut(mask: Tensor, box: list[float]) -> None:
    """End a mask [h, w] at a box xyxy in 0..1, which holds a pixel at least."""
    outside = torch.ones_like(mask, dtype=torch.bool)
    spans = []
    for axis, count in ((1, mask.shape[0]), (0, mask.shape[1])):
        start = min(max(round(box[axis] * count), 0), count - 1)
        spans.append(slice(start, max(round(box[axis + 2] * count), start + 1)))
    outside[spans[0], spans[1]] = False
    mask[outside] = mask[outside].clamp(max=-MOST)
