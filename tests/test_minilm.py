import pytest
import torch
from torch import Tensor, nn

from glee.config import MiniLmConfig, TextConfig, tiny
from glee.model.text.build import build_text_encoder, build_tokenizer
from glee.model.text.clip import encode_texts
from glee.model.text.minilm import MiniLmText
from glee.model.text.tokenizer import Tokenizer, wordpiece_tokenizer
from make_nano_start import LAYER_NAMES, convert_minilm

CONFIG = MiniLmConfig(width=16, num_layers=2, num_heads=2, mlp_width=32, max_tokens=20)
START, END, UNKNOWN = 101, 102, 100


@pytest.fixture
def encoder() -> MiniLmText:
    """Build a small encoder whose parameters are all large enough to show in its output."""
    torch.manual_seed(0)
    encoder = MiniLmText(CONFIG).eval()
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=0.5)
    return encoder


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return wordpiece_tokenizer()


def random_texts() -> tuple[Tensor, Tensor]:
    """Draw ids of three texts of 4, 9 and 12 tokens, padded to 12."""
    ids = torch.randint(CONFIG.vocabulary, (3, 12), generator=torch.Generator().manual_seed(1))
    return ids, torch.arange(12) < torch.tensor([[4], [9], [12]])


def torch_layer(encoder: MiniLmText, index: int) -> nn.TransformerEncoderLayer:
    """Build PyTorch's own post-norm transformer layer with the weights of one of ours."""
    ours = encoder.layers[index]
    theirs = nn.TransformerEncoderLayer(
        16, 2, 32, dropout=0, activation="gelu", batch_first=True, layer_norm_eps=1e-12
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


def test_hidden_states_equal_those_of_layers_of_torch(encoder: MiniLmText) -> None:
    ids, valid = random_texts()
    expected = encoder.norm(encoder.token_embedding(ids) + encoder.position_embedding.weight[:12])
    for index in range(CONFIG.num_layers):
        expected = torch_layer(encoder, index)(expected, src_key_padding_mask=~valid)

    torch.testing.assert_close(encoder(ids, valid), expected)


def test_a_text_does_not_depend_on_its_padding(encoder: MiniLmText) -> None:
    ids, valid = random_texts()
    changed = ids.masked_fill(~valid, 7)

    torch.testing.assert_close(encoder(changed, valid)[valid], encoder(ids, valid)[valid])
    torch.testing.assert_close(encoder(ids[:1, :4], valid[:1, :4]), encoder(ids, valid)[:1, :4])


def test_a_token_reads_what_follows_it(encoder: MiniLmText) -> None:
    ids, valid = random_texts()
    changed = ids.clone()
    changed[:, 3] = 7

    difference = encoder(changed, valid)[:, 0] - encoder(ids, valid)[:, 0]

    assert (difference.abs().amax(dim=1) > 1e-3).all()


def test_more_tokens_than_positions_are_refused(encoder: MiniLmText) -> None:
    ids = torch.zeros(1, 21, dtype=torch.int64)
    with pytest.raises(ValueError, match="ids has 21 tokens a text but the encoder reads at most"):
        encoder(ids, ids == 0)


def test_many_texts_are_encoded_as_each_would_be_alone(
    encoder: MiniLmText, tokenizer: Tokenizer
) -> None:
    texts = ["the large dog on the left", "cat", "", "traffic light"]

    together = encode_texts(encoder, tokenizer, texts, batch_tokens=12)

    assert [len(tokens) for tokens in together] == [8, 3, 2, 4]
    for text, tokens in zip(texts, together, strict=True):
        alone = tokenizer.encode([text], max_tokens=20)
        torch.testing.assert_close(tokens, encoder(alone.ids, alone.valid)[0])


# Ids that appear in the documentation and examples of BERT.
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hello world", [7592, 2088]),
        ("Hello, my dog is cute", [7592, 1010, 2026, 3899, 2003, 10140]),
        ("a photo of a cat", [1037, 6302, 1997, 1037, 4937]),
        ("", []),
    ],
)
def test_published_ids_are_reproduced(tokenizer: Tokenizer, text: str, words: list[int]) -> None:
    assert tokenizer.encode([text], max_tokens=20).ids.tolist() == [[START, *words, END]]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("baseball_bat", ["baseball", "_", "bat"]),
        ("CAFÉ naïve", ["cafe", "naive"]),
        ("unaffable", ["una", "##ffa", "##ble"]),
        ("犬と猫", ["犬", "と", "[UNK]"]),
        ("x" * 101, ["[UNK]"]),
        ("the [MASK]", ["the", "[MASK]"]),
    ],
)
def test_words_are_cut_at_punctuation_and_into_the_longest_pieces(
    tokenizer: Tokenizer, text: str, pieces: list[str]
) -> None:
    assert tokenizer.pieces.encode(text).tokens == pieces


def test_a_long_text_is_cut_where_the_encoder_ends(tokenizer: Tokenizer) -> None:
    batch = tokenizer.encode(["dog " * 300, "dog"], max_tokens=200)

    assert batch.ids[0].tolist() == [START, *[3899] * 198, END]
    assert batch.ids[1, :4].tolist() == [START, 3899, END, 0]
    assert batch.valid.sum(1).tolist() == [200, 3]


@pytest.mark.parametrize("config", [MiniLmConfig(), tiny().text])
def test_each_text_encoder_gets_the_tokenizer_of_its_vocabulary(config: TextConfig) -> None:
    with torch.device("meta"):
        encoder = build_text_encoder(config)

    assert build_tokenizer(config).pieces.get_vocab_size() == config.vocabulary
    assert encoder.max_tokens == config.max_tokens


def published_state() -> dict[str, Tensor]:
    """Draw a published state of 30 positions."""
    torch.manual_seed(1)
    shapes = {"word": CONFIG.vocabulary, "position": 30, "token_type": 2}
    state = {f"embeddings.{n}_embeddings.weight": torch.randn(s, 16) for n, s in shapes.items()}
    state |= {f"embeddings.LayerNorm.{kind}": torch.randn(16) for kind in ("weight", "bias")}
    layer = MiniLmText(CONFIG).layers[0].state_dict()
    for number in range(CONFIG.num_layers):
        for name, value in layer.items():
            module, kind = name.rsplit(".", 1)
            published = f"encoder.layer.{number}.{LAYER_NAMES[module]}.{kind}"
            state[published] = torch.randn(value.shape)
    return state


def test_converted_weights_add_the_first_segment_to_the_positions_kept() -> None:
    state = published_state()
    converted = convert_minilm(dict(state), CONFIG)

    positions = converted["text_encoder.position_embedding.weight"]

    segment = state["embeddings.token_type_embeddings.weight"][0]
    expected = state["embeddings.position_embeddings.weight"][:20] + segment
    torch.testing.assert_close(positions, expected)


def test_a_missing_tensor_is_named() -> None:
    state = published_state()
    del state["encoder.layer.1.output.dense.bias"]

    with pytest.raises(
        ValueError, match=r"published weights lack encoder\.layer\.1\.output\.dense"
    ):
        convert_minilm(state, CONFIG)


@pytest.mark.slow  # the import of transformers
@torch.no_grad()
def test_converted_weights_compute_what_transformers_does(encoder: MiniLmText) -> None:
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 16, "intermediate_size": 32, "max_position_embeddings": 30}
    sizes |= {"num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.BertConfig(**sizes)
    theirs = transformers.BertModel(config, add_pooling_layer=False).eval()
    theirs.load_state_dict(published_state(), strict=False)  # but for the buffer of positions
    ours = convert_minilm(published_state(), CONFIG)
    encoder.load_state_dict({n.removeprefix("text_encoder."): v for n, v in ours.items()})
    ids, valid = random_texts()

    expected = theirs(input_ids=ids, attention_mask=valid.long()).last_hidden_state

    torch.testing.assert_close(encoder(ids, valid)[valid], expected[valid], rtol=1e-4, atol=1e-4)
