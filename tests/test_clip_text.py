import re

import pytest
import torch
from torch import Tensor, nn

from glee.config import ClipTextConfig
from glee.model.text.clip import ClipText, encode_texts, pool_tokens, quick_gelu
from glee.model.text.tokenizer import Tokenizer, clip_tokenizer

CONFIG = ClipTextConfig(width=16, num_layers=2, num_heads=2, mlp_width=32)


@pytest.fixture
def encoder() -> ClipText:
    """Build a small encoder whose parameters are all large enough to show in its output."""
    torch.manual_seed(0)
    encoder = ClipText(CONFIG).eval()
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=0.5)
    return encoder


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return clip_tokenizer()


def random_texts() -> tuple[Tensor, Tensor]:
    """Draw ids of three texts of 4, 9 and 12 tokens, padded to 12."""
    ids = torch.randint(CONFIG.vocabulary, (3, 12), generator=torch.Generator().manual_seed(1))
    return ids, torch.arange(12) < torch.tensor([[4], [9], [12]])


def torch_layer(encoder: ClipText, index: int) -> nn.TransformerEncoderLayer:
    """Build PyTorch's own pre-norm transformer layer with the weights of one of ours."""
    ours = encoder.layers[index]
    theirs = nn.TransformerEncoderLayer(
        16, 2, 32, dropout=0, activation=quick_gelu, batch_first=True, norm_first=True
    )
    pairs = [(theirs.norm1, ours.attention_norm), (theirs.norm2, ours.mlp_norm)]
    pairs += [(theirs.linear1, ours.expand), (theirs.linear2, ours.reduce)]
    pairs += [(theirs.self_attn.out_proj, ours.attention.out)]
    for target, source in pairs:
        target.load_state_dict(source.state_dict())
    inputs = [ours.attention.query, ours.attention.key, ours.attention.value]
    theirs.self_attn.in_proj_weight.data = torch.cat([linear.weight.data for linear in inputs])
    theirs.self_attn.in_proj_bias.data = torch.cat([linear.bias.data for linear in inputs])
    return theirs


def test_hidden_states_equal_those_of_layers_of_torch(encoder: ClipText) -> None:
    ids, valid = random_texts()
    expected = encoder.token_embedding(ids) + encoder.position_embedding.weight[:12]
    later = torch.ones(12, 12, dtype=torch.bool).triu(1)
    for index in range(CONFIG.num_layers):
        layer = torch_layer(encoder, index)
        expected = layer(expected, src_mask=later, src_key_padding_mask=~valid)

    torch.testing.assert_close(encoder(ids, valid), encoder.norm(expected))


def test_valid_tokens_are_the_same_at_natural_and_at_full_length(
    encoder: ClipText, tokenizer: Tokenizer
) -> None:
    texts = ["cat", "the large dog on the left of the picture"]
    short = tokenizer.encode(texts, max_tokens=77)
    full = tokenizer.encode(texts, max_tokens=77, pad_to=77)

    trimmed = encoder(short.ids, short.valid)[short.valid]

    torch.testing.assert_close(trimmed, encoder(full.ids, full.valid)[full.valid])


def test_a_token_does_not_read_what_follows_it(encoder: ClipText) -> None:
    ids, valid = random_texts()
    changed = ids.clone()
    changed[:, 3:] = 7

    torch.testing.assert_close(encoder(changed, valid)[:, :3], encoder(ids, valid)[:, :3])


def test_a_padded_token_reads_the_text_but_no_other_padding(encoder: ClipText) -> None:
    ids, valid = random_texts()  # the first text ends before its fifth token
    padding_changed, text_changed = ids.clone(), ids.clone()
    padding_changed[0, 4:11], text_changed[0, 2] = 7, 7
    last = encoder(ids, valid)[0, 11]

    torch.testing.assert_close(encoder(padding_changed, valid)[0, 11], last)
    assert not torch.allclose(encoder(text_changed, valid)[0, 11], last, atol=1e-3)


def test_more_tokens_than_positions_are_refused(encoder: ClipText) -> None:
    ids = torch.zeros(1, 78, dtype=torch.int64)
    with pytest.raises(ValueError, match="ids has 78 tokens a text but the encoder reads at most"):
        encoder(ids, ids == 0)


def test_half_precision_stays_close(encoder: ClipText) -> None:
    ids, valid = random_texts()
    exact, rounded = encoder(ids, valid), encoder.bfloat16()(ids, valid)

    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.float(), exact, atol=0.1, rtol=0.1)


def test_quick_gelu_is_x_times_a_steep_sigmoid() -> None:
    x = torch.tensor([-1.0, 0.0, 1.0])
    # 1 / (1 + exp(-1.702)) = 0.8458
    torch.testing.assert_close(
        quick_gelu(x), torch.tensor([-0.1542, 0.0, 0.8458]), atol=1e-4, rtol=0
    )


def test_pooling_averages_the_valid_tokens_only() -> None:
    tokens = torch.tensor([[[1.0, 10.0], [3.0, 20.0], [99.0, 99.0]], [[2.0, 0.0]] * 3])
    valid = torch.tensor([[True, True, False], [True, True, True]])

    assert pool_tokens(tokens, valid).tolist() == [[2.0, 15.0], [2.0, 0.0]]


def test_many_texts_are_encoded_as_each_would_be_alone(
    encoder: ClipText, tokenizer: Tokenizer
) -> None:
    texts = ["the large dog on the left", "cat", "", "red car", "cat", "traffic light"]
    together = encode_texts(encoder, tokenizer, texts, batch_tokens=12)

    assert [len(tokens) for tokens in together] == [8, 3, 2, 4, 3, 4]
    for text, tokens in zip(texts, together, strict=True):
        alone = tokenizer.encode([text], max_tokens=77)
        torch.testing.assert_close(tokens, encoder(alone.ids, alone.valid)[0])


def test_texts_of_similar_length_share_batches_within_the_budget(
    encoder: ClipText, tokenizer: Tokenizer
) -> None:
    shapes: list[tuple[int, ...]] = []
    encoder.register_forward_pre_hook(lambda _, inputs: shapes.append(tuple(inputs[0].shape)))

    # Of 3, 11, 3, 4 and 11 tokens; a text alone may exceed the budget.
    encode_texts(
        encoder, tokenizer, ["cat", "dog " * 9, "dog", "red car", "a " * 9], batch_tokens=10
    )

    assert shapes == [(2, 3), (1, 4), (1, 11), (1, 11)]


def test_no_texts_are_encoded_to_none(encoder: ClipText, tokenizer: Tokenizer) -> None:
    assert encode_texts(encoder, tokenizer, []) == []


def test_training_reaches_the_weights_through_encoded_texts(
    encoder: ClipText, tokenizer: Tokenizer
) -> None:
    sum(tokens.square().sum() for tokens in encode_texts(encoder, tokenizer, ["cat"])).backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())


def test_a_fresh_encoder_starts_with_the_spread_of_clip() -> None:
    torch.manual_seed(0)
    encoder = ClipText(ClipTextConfig(width=64, num_layers=8, num_heads=2, mlp_width=256))
    layer = encoder.layers[0]
    stds = {
        encoder.token_embedding.weight: 0.02,
        encoder.position_embedding.weight: 0.01,
        layer.attention.query.weight: 1 / 8,  # 64 ** -0.5
        layer.attention.out.weight: 1 / 32,  # (2 * 64 * 8) ** -0.5
        layer.expand.weight: 1 / 128**0.5,
        layer.reduce.weight: 1 / 32,
    }
    for weight, std in stds.items():
        assert weight.std().item() == pytest.approx(std, rel=0.05)


# Names in transformers to ours.
RENAMES = [
    (r"^(text_model\.)?embeddings\.", ""),
    (r"^(text_model\.)?encoder\.", ""),
    (r"^(text_model\.)?final_layer_norm\.", "norm."),
    (r"\.layer_norm1\.", ".attention_norm."),
    (r"\.layer_norm2\.", ".mlp_norm."),
    (r"\.self_attn\.q_proj\.", ".attention.query."),
    (r"\.self_attn\.k_proj\.", ".attention.key."),
    (r"\.self_attn\.v_proj\.", ".attention.value."),
    (r"\.self_attn\.out_proj\.", ".attention.out."),
    (r"\.mlp\.fc1\.", ".expand."),
    (r"\.mlp\.fc2\.", ".reduce."),
]


@pytest.mark.slow  # the import of transformers
def test_hidden_states_equal_those_of_transformers(encoder: ClipText) -> None:
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 16, "intermediate_size": 32}
    sizes |= {"num_hidden_layers": 2, "num_attention_heads": 2}
    theirs = transformers.CLIPTextModel(transformers.CLIPTextConfig(**sizes)).eval()
    weights = theirs.state_dict()
    for pattern, name in RENAMES:
        weights = {re.sub(pattern, name, key): value for key, value in weights.items()}
    encoder.load_state_dict(weights)
    ids, valid = random_texts()

    expected = theirs(input_ids=ids, attention_mask=valid.long()).last_hidden_state

    torch.testing.assert_close(encoder(ids, valid), expected)
