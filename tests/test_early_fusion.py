import pytest
import torch
from torch import Tensor

from glee.config import EarlyFusionConfig
from glee.model.early_fusion import EarlyFusion


@pytest.fixture
def fusion() -> EarlyFusion:
    torch.manual_seed(0)
    fusion = EarlyFusion(16, EarlyFusionConfig(inner_width=24, num_heads=3, reads_padding=False))
    for parameter in fusion.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return fusion.eval()


def attend(fusion: EarlyFusion, cells: Tensor, tokens: Tensor) -> Tensor:
    """Early fusion as the paper draws it: nothing folded, nothing in blocks."""
    cells, tokens = fusion.image_norm(cells), fusion.prompt_norm(tokens)
    heads = [
        layer(x).unflatten(-1, (3, 8)).transpose(1, 2)
        for layer, x in ((fusion.query, cells), (fusion.key, tokens), (fusion.value, tokens))
    ]
    scores = heads[0] @ heads[1].transpose(2, 3) / 8**0.5
    read = (scores.softmax(-1) @ heads[2]).transpose(1, 2).flatten(2)
    return cells + fusion.gain * fusion.out(read)


@torch.no_grad()
@pytest.mark.parametrize("rows", [1, 2])
def test_folding_changes_the_order_of_products_only(fusion: EarlyFusion, rows: int) -> None:
    cells, tokens = torch.randn(2, 50, 16), torch.randn(rows, 7, 16)

    torch.testing.assert_close(
        fusion(cells, fusion.fold(tokens)), attend(fusion, cells, tokens.expand(2, 7, 16))
    )


@torch.no_grad()
def test_blocks_of_cells_give_what_all_cells_give_at_once(
    fusion: EarlyFusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells, folded = torch.randn(2, 50, 16), fusion.fold(torch.randn(2, 7, 16))
    whole = fusion(cells, folded)

    monkeypatch.setattr("glee.model.early_fusion.SCORES_AT_ONCE", 200)
    monkeypatch.setattr("glee.model.early_fusion.LEAST_CELLS", 1)

    torch.testing.assert_close(fusion(cells, folded), whole)


@torch.no_grad()
def test_padding_never_reaches_the_image_of_a_network_that_masks_it(fusion: EarlyFusion) -> None:
    cells, tokens = torch.randn(1, 50, 16), torch.randn(1, 7, 16)
    padded = torch.cat([tokens, torch.full((1, 3, 16), 9.0)], dim=1)

    with_padding = fusion(cells, fusion.fold(padded, torch.arange(10)[None] < 7))

    torch.testing.assert_close(with_padding, fusion(cells, fusion.fold(tokens)))


@torch.no_grad()
def test_joined_tokens_are_read_as_one_prompt(fusion: EarlyFusion) -> None:
    cells, shared, own = torch.randn(2, 50, 16), torch.randn(1, 4, 16), torch.randn(2, 3, 16)

    joined = fusion(cells, fusion.fold(shared), fusion.fold(own))

    together = torch.cat([shared.expand(2, 4, 16), own], dim=1)
    torch.testing.assert_close(joined, fusion(cells, fusion.fold(together)))
