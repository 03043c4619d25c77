"""Marked regions become tokens: a template of their surroundings, and points inside them."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glee.config import GleeConfig, VisualPromptConfig
from glee.model.interfaces import FeaturePyramid, Regions


class TemplateEncoder(nn.Module):
    """The crop around a marked object, as tokens for early fusion.

    GLEE (arXiv:2312.09158, section 3.1, "visual prompter"). The crop is twice as wide as the
    object, which the paper does not say, and is cut at the image's borders.
    """

    def __init__(self, size: VisualPromptConfig, config: GleeConfig) -> None:
        super().__init__()
        self.size = size.template_size
        self.levels = nn.ModuleList(
            nn.Conv2d(width, config.width, 3, padding=1)
            for width in config.backbone.out_widths[-3:]
        )

    def crop(self, pixels: Tensor, regions: Regions) -> Tensor:
        """Cut the surroundings of each region out of its image, [B, 3, size, size]."""
        crops = []
        for image, mask, brighten in zip(
            pixels, regions.template_masks, regions.brightened, strict=True
        ):
            rows, columns = template_window(mask)
            crop = image[:, rows, columns]
            if crop.numel() == 0:
                rows = columns = slice(None)
                crop = image
            if brighten:
                crop = crop + mask[rows, columns]
            crops.append(F.interpolate(crop[None], size=(self.size, self.size), mode="bilinear"))
        return torch.cat(crops)

    def forward(self, pyramid: FeaturePyramid) -> Tensor:
        """Return the tokens [B, T, C] of the crops' pyramid: its last three maps, summed."""
        finest, *coarser = (
            level(x) for level, x in zip(self.levels, pyramid.maps[-3:], strict=True)
        )
        for power, level in enumerate(coarser, start=1):
            finest = finest + resize_aligned(level, 2**power)
        return finest.flatten(2).transpose(1, 2)


def template_window(mask: Tensor) -> tuple[slice, slice]:
    """Return rows and columns of the square around a region `mask` [H, W] bool, not empty.

    Its side is twice the geometric mean of the region's sides. It is shifted to start inside the
    image and may end outside it; the last row and column are counted as in the released model,
    which leaves a region of one row or column without a window.
    """
    rows, columns = mask.any(dim=1).nonzero(), mask.any(dim=0).nonzero()
    top, bottom = int(rows[0]), int(rows[-1])
    left, right = int(columns[0]), int(columns[-1])
    height, width = bottom - top, right - left
    side = math.ceil(2 * math.sqrt(width * height))
    y = max(0, round(top + 0.5 * height - 0.5 * side))
    x = max(0, round(left + 0.5 * width - 0.5 * side))
    return slice(y, y + side), slice(x, x + side)


def resize_aligned(x: Tensor, factor: int) -> Tensor:
    """Enlarge maps [B, C, h, w] by `factor`, keeping the first corner in place.

    CondInst (arXiv:2003.05664), "aligned" upsampling as in its published code.
    """
    height, width = x.shape[2:]
    x = F.pad(x, (0, 1, 0, 1), mode="replicate")
    x = F.interpolate(
        x, size=(factor * height + 1, factor * width + 1), mode="bilinear", align_corners=True
    )
    x = F.pad(x, (factor // 2, 0, factor // 2, 0), mode="replicate")
    return x[:, :, : factor * height, : factor * width]


class PointSampler(nn.Module):
    """Features of points inside a marked region, as tokens that the queries read.

    GLEE (arXiv:2312.09158, section 3.1), after Semantic-SAM (arXiv:2307.04767). The paper samples
    the mask features; the released model samples the refined pyramid levels, as done here.
    """

    def __init__(self, size: VisualPromptConfig, width: int) -> None:
        super().__init__()
        self.max_points = size.max_points
        self.levels = nn.ModuleList(
            nn.Linear(width, width, bias=False) for _ in range(size.num_levels)
        )
        self.sign = nn.Embedding(2, width)  # 0: belongs to the object, 1: does not
        for weight in self.levels.parameters():
            nn.init.trunc_normal_(weight, std=0.02)

    def forward(
        self,
        levels: tuple[Tensor, ...],
        regions: Regions,
        generator: torch.Generator | None = None,
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Return tokens, one [B, P, C] per sampled level, and which are valid [B, P].

        levels     refined maps [B, C, h_i, w_i], finest first
        generator  chooses the points at random; without it they are spread evenly
        """
        if generator is not None:
            # The original first draws points that it never uses; the same seed then gives the
            # same points.
            choose_points(regions.token_masks, self.max_points, generator)
        signs = [(regions.token_masks, 0)]
        if regions.negative_masks is not None:
            signs.append((regions.negative_masks, 1))
        tokens, valid = [], []
        for level, project in zip(levels[: len(self.levels)], self.levels, strict=True):
            parts, real = [], []
            for masks, sign in signs:
                places, known = choose_points(masks, self.max_points, generator)
                # These coordinates count pixels from 0, not from their centres, and the maps are
                # stretched to their outermost cells; other sampling does neither, but the
                # released weights were trained so.
                sampled = F.grid_sample(
                    level, 2 * places[:, None] - 1, mode="bilinear", align_corners=True
                )  # [B, C, 1, P]
                parts.append(project(sampled[:, :, 0].transpose(1, 2)) + self.sign.weight[sign])
                real.append(known)
            tokens.append(torch.cat(parts, dim=1))
            valid.append(torch.cat(real, dim=1))
        return tuple(tokens), valid[0]


def choose_points(
    masks: Tensor, max_points: int, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Choose at most `max_points` pixels of each mask.

    masks  [B, H, W]  bool
    Returns places [B, P, 2], (x, y) in 0..1 of the image, 0 on padding, and which are valid
    [B, P]. P is the largest number of points chosen in any mask. Without a generator the points
    are spread evenly over the mask's pixels, row by row.
    """
    size = torch.tensor([masks.shape[2], masks.shape[1]], device=masks.device)
    chosen = []
    for mask in masks:
        pixels = mask.nonzero().flip(1)  # [n, 2] x, y
        if len(pixels) > max_points:
            if generator is None:
                step = torch.arange(max_points, device=masks.device)
                pick = (2 * step + 1) * len(pixels) // (2 * max_points)
            else:
                pick = torch.randperm(len(pixels), generator=generator)[:max_points]
            pixels = pixels[pick.to(masks.device)]
        chosen.append(pixels / size)
    places = nn.utils.rnn.pad_sequence(chosen, batch_first=True)
    counts = torch.tensor([len(pixels) for pixels in chosen], device=masks.device)
    valid = torch.arange(places.shape[1], device=masks.device) < counts[:, None]
    return places, valid
