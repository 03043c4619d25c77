from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from glee import Predictor, Prompts
from glee.config import (
    EfficientNetConfig,
    GleeConfig,
    MiniLmConfig,
    VisualPromptConfig,
    nano,
    tiny,
)
from glee.config_json import config_from_dict, config_to_dict
from glee.inference.preprocess import normalise
from glee.model.backbones.efficientnet import EfficientNet, InvertedResidual, PaddedConv
from glee.model.build import build_glee
from glee.model.interfaces import FeaturePyramid
from glee.model.neck import Neck
from make_nano_start import convert_efficientnet, nano_start

CONFIG = EfficientNetConfig(
    stem_width=4, widths=(4, 6, 8, 10, 12, 14, 16), depths=(1, 2, 1, 1, 2, 1, 1)
)


@pytest.fixture
def trunk() -> EfficientNet:
    torch.manual_seed(0)
    return EfficientNet(CONFIG).eval()


def published_state(trunk: EfficientNet) -> dict[str, Tensor]:
    """Draw a published state: convolutions without bias, each with a batch norm beside it."""
    torch.manual_seed(1)
    blocks = [block for stage in trunk.stages for block in stage]
    convs = {"stem": trunk.stem.conv}
    for number, block in enumerate(blocks):
        parts = {"expand": block.expand, "depthwise": block.depthwise.conv}
        parts["project"] = block.project
        convs |= {f"blocks.{number}.{name}": conv for name, conv in parts.items() if conv}
    state = {}
    for name, conv in convs.items():
        state[f"{name}.weight"] = nn.init.kaiming_normal_(torch.empty_like(conv.weight))
        for kind in ("weight", "bias", "running_mean", "running_var"):
            state[f"{name}_bn.{kind}"] = 0.5 + torch.rand(len(conv.weight))
    return state


class PublishedTrunk:
    """The trunk as it was published: TensorFlow's padding, and norms beside the convolutions."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        self.state = state

    def unit(self, name: str, x: Tensor, *, stride: int = 1, act: bool = True) -> Tensor:
        """Pad, convolve, normalise, and cut at 0 and 6."""
        weight = self.state[f"{name}.weight"]
        kernel = weight.shape[-1]
        total = max((-(-x.shape[-1] // stride) - 1) * stride + kernel - x.shape[-1], 0)
        pad = (total // 2, total - total // 2)
        x = F.conv2d(F.pad(x, pad * 2), weight, stride=stride, groups=x.shape[1] // weight.shape[1])
        kinds = ("running_mean", "running_var", "weight", "bias")
        x = F.batch_norm(x, *(self.state[f"{name}_bn.{kind}"] for kind in kinds), eps=1e-3)
        return x.clamp(0, 6) if act else x

    def maps(self, pixels: Tensor) -> list[Tensor]:
        """Return the outputs of the blocks before each halving, for `CONFIG`."""
        x, outputs = self.unit("stem", pixels, stride=2), []
        for block, stride in enumerate((1, 2, 1, 2, 2, 1, 1, 2, 1)):
            name, y = f"blocks.{block}", x
            if block:
                y = self.unit(f"{name}.expand", y)
            y = self.unit(f"{name}.depthwise", y, stride=stride)
            y = self.unit(f"{name}.project", y, act=False)
            x = x + y if x.shape == y.shape else y
            outputs.append(x)
        return [outputs[block] for block in (2, 3, 6, 8)]


@torch.no_grad()
def test_converted_weights_compute_what_the_published_trunk_does(trunk: EfficientNet) -> None:
    state = published_state(trunk)
    # The trunks pad images with different greys, which the last taps of the stem would see.
    state["stem.weight"][..., 2, :] = 0
    state["stem.weight"][..., 2] = 0
    image = 255 * torch.rand(1, 3, 64, 64)
    converted = convert_efficientnet(dict(state), CONFIG)
    trunk.load_state_dict({n.removeprefix("backbone."): v for n, v in converted.items()})

    ours = trunk(normalise(image)).maps

    theirs = PublishedTrunk(state).maps((image - 127) / 128)
    for own, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_maps_have_strides_4_to_32_and_the_widths_of_their_stages(trunk: EfficientNet) -> None:
    maps = trunk(torch.randn(2, 3, 64, 96)).maps

    assert [tuple(x.shape) for x in maps] == [
        (2, 6, 16, 24),
        (2, 8, 8, 12),
        (2, 12, 4, 6),
        (2, 16, 2, 3),
    ]
    assert CONFIG.out_widths == (6, 8, 12, 16)


@pytest.mark.parametrize(
    ("kernel", "sums"),
    [
        # Rows that a kernel sees of 4 rows at stride 2: 0-2 and 2-3 of 3, 0-3 and 1-3 of 5.
        (3, [[9.0, 6.0], [6.0, 4.0]]),
        (5, [[16.0, 12.0], [12.0, 9.0]]),
    ],
)
def test_padding_at_stride_2_has_its_odd_pixel_at_the_right_and_bottom(
    kernel: int, sums: list[list[float]]
) -> None:
    conv = PaddedConv(1, 1, kernel, stride=2)
    nn.init.ones_(conv.conv.weight)
    nn.init.zeros_(conv.conv.bias)

    assert conv(torch.ones(1, 1, 4, 4))[0, 0].tolist() == sums


@torch.no_grad()
def test_a_block_adds_its_input_where_the_shapes_agree() -> None:
    x = torch.randn(1, 4, 8, 8)
    same = InvertedResidual(4, 4, kernel=3, stride=1, expansion=6)
    wider = InvertedResidual(4, 5, kernel=3, stride=1, expansion=6)
    for block in (same, wider):
        nn.init.zeros_(block.project.weight)
        nn.init.constant_(block.project.bias, 2)

    torch.testing.assert_close(same(x), x + 2)
    assert (wider(x) == 2).all()


@torch.no_grad()
def test_activations_inside_a_block_stop_at_six() -> None:
    block = InvertedResidual(1, 2, kernel=3, stride=1, expansion=1)
    nn.init.ones_(block.depthwise.conv.weight)
    nn.init.ones_(block.project.weight)
    nn.init.zeros_(block.project.bias)

    assert block(torch.full((1, 1, 3, 3), 99.0)).unique().tolist() == [6.0]
    assert block(torch.full((1, 1, 3, 3), -99.0)).unique().tolist() == [0.0]


@torch.no_grad()
def test_images_do_not_depend_on_their_batch(trunk: EfficientNet) -> None:
    pixels = torch.randn(3, 3, 32, 64)

    together, alone = trunk(pixels).maps, trunk(pixels[1:2]).maps

    for both, one in zip(together, alone, strict=True):
        torch.testing.assert_close(both[1:2], one, rtol=1e-4, atol=1e-5)


def test_sizes_that_are_no_multiple_of_32_are_refused(trunk: EfficientNet) -> None:
    with pytest.raises(ValueError, match=r"pixels are 64 x 100, .* multiples of 32; pad"):
        trunk(torch.zeros(1, 3, 64, 100))


def test_wrong_numbers_of_stages_are_refused() -> None:
    with pytest.raises(ValueError, match=r"has 3 stages and backbone\.depths 7; .* has 7"):
        EfficientNetConfig(widths=(8, 16, 24))


def test_lite0_has_its_published_number_of_weights() -> None:
    with torch.device("meta"):
        trunk = EfficientNet(EfficientNetConfig())

    # 2.959 million with two numbers per norm; folded, a norm leaves one.
    biases = sum(p.numel() for n, p in trunk.named_parameters() if n.endswith("bias"))
    total = sum(p.numel() for p in trunk.parameters())
    assert round((total + biases) / 1e6, 3) == 2.959


def test_the_nano_configuration_survives_json() -> None:
    assert config_from_dict(type(nano()), config_to_dict(nano())) == nano()


@torch.no_grad()
def test_finer_levels_read_the_coarsest_map(trunk: EfficientNet) -> None:
    config = replace(tiny(), backbone=CONFIG, coarse_context=True)
    pyramid, pixels = trunk(torch.randn(1, 3, 64, 96)), torch.zeros(1, 3, 64, 96)
    neck = Neck(config)

    read = neck(pyramid, pixels)
    for projection in neck.context:
        nn.init.zeros_(projection.weight)
    unread = neck(pyramid, pixels)

    # Levels of strides 8, 16, 32 and 64: the first two read what the third is made of.
    sizes = [h * w for h, w in read.shapes]
    changes = [
        (a - b).abs().amax().item()
        for a, b in zip(read.cells.split(sizes, 1), unread.cells.split(sizes, 1), strict=True)
    ]
    assert [change > 0 for change in changes] == [True, True, False, False]


@torch.no_grad()
def test_cells_know_their_places_and_colours_by_themselves(trunk: EfficientNet) -> None:
    torch.manual_seed(0)
    neck = Neck(replace(tiny(), backbone=CONFIG, coarse_context=True))
    pyramid = trunk(torch.zeros(1, 3, 64, 64))
    black = torch.zeros(1, 3, 64, 64)
    half_red = black.clone()
    half_red[:, 0, :, 32:] = 1
    plain = neck(pyramid, half_red).cells
    nn.init.normal_(neck.looks.layers[-1].weight)

    seen, unseen = neck(pyramid, half_red).cells, neck(pyramid, black).cells

    assert not torch.equal(plain, unseen)
    changed = (seen - unseen).abs().amax(dim=(0, 2)) > 0
    # The first level has 8 x 8 cells; those of its right half are red.
    assert changed[:64].view(8, 8).all(dim=0).tolist() == [False] * 4 + [True] * 4
    # Nothing but its place tells one black cell of a level from another.
    added = (unseen - neck_without(neck, pyramid, black))[0, :64]
    assert torch.cdist(added, added).fill_diagonal_(1).min() > 0


def neck_without(neck: Neck, pyramid: FeaturePyramid, pixels: Tensor) -> Tensor:
    """Return the cells of a neck that does not look."""
    blind = deepcopy(neck)
    nn.init.zeros_(blind.looks.layers[-1].weight)
    return blind(pyramid, pixels).cells


def small_nano() -> GleeConfig:
    """Return a network of the kinds of parts that nano has, all of them small."""
    text = MiniLmConfig(width=16, num_layers=1, num_heads=2, mlp_width=32)
    marks = VisualPromptConfig(template_size=64, max_points=16, negative_points=True)
    return replace(tiny(), backbone=CONFIG, text=text, visual_prompts=marks, coarse_context=True)


def test_a_network_of_small_encoders_takes_every_kind_of_prompt(image: NDArray[np.uint8]) -> None:
    predictor = Predictor(build_glee(small_nano()))
    points = Prompts(points=[[(40, 30), (5, 5)]], point_labels=[[1, 0]])

    named = predictor.predict(image, ["cat", "traffic light"], threshold=0)
    described = predictor.predict(image, Prompts(expression="the bright square"))
    marked = predictor.predict(image, points)

    assert (len(described), len(marked)) == (1, 1)
    assert named.scores.isfinite().all()
    assert len(named) > 0


def test_a_start_keeps_the_encoders_and_draws_the_rest_by_its_seed() -> None:
    config = small_nano()
    parts = ("backbone.", "text_encoder.")
    encoders = {n: v + 1 for n, v in build_glee(config).state_dict().items() if n.startswith(parts)}

    first, second, other = (nano_start(config, encoders, seed=seed) for seed in (0, 0, 1))

    assert all(torch.equal(first[name], value) for name, value in encoders.items())
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert not torch.equal(first["text_projection.weight"], other["text_projection.weight"])


def test_encoders_that_do_not_fit_are_listed() -> None:
    with pytest.raises(ValueError, match=r"missing: backbone\.stages\.0\.0\.depthwise\.conv\.bias"):
        nano_start(small_nano(), {}, seed=0)
