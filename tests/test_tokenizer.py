from pathlib import Path

import pytest
import torch
from tokenizers import decoders

from glee.config import ClipTextConfig
from glee.model.text.tokenizer import Tokenizer, clip_tokenizer

START, END = 49406, 49407


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return clip_tokenizer()


def ids_of(tokenizer: Tokenizer, text: str) -> list[int]:
    return tokenizer.encode([text], max_tokens=77).ids[0].tolist()


# Ids that appear in the documentation and examples of CLIP and Stable Diffusion.
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a photo of a cat", [320, 1125, 539, 320, 2368]),
        ("a photo of an astronaut", [320, 1125, 539, 550, 18376]),
        ("hello world!", [3306, 1002, 256]),
        ("", []),
    ],
)
def test_published_ids_are_reproduced(tokenizer: Tokenizer, text: str, words: list[int]) -> None:
    assert ids_of(tokenizer, text) == [START, *words, END]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("baseball_bat", ["baseball</w>", "_</w>", "bat</w>"]),
        ("bat_(animal)", ["bat</w>", "_(</w>", "animal</w>", ")</w>"]),
        ("the dog's toys", ["the</w>", "dog</w>", "'s</w>", "toys</w>"]),
        ("2023 cars", ["2</w>", "0</w>", "2</w>", "3</w>", "cars</w>"]),
    ],
)
def test_punctuation_and_digits_are_words_of_their_own(
    tokenizer: Tokenizer, text: str, pieces: list[str]
) -> None:
    assert tokenizer.pieces.encode(text).tokens == pieces


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("A Photo of a CAT", "a photo of a cat"),
        ("  a\tphoto \n of\u00a0a   cat ", "a photo of a cat"),
        ("cafe\u0301 ÅNGSTRÖM", "café ångström"),
    ],
)
def test_case_spaces_and_composition_do_not_matter(
    tokenizer: Tokenizer, text: str, same: str
) -> None:
    assert ids_of(tokenizer, text) == ids_of(tokenizer, same)


@pytest.mark.parametrize("text", ["😀", "犬と猫", "naïve-façade", "\x00", "👩\u200d👧"])
def test_any_unicode_can_be_read_back_from_its_tokens(tokenizer: Tokenizer, text: str) -> None:
    tokens = tokenizer.pieces.encode(text).tokens
    joined = "".join(tokens).replace("</w>", "")
    assert decoders.ByteLevel().decode([joined]) == text


def test_vocabulary_is_as_large_as_the_embedding_table(tokenizer: Tokenizer) -> None:
    assert tokenizer.pieces.get_vocab_size() == ClipTextConfig().vocabulary
    assert (tokenizer.start, tokenizer.end, tokenizer.padding) == (START, END, END)


def test_a_special_token_spelled_out_is_that_token(tokenizer: Tokenizer) -> None:
    assert ids_of(tokenizer, "cat<|endoftext|>") == [START, 2368, END, END]


def test_a_long_text_loses_its_last_words_and_keeps_its_end(tokenizer: Tokenizer) -> None:
    batch = tokenizer.encode(["dog " * 80 + "cat"], max_tokens=77)
    dog = ids_of(tokenizer, "dog")[1]
    assert batch.ids[0].tolist() == [START, *[dog] * 75, END]
    assert batch.valid.all()


def test_a_batch_is_padded_to_its_longest_text(tokenizer: Tokenizer) -> None:
    batch = tokenizer.encode(["a photo of a cat", "cat"], max_tokens=77)
    assert batch.ids[1].tolist() == [START, 2368, END, END, END, END, END]
    assert batch.valid.tolist() == [[True] * 7, [True] * 3 + [False] * 4]


def test_a_batch_can_be_padded_further(tokenizer: Tokenizer) -> None:
    batch = tokenizer.encode(["cat"], max_tokens=77, pad_to=77)
    assert batch.ids.tolist() == [[START, 2368, END] + [END] * 74]
    assert batch.valid.tolist() == [[True] * 3 + [False] * 74]


def test_no_texts_give_an_empty_batch(tokenizer: Tokenizer) -> None:
    batch = tokenizer.encode([], max_tokens=77, pad_to=77)
    assert batch.ids.shape == batch.valid.shape == (0, 77)
    assert (batch.ids.dtype, batch.valid.dtype) == (torch.int64, torch.bool)


def test_max_tokens_without_room_for_start_and_end_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match=r"max_tokens must be at least 2 \(start and end\), got 1"):
        tokenizer.encode(["cat"], max_tokens=1)


@pytest.mark.slow  # the import of transformers
def test_ids_and_mask_equal_those_of_transformers(tokenizer: Tokenizer, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    tokenizer.pieces.model.save(str(tmp_path))
    theirs = transformers.CLIPTokenizerFast.from_pretrained(tmp_path)
    texts = [
        "",
        "It's THE dog's we'll",
        "bat_(animal)",
        "a<|endoftext|>b",
        "日本の犬 😀",
        "x" * 400,
    ]
    texts += [
        "'''s ''re",
        "\u017ftreet İstanbul ½ ²",
        "e\u0301\u3000\u200bé",
        "12,000.5#@!",
        "dog " * 99,
    ]

    expected = theirs(
        texts, padding="max_length", truncation=True, max_length=77, return_tensors="pt"
    )
    batch = tokenizer.encode(texts, max_tokens=77, pad_to=77)

    assert torch.equal(batch.ids, expected["input_ids"])
    assert torch.equal(batch.valid, expected["attention_mask"].bool())
