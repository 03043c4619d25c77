"""EVA-02 and the pyramid on top of it."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glee.config import Eva02Config
from glee.model.backbones.eva02 import (
    Eva02,
    Eva02Block,
    positions_of_cells,
    rotate,
    rotation_of_cells,
)
from glee.model.backbones.pyramid import SimplePyramid

SMALL = Eva02Config(
    width=16,
    depth=3,
    num_heads=2,
    mlp_width=20,
    patch=4,
    window=4,
    global_blocks=(1,),
    pretrain_grid=3,
    rope_reference=4,
    rope_grid=6,
    pyramid_width=8,
    drop_path=0.0,
)


def randomise(model: nn.Module) -> None:
    """Make all parameters random and large enough to show in the output."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)


def make_eva(config: Eva02Config = SMALL) -> Eva02:
    model = Eva02(config)
    randomise(model)
    return model.eval()


def make_trunk(config: Eva02Config = SMALL) -> Eva02:
    """Return a network without its pyramid: it gives the transformer's map [B, C, h, w]."""
    model = make_eva(config)
    model.pyramid = nn.Identity()
    return model


def angles_by_hand(positions: list[tuple[int, int]], side: int, config: Eva02Config) -> Tensor:
    """Return the angle of each pair of channels, [N, D / 2], one number at a time."""
    axis = config.width // config.num_heads // 2
    frequencies = [10000 ** (-2 * i / axis) for i in range(axis // 2)]
    scale = config.rope_reference / side
    rows = [[r * scale * f for f in frequencies] for r, _ in positions]
    columns = [[c * scale * f for f in frequencies] for _, c in positions]
    return torch.cat([torch.tensor(rows), torch.tensor(columns)], dim=1)


def attend_by_hand(tokens: Tensor, block: Eva02Block, angles: Tensor, num_heads: int) -> Tensor:
    """Attention with an explicit softmax; rotation as a product of complex numbers."""
    weights, read = block.attention, []
    turn = torch.polar(torch.ones_like(angles), angles)
    query = tokens @ weights.query.weight.T + weights.query.bias
    key = tokens @ weights.key.weight.T
    value = tokens @ weights.value.weight.T + weights.value.bias
    for heads in zip(*(x.chunk(num_heads, dim=-1) for x in (query, key, value)), strict=True):
        q, k = (torch.view_as_complex(x.reshape(*angles.shape, 2)) * turn for x in heads[:2])
        weight = ((q @ k.mH).real / math.sqrt(heads[2].shape[-1])).exp()
        read.append(weight / weight.sum(-1, keepdim=True) @ heads[2])
    return torch.cat(read, dim=-1) @ weights.out.weight.T + weights.out.bias


def block_by_hand(cells: Tensor, block: Eva02Block, config: Eva02Config) -> Tensor:
    """Compute one block on cells [h, w, C], window by window, with flat positions."""
    height, width, channels = cells.shape
    step = block.window or max(height, width)
    rows, columns = (n + -n % block.window if block.window else n for n in (height, width))
    padded = torch.zeros(rows, columns, channels)
    padded[:height, :width] = F.layer_norm(
        cells, (channels,), block.attention_norm.weight, block.attention_norm.bias, 1e-6
    )
    side = block.window or config.rope_grid
    for top in range(0, rows, step):
        for left in range(0, columns, step):
            tile = padded[top : top + step, left : left + step]
            positions = [divmod(n, side) for n in range(tile.shape[0] * tile.shape[1])]
            angles = angles_by_hand(positions, side, config)
            tokens = tile.reshape(-1, channels)
            tile[:] = attend_by_hand(tokens, block, angles, config.num_heads).view_as(tile)
    cells = cells + padded[:height, :width]
    mlp, norm = block.mlp, block.mlp_norm
    x = F.layer_norm(cells, (channels,), norm.weight, norm.bias, 1e-6)
    gate, update = x @ mlp.gate.weight.T + mlp.gate.bias, x @ mlp.expand.weight.T + mlp.expand.bias
    x = gate * gate.sigmoid() * update
    x = F.layer_norm(x, x.shape[-1:], mlp.norm.weight, mlp.norm.bias, 1e-6)
    return cells + x @ mlp.reduce.weight.T + mlp.reduce.bias


@pytest.mark.parametrize("size", [(24, 24), (16, 24), (32, 16), (8, 8), (8, 72)])
@torch.no_grad()
def test_the_transformer_does_what_plain_loops_over_windows_and_heads_do(
    size: tuple[int, int],
) -> None:
    model, pixels = make_trunk(), torch.randn(1, 3, *size)
    table = model.position_embedding[:, 1:].transpose(1, 2).reshape(1, 16, 3, 3)
    patches = model.patch_embedding(pixels)
    cells = patches + F.interpolate(table, patches.shape[-2:], mode="bicubic")

    expected = cells[0].permute(1, 2, 0)
    for block in model.blocks:
        expected = block_by_hand(expected, block, SMALL)

    torch.testing.assert_close(model(pixels)[0].permute(1, 2, 0), expected, atol=1e-4, rtol=1e-4)


def test_channels_turn_with_the_row_first_then_with_the_column() -> None:
    cos, sin = rotation_of_cells(torch.tensor([[0.0, 0.0], [2.0, 3.0]]), 8)

    # Two frequencies per axis, 1 and 10000^(-2/4); each angle holds for two channels.
    angles = torch.tensor([2.0, 2.0, 0.02, 0.02, 3.0, 3.0, 0.03, 0.03])
    assert cos.shape == sin.shape == (2, 1, 8)
    torch.testing.assert_close(cos[:, 0], torch.stack([torch.ones(8), angles.cos()]))
    torch.testing.assert_close(sin[:, 0], torch.stack([torch.zeros(8), angles.sin()]))


def test_the_slowest_pair_of_a_full_size_head_turns_by_its_formula() -> None:
    # Token 9215 of 96 x 96 lies at row and column 95, scaled to the 16 of pretraining.
    position = positions_of_cells(9216, 96, device=torch.device("cpu"))[-1:] / 96 * 16

    _, sin = rotation_of_cells(position, 64)

    expected = math.sin(95 / 96 * 16 * 10000 ** (-30 / 32))
    assert sin[0, 0, [30, 31, 62, 63]].tolist() == pytest.approx([expected] * 4, rel=1e-4)


def test_rotation_turns_adjacent_channels_as_the_plane() -> None:
    quarter = torch.full((1, 1, 4), math.pi / 2)
    x = torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 1, 1, 4)

    turned = rotate(x, (quarter.cos(), quarter.sin()))

    torch.testing.assert_close(turned.flatten(), torch.tensor([-2.0, 1.0, -4.0, 3.0]))


@pytest.mark.parametrize(("size", "equal"), [((24, 24), True), ((24, 16), False)])
def test_flat_positions_are_right_only_on_the_full_grid(size: tuple[int, int], equal: bool) -> None:
    model, corrected = make_trunk(), make_trunk(replace(SMALL, rope_by_flat_index=False))
    pixels = torch.randn(1, 3, *size)

    by_index, by_place = model(pixels), corrected(pixels)

    assert torch.allclose(by_index, by_place, atol=1e-5) == equal


def test_without_flat_positions_each_cell_has_its_own_row_and_column() -> None:
    config = replace(SMALL, depth=1, global_blocks=(0,), rope_by_flat_index=False)
    model, pixels = make_trunk(config), torch.randn(1, 3, 16, 40)  # more than rope_grid wide
    cells = make_trunk(replace(config, depth=0, global_blocks=()))(pixels)[0].flatten(1).T
    positions = [(r, c) for r in range(4) for c in range(10)]
    block = model.blocks[0]

    read = attend_by_hand(
        block.attention_norm(cells), block, angles_by_hand(positions, 6, config), 2
    )

    expected = cells + read
    expected = expected + block.mlp(block.mlp_norm(expected))
    torch.testing.assert_close(model(pixels)[0].flatten(1).T, expected, atol=1e-4, rtol=1e-4)


def test_the_position_table_is_read_row_by_row_behind_the_class_token() -> None:
    model = make_trunk(replace(SMALL, depth=0, global_blocks=(), pretrain_grid=4))

    cells = model(torch.zeros(1, 3, 16, 16))[0]

    expected = model.position_embedding[0, 1:] + model.patch_embedding.bias
    torch.testing.assert_close(cells.flatten(1).T, expected)


def test_a_window_never_reads_another() -> None:
    model = make_trunk(replace(SMALL, depth=1, global_blocks=()))
    pixels = torch.randn(1, 3, 24, 24)
    changed = pixels.clone()
    changed[..., :16, 16:] += 1  # the window of rows 0..3 and columns 4..5

    touched = (model(pixels) != model(changed)).any(dim=1)[0]

    expected = torch.zeros(6, 6, dtype=torch.bool)
    expected[:4, 4:] = True
    assert torch.equal(touched, expected)


@pytest.mark.parametrize("size", [(8, 8), (24, 24), (16, 24), (40, 8)])
def test_maps_have_strides_of_half_to_four_patches(size: tuple[int, int]) -> None:
    maps = make_eva()(torch.randn(2, 3, *size)).maps

    h, w = size[0] // 4, size[1] // 4
    last = (-(-h // 4), -(-w // 4))
    sizes = [(2 * h, 2 * w), (h, w), (h // 2, w // 2), last]
    assert [tuple(x.shape) for x in maps] == [(2, 8, *size) for size in sizes]


def test_the_coarsest_map_is_every_other_cell_of_the_one_before() -> None:
    *_, third, fourth = make_eva()(torch.randn(1, 3, 24, 16)).maps

    assert third.shape[-2:] == (3, 2)
    assert torch.equal(fourth, F.max_pool2d(third, kernel_size=1, stride=2))


def test_pyramid_levels_are_two_convolutions_each_normalised_over_channels() -> None:
    pyramid = SimplePyramid(6, 4)
    randomise(pyramid)
    x = torch.randn(1, 6, 4, 6)
    twice = torch.einsum("bihw,ioyx->bohywx", x, pyramid.upsample.weight).reshape(1, 3, 8, 12)
    half = x.reshape(1, 6, 2, 2, 3, 2).amax(dim=(3, 5))

    expected = [twice + pyramid.upsample.bias[:, None, None], x, half]
    for level, convs in enumerate(zip(pyramid.project, pyramid.smooth, strict=True)):
        for conv in convs:
            y = F.conv2d(expected[level], conv.conv.weight, padding="same")
            y = (y - y.mean(1, keepdim=True)) / (y.var(1, correction=0, keepdim=True) + 1e-6).sqrt()
            expected[level] = y * conv.norm.weight[:, None, None] + conv.norm.bias[:, None, None]

    torch.testing.assert_close(list(pyramid(x).maps[:3]), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("size", [(20, 24), (24, 12), (0, 24), (1, 1)])
def test_sizes_that_are_not_whole_pairs_of_patches_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=rf"pixels .* multiples of 8, got {size[0]} x {size[1]}"):
        make_eva()(torch.zeros(1, 3, *size))


def test_more_patches_than_flat_positions_are_refused() -> None:
    pixels = torch.zeros(1, 3, 16, 40)

    with pytest.raises(ValueError, match=r"16 x 40 make 40 patches, but positions exist for 36"):
        make_eva()(pixels)
    assert len(make_eva(replace(SMALL, rope_by_flat_index=False))(pixels).maps) == 4


def test_an_odd_number_of_rotated_pairs_is_refused() -> None:
    with pytest.raises(ValueError, match=r"backbone.width / backbone.num_heads .* 6"):
        Eva02(replace(SMALL, width=12))


def test_an_image_gives_the_same_maps_alone_and_in_a_batch() -> None:
    model, pixels = make_eva(), torch.randn(3, 3, 24, 16)

    together, alone = model(pixels).maps, model(pixels[1:2]).maps

    torch.testing.assert_close([x[1:2] for x in together], list(alone), atol=1e-4, rtol=1e-4)


def test_weights_loaded_after_building_on_the_meta_device_are_all_there_is() -> None:
    model, pixels = make_eva(), torch.randn(1, 3, 24, 16)
    with torch.device("meta"):
        empty = Eva02(SMALL)
    loaded = empty.to_empty(device="cpu").eval()
    loaded.load_state_dict(model.state_dict())

    assert not list(model.buffers())
    torch.testing.assert_close(loaded(pixels).maps, model(pixels).maps)


def test_every_parameter_of_eva_learns() -> None:
    model = make_eva().train()

    sum(x.square().mean() for x in model(torch.randn(2, 3, 24, 16)).maps).backward()

    still = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not still


def test_eva_computes_in_the_type_of_its_weights_and_pixels() -> None:
    model = make_eva().to(torch.bfloat16)

    maps = model(torch.randn(1, 3, 24, 16, dtype=torch.bfloat16)).maps

    assert {x.dtype for x in maps} == {torch.bfloat16}
    assert all(x.isfinite().all() for x in maps)


def test_drop_path_rises_over_the_blocks_of_eva_and_is_off_in_eval_mode() -> None:
    model, never = make_eva(replace(SMALL, drop_path=0.8)), make_eva()
    pixels = torch.randn(4, 3, 24, 16)

    assert [block.drop_rate for block in model.blocks] == pytest.approx([0.0, 0.4, 0.8])
    torch.testing.assert_close(model(pixels).maps, never(pixels).maps)
    assert not torch.allclose(model.train()(pixels).maps[1], never(pixels).maps[1])
