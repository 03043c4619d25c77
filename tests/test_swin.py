"""Swin, its windows and its drop path."""

import re
import warnings
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glee.config import SwinConfig
from glee.model.backbones.swin import PatchMerging, Swin, WindowAttention, offset_index
from glee.model.layers.drop_path import drop_path, drop_path_rates
from glee.model.layers.windows import merge_windows, partition_windows, shifted_window_mask

SMALL = SwinConfig(width=8, depths=(2, 1, 2), num_heads=(1, 2, 2), window=4, drop_path=0.0)

HUGGING_FACE_NAMES = (  # both those of transformers 4 and 5
    (r"^(?:swin\.)?embeddings\.patch_embeddings\.projection\.", "patch_embedding."),
    (r"^(?:swin\.)?embeddings\.norm\.", "patch_norm."),
    (r"^(?:swin\.)?encoder\.layers\.(\d+)\.downsample\.norm\.", r"merges.\1.norm."),
    (r"^(?:swin\.)?encoder\.layers\.(\d+)\.downsample\.reduction\.", r"merges.\1.reduce."),
    (r"^(?:swin\.)?encoder\.layers\.", "stages."),
    (r"\.layernorm_before\.", ".attention_norm."),
    (r"\.layernorm_after\.", ".mlp_norm."),
    (r"\.attention\.(self\.query|q_proj)\.(.*)$", r".attention.qkv.\2/0"),
    (r"\.attention\.(self\.key|k_proj)\.(.*)$", r".attention.qkv.\2/1"),
    (r"\.attention\.(self\.value|v_proj)\.(.*)$", r".attention.qkv.\2/2"),
    (r"\.attention\.(output\.dense|o_proj)\.", ".attention.out."),
    (r"\.attention\.\w+\.relative_position_bias_table$", ".attention.position_bias"),
    (r"\.(mlp\.fc1|intermediate\.dense)\.", ".expand."),
    (r"\.(mlp\.fc2|output\.dense)\.", ".reduce."),
    (r"^hidden_states_norms\.stage(\d)\.", r"norms.\1."),
)


def make_swin(config: SwinConfig = SMALL) -> Swin:
    """Return a network whose parameters, norms and biases too, are all random."""
    torch.manual_seed(0)
    model = Swin(config)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model.eval()


def from_ours(name: str, ours: dict[str, Tensor]) -> Tensor:
    """Return the value of a parameter that Hugging Face calls `name`."""
    for pattern, replacement in HUGGING_FACE_NAMES:
        name = re.sub(pattern, replacement, name)
    name = re.sub(r"^norms\.(\d)", lambda found: f"norms.{int(found[1]) - 1}", name)
    name, _, third = name.partition("/")
    return ours[name].chunk(3)[int(third)] if third else ours[name]


def hugging_face_swin(ours: Swin) -> nn.Module:
    """Build Hugging Face's network with the sizes of SMALL and the weights of `ours`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        transformers = pytest.importorskip("transformers")
    stages = ["stage1", "stage2", "stage3"]
    config = transformers.SwinConfig(
        embed_dim=8, depths=[2, 1, 2], num_heads=[1, 2, 2], window_size=4, out_features=stages
    )
    theirs = transformers.SwinBackbone(config).eval()
    state, unused = ours.state_dict(), r"^(swin\.)?layernorm|relative_position_index"
    wanted = {n: from_ours(n, state) for n in theirs.state_dict() if not re.search(unused, n)}
    theirs.load_state_dict(theirs.state_dict() | wanted)
    return theirs


@pytest.mark.slow  # importing transformers takes seconds
@pytest.mark.parametrize("size", [(64, 64), (50, 77), (5, 131), (1, 1)])
@torch.no_grad()
def test_swin_agrees_with_hugging_face(size: tuple[int, int]) -> None:
    ours, pixels = make_swin(), torch.randn(2, 3, *size)

    expected = hugging_face_swin(ours)(pixels).feature_maps

    torch.testing.assert_close(ours(pixels).maps, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (32, 64), (45, 18)])
def test_maps_have_strides_4_8_16_rounded_up_for_any_size(size: tuple[int, int]) -> None:
    maps = make_swin()(torch.randn(1, 3, *size)).maps

    expected = [
        (1, 8 * 2**level, -(-size[0] // stride), -(-size[1] // stride))
        for level, stride in enumerate((4, 8, 16))
    ]
    assert [tuple(x.shape) for x in maps] == expected


def test_an_image_gives_the_same_maps_alone_and_in_a_batch() -> None:
    model, pixels = make_swin(), torch.randn(3, 3, 40, 56)

    together, alone = model(pixels).maps, model(pixels[1:2]).maps

    torch.testing.assert_close([x[1:2] for x in together], list(alone), atol=1e-5, rtol=1e-5)


def test_every_other_block_reads_across_windows_but_not_across_the_image() -> None:
    model = make_swin(replace(SMALL, depths=(2,), num_heads=(1,)))
    pixels = torch.randn(1, 3, 32, 32)  # 8 x 8 cells
    changed = pixels.clone()
    changed[..., :4, :4] += 1

    touched = (model(pixels).maps[0] != model(changed).maps[0]).any(dim=1)[0]

    # Cells 0..3 share the first window with cell 0, and 2..5 the window between the first two.
    expected = torch.zeros(8, 8, dtype=torch.bool)
    expected[:6, :6] = True
    assert torch.equal(touched, expected)


def test_images_are_padded_with_zeros_at_the_bottom_and_right() -> None:
    model, pixels = make_swin(), torch.randn(1, 3, 5, 11)

    torch.testing.assert_close(model(F.pad(pixels, (0, 1, 0, 3))).maps, model(pixels).maps)


def test_the_norm_of_a_map_is_not_seen_by_the_next_stage() -> None:
    model, pixels = make_swin(), torch.randn(1, 3, 40, 56)
    before = model(pixels).maps
    nn.init.zeros_(model.norms[0].weight)

    after = model(pixels).maps

    assert not torch.allclose(after[0], before[0])
    torch.testing.assert_close(after[1:], before[1:])


def test_weights_loaded_after_building_on_the_meta_device_are_all_there_is() -> None:
    model, pixels = make_swin(), torch.randn(1, 3, 40, 56)
    with torch.device("meta"):
        empty = Swin(SMALL)
    loaded = empty.to_empty(device="cpu").eval()
    loaded.load_state_dict(model.state_dict())

    assert not list(model.buffers())
    torch.testing.assert_close(loaded(pixels).maps, model(pixels).maps)


def test_every_parameter_of_swin_learns() -> None:
    model = make_swin().train()

    sum(x.square().mean() for x in model(torch.randn(2, 3, 40, 56)).maps).backward()

    still = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not still


def test_swin_computes_in_the_type_of_its_weights_and_pixels() -> None:
    model = make_swin().to(torch.bfloat16)

    maps = model(torch.randn(1, 3, 40, 56, dtype=torch.bfloat16)).maps

    assert {x.dtype for x in maps} == {torch.bfloat16}
    assert all(x.isfinite().all() for x in maps)


@pytest.mark.parametrize("shift", [0, 2])
@pytest.mark.parametrize("shape", [(8, 12), (5, 9), (1, 3)])
def test_merging_undoes_partitioning(shape: tuple[int, int], shift: int) -> None:
    cells = torch.randn(2, *shape, 3)

    windows = partition_windows(cells, 4, shift=shift)

    assert windows.shape == (2 * -(-shape[0] // 4) * -(-shape[1] // 4), 16, 3)
    torch.testing.assert_close(merge_windows(windows, 4, shape, shift=shift), cells)


def test_windows_hold_neighbouring_cells_and_zeros_behind_the_border() -> None:
    cells = torch.arange(1, 13).view(1, 3, 4, 1)

    windows = partition_windows(cells, 2)[..., 0].tolist()
    shifted = partition_windows(cells, 2, shift=1)[..., 0].tolist()

    assert windows == [[1, 2, 5, 6], [3, 4, 7, 8], [9, 10, 0, 0], [11, 12, 0, 0]]
    assert shifted == [[6, 7, 10, 11], [8, 5, 12, 9], [0, 0, 2, 3], [0, 0, 4, 1]]


def test_shifted_windows_are_closed_between_opposite_sides_of_the_image() -> None:
    hidden = shifted_window_mask((3, 4), 2, shift=1, like=torch.empty(0))

    # The second window holds two cells of the right border, at 0 and 2, and two of the left.
    row, other = [0.0, -100.0, 0.0, -100.0], [-100.0, 0.0, -100.0, 0.0]
    assert not hidden[0].any()
    assert hidden[1].tolist() == [row, other, row, other]
    assert hidden[3].tolist() == torch.full((4, 4), -100.0).fill_diagonal_(0).tolist()


def test_offsets_are_counted_from_the_cell_that_is_read() -> None:
    index = offset_index(2, like=torch.empty(0))

    # Cell 0 is one row above and one column left of cell 3: (-1 + 1) * 3 + (-1 + 1).
    assert index.tolist() == [[4, 3, 1, 0], [5, 4, 2, 1], [7, 6, 4, 3], [8, 7, 5, 4]]


def test_window_attention_is_a_softmax_of_scores_with_bias_and_mask() -> None:
    torch.manual_seed(0)
    attention = WindowAttention(6, num_heads=2, window=2)
    windows, offsets = torch.randn(4, 4, 6), offset_index(2, like=torch.empty(0))
    hidden = torch.tensor([0.0, -100.0])[torch.randint(2, (2, 4, 4))]

    query, key, value = attention.qkv(windows).view(4, 4, 3, 2, 3).permute(2, 0, 3, 1, 4)
    scores = query @ key.mT / 3**0.5 + hidden.repeat(2, 1, 1)[:, None]
    for i, j in torch.cartesian_prod(torch.arange(4), torch.arange(4)).tolist():
        scores[..., i, j] += attention.position_bias[offsets[i, j]]
    expected = attention.out((scores.softmax(-1) @ value).transpose(1, 2).reshape(4, 4, 6))

    torch.testing.assert_close(attention(windows, offsets, hidden), expected)


def test_four_cells_merge_column_by_column() -> None:
    merging = PatchMerging(1)
    merging.norm = merging.reduce = nn.Identity()

    merged = merging(torch.tensor([[1.0, 2.0, 5.0], [3.0, 4.0, 6.0]]).view(1, 2, 3, 1))

    assert merged.tolist() == [[[[1, 3, 2, 4], [5, 6, 0, 0]]]]


def test_cells_behind_the_border_are_zeros_and_not_normalised() -> None:
    block = make_swin().stages[0].blocks[0]
    cells, offsets = torch.randn(1, 1, 1, 8), offset_index(4, like=torch.empty(0))
    window = F.pad(block.attention_norm(cells).view(1, 1, 8), (0, 0, 0, 15))

    read = cells + block.attention(window, offsets, None)[:, :1].view_as(cells)

    expected = read + block.reduce(F.gelu(block.expand(block.mlp_norm(read))))
    torch.testing.assert_close(block(cells, offsets, torch.zeros(1, 16, 16)), expected)


def test_drop_path_rises_linearly_over_all_blocks_of_swin() -> None:
    config = SwinConfig(width=8, depths=(2, 1, 2), num_heads=(1, 1, 1), drop_path=0.4)

    rates = [block.drop_rate for stage in Swin(config).stages for block in stage.blocks]

    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])
    assert drop_path_rates(0.3, 1) == [0.0]


def test_drop_path_does_nothing_outside_training() -> None:
    x, pixels = torch.randn(4, 3), torch.randn(4, 3, 24, 16)
    model = make_swin(replace(SMALL, drop_path=0.9))

    assert drop_path(x, 0.9, training=False) is x
    assert drop_path(x, 0.0, training=True) is x
    torch.testing.assert_close(model(pixels).maps, make_swin()(pixels).maps)


def test_drop_path_drops_whole_images_and_keeps_the_expectation() -> None:
    torch.manual_seed(0)

    dropped = drop_path(torch.ones(20000, 2, 3), 0.25, training=True)

    assert (dropped == dropped[:, :1, :1]).all()
    torch.testing.assert_close(dropped.unique(), torch.tensor([0.0, 4 / 3]))
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.02)


def test_dropping_every_branch_leaves_the_patches_unread() -> None:
    model = make_swin(SwinConfig(width=8, depths=(1, 2), num_heads=(1, 1), window=4)).train()
    for stage in model.stages:
        for block in stage.blocks:
            block.drop_rate = 1.0
    pixels = torch.randn(1, 3, 16, 16)

    cells = model.patch_norm(model.patch_embedding(pixels).permute(0, 2, 3, 1))

    expected = model.norms[0](cells).permute(0, 3, 1, 2)
    torch.testing.assert_close(model(pixels).maps[0], expected)
