import pytest
import torch
from torch import nn

from glee.model.layers.attention import Attention


@pytest.fixture
def attention() -> Attention:
    torch.manual_seed(0)
    return Attention(16, num_heads=4)


def torch_attention(attention: Attention) -> nn.MultiheadAttention:
    """Build PyTorch's own attention with the same weights and random biases in both."""
    theirs = nn.MultiheadAttention(16, 4, batch_first=True)
    inputs = [attention.query, attention.key, attention.value]
    for linear in (*inputs, attention.out):
        nn.init.normal_(linear.bias)
    theirs.in_proj_weight.data = torch.cat([linear.weight.data for linear in inputs])
    theirs.in_proj_bias.data = torch.cat([linear.bias.data for linear in inputs])
    theirs.out_proj.load_state_dict(attention.out.state_dict())
    return theirs


def test_attention_equals_that_of_torch(attention: Attention) -> None:
    theirs = torch_attention(attention)
    query, key, value = torch.randn(2, 5, 16), torch.randn(2, 7, 16), torch.randn(2, 7, 16)
    readable = torch.rand(2, 1, 5, 7) > 0.5
    readable[..., 0] = True  # one key for each query

    expected, _ = theirs(query, key, value, attn_mask=~readable.repeat(1, 4, 1, 1).flatten(0, 1))

    torch.testing.assert_close(attention(query, key, value, readable=readable), expected)


def test_keys_that_are_not_readable_have_no_influence(attention: Attention) -> None:
    query, tokens = torch.randn(2, 5, 16), torch.randn(2, 7, 16)
    spoilt = tokens.clone()
    spoilt[:, 3:] = 1e4

    alone = attention(query, tokens[:, :3], tokens[:, :3])
    masked = attention(query, spoilt, spoilt, readable=torch.arange(7)[None, None, None] < 3)

    torch.testing.assert_close(masked, alone)


def test_first_weights_are_drawn_from_the_range_that_torch_uses() -> None:
    torch.manual_seed(0)
    ours, theirs = Attention(256, num_heads=8), nn.MultiheadAttention(256, 8)
    for linear in (ours.query, ours.key, ours.value):
        largest = linear.weight.abs().max().item()
        assert largest == pytest.approx(theirs.in_proj_weight.abs().max().item(), rel=1e-2)
        assert not linear.bias.any()


def test_a_width_that_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match=r"width \(10\) must be a multiple of num_heads \(4\)"):
        Attention(10, num_heads=4)
