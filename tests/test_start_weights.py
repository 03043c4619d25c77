"""Weights that training begins with, in the layouts in which their authors publish them."""

import gzip
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from conftest import GOLDEN
from glee.cli.convert import SIZES
from glee.cli.main import main
from glee.config import GleeConfig, lite, plus, pro
from glee.model.build import build_glee
from glee.model.convert import convert_state
from glee.model.infer_config import infer_config
from glee.model.start import convert_start, load_start_weights
from glee.model.weights import load_model
from glee.training.start import begin_from

State = dict[str, Tensor]


@cache
def released(name: str) -> State:
    """Every entry of a released checkpoint, at its size but without memory of its own."""
    shapes = json.loads(gzip.decompress((GOLDEN / f"state_dict_{name}.json.gz").read_bytes()))
    return {
        key.removeprefix("glee."): torch.full((), 2.0).expand(shape)
        for key, shape in shapes.items()
    }


def entries(state: State, start: str) -> State:
    """The entries that begin with something, without it."""
    return {n.removeprefix(start): v for n, v in state.items() if n.startswith(start)}


def maskdino(state: State) -> State:
    """MaskDINO's own layout: all under sem_seg_head but the image encoder, with fixed classes."""
    theirs = {f"backbone.{n}": v for n, v in entries(state, "backbone.").items()}
    glee_only = r".*(vl_layers|_label_enc|bdd_|category_embed|confidence_score).*"
    for part in ("pixel_decoder.", "predictor."):
        own = {part + n: v for n, v in entries(state, part).items()}
        theirs |= {f"sem_seg_head.{n}": v for n, v in own.items() if not re.match(glee_only, n)}
    classes = {"class_embed.weight": torch.zeros(80, 256), "class_embed.bias": torch.zeros(80)}
    classes["label_enc.weight"] = torch.zeros(80, 256)
    return theirs | {f"sem_seg_head.predictor.{n}": v for n, v in classes.items()}


def swin() -> State:
    own = entries(released("plus"), "backbone.")
    own = {n: v for n, v in own.items() if not n.startswith("norm")}
    mask = {"layers.0.blocks.1.attn_mask": torch.zeros(4, 144, 144)}
    return own | mask | {"norm.weight": torch.zeros(8), "head.bias": torch.zeros(21841)}


def eva02() -> State:
    own = entries(released("pro"), "backbone.net.")
    extra = {"cls_token": torch.zeros(1, 1, 1024), "mask_token": torch.zeros(1, 1, 1024)}
    extra |= {"rope.freqs_cos": torch.zeros(196, 64), "norm.weight": torch.zeros(1024)}
    return own | extra | {"lm_head.weight": torch.zeros(8, 1024), "lm_head.bias": torch.zeros(8)}


def clip() -> State:
    own = entries(released("lite"), "text_encoder.")
    extra = {"logit_scale": torch.zeros(()), "text_projection.weight": torch.zeros(512, 512)}
    extra |= {"vision_model.pre_layrnorm.weight": torch.zeros(768)}
    numbers = {"text_model.embeddings.position_ids": torch.arange(77)[None]}
    return own | extra | numbers


@pytest.mark.parametrize(
    ("state", "config", "filled", "fresh"),
    [
        (
            lambda: maskdino(released("lite")),
            lite,
            r"(backbone|neck|pixel_decoder|query_selection|object_decoder)\..+"
            r"|heads\.(mask_features|mask|box|norm)\..+",
            r"(text_|early_fusion|template_encoder|point_sampler|heads\.(sim|conf)).*",
        ),
        (
            lambda: maskdino(released("lite")),
            plus,
            r"(pixel_decoder|query_selection|object_decoder)\..+"
            r"|heads\.(mask_features|mask|box|norm)\..+",
            r"(backbone|neck|text_|early_fusion|template_|point_|heads\.(sim|conf)).*",
        ),
        (swin, plus, r"backbone\.(?!norms).+", r"(?!backbone\.).+|backbone\.norms.+"),
        (eva02, pro, r"backbone\.(?!pyramid).+", r"(?!backbone\.).+|backbone\.pyramid.+"),
        (clip, lite, r"text_encoder\..+", r"(?!text_encoder\.).+"),
    ],
    ids=["maskdino to lite", "maskdino to plus", "swin", "eva02", "clip"],
)
def test_every_entry_goes_to_its_parameter(
    state: Callable[[], State], config: Callable[[], GleeConfig], filled: str, fresh: str
) -> None:
    start = convert_start(state(), config())

    assert all(re.fullmatch(filled, name) for name in start.weights)
    assert all(re.fullmatch(fresh, name) for name in start.fresh)
    with torch.device("meta"):
        assert start.weights.keys() | set(start.fresh) == build_glee(config()).state_dict().keys()


@pytest.fixture(scope="module")
def reduced(released_state: State) -> GleeConfig:
    """The configuration of a reduced Lite."""
    return infer_config(released_state)


def test_the_values_are_those_of_a_conversion(released_state: State, reduced: GleeConfig) -> None:
    converted = convert_state(released_state).weights

    start = convert_start(maskdino(released_state), reduced)

    for name, value in start.weights.items():
        assert torch.equal(value, converted[name]), name


def test_the_file_of_glees_authors_is_read_too(released_state: State, reduced: GleeConfig) -> None:
    theirs = {n.removeprefix("sem_seg_head."): v for n, v in maskdino(released_state).items()}

    start = convert_start(theirs, reduced)

    assert start.kind == "maskdino"
    assert "heads.mask.layers.0.weight" in start.weights


def test_a_network_gets_the_weights_and_keeps_the_rest(
    released_state: State, reduced: GleeConfig, tmp_path: Path
) -> None:
    model = build_glee(reduced)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.save({"model": maskdino(released_state)}, tmp_path / "maskdino.pth")
    save_file(entries(released_state, "text_encoder."), tmp_path / "clip.safetensors")
    bad = {**maskdino(released_state), FIRST: torch.zeros(3)}
    torch.save(bad, tmp_path / "bad.pth")

    with pytest.raises(ValueError, match="of another shape"):
        load_start_weights(model, tmp_path / "bad.pth")
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    start = load_start_weights(model, tmp_path / "maskdino.pth")
    text = load_start_weights(model, tmp_path / "clip.safetensors")

    after = model.state_dict()
    for name, value in {**start.weights, **text.weights}.items():
        assert torch.equal(after[name], value), name
    for name in set(start.fresh) & set(text.fresh):
        assert torch.equal(after[name], before[name]), name
    assert text.kind == "clip"


def test_a_command_writes_weights_to_start_with_and_says_what_stays_random(
    released_state: State,
    reduced: GleeConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(SIZES, "lite", lambda: reduced)
    torch.save({"model": maskdino(released_state)}, tmp_path / "maskdino.pth")
    save_file(entries(released_state, "text_encoder."), tmp_path / "clip.safetensors")
    sources = [str(tmp_path / name) for name in ("maskdino.pth", "clip.safetensors")]
    words = ["convert", "--start", "lite", *sources, str(tmp_path / "start.safetensors")]

    assert main(words) == 0
    assert main([*words[:-1], str(tmp_path / "again.safetensors")]) == 0

    printed = capsys.readouterr().out
    assert re.search(r"maskdino\.pth: \d+ tensors of maskdino\n", printed)
    assert "classifier of fixed classes" in printed
    assert re.search(r"tensors that stay random: .*early_fusion \d+", printed)
    assert "text_encoder" not in printed
    weights = load_model(tmp_path / "start.safetensors").state_dict()
    again = load_model(tmp_path / "again.safetensors").state_dict()
    converted = convert_state(released_state).weights
    name = "heads.mask.layers.0.weight"
    assert torch.equal(weights[name], converted[name])
    assert all(torch.equal(value, again[name]) for name, value in weights.items())
    trained = build_glee(reduced)
    begin_from(trained, [tmp_path / "start.safetensors"])
    assert torch.equal(trained.state_dict()[name], converted[name])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.pth", "b.pth"], "2 sources need --start SIZE"),
        (["--start", "lite", "--keep-training", "a.pth"], "is for released checkpoints"),
    ],
)
def test_options_of_a_conversion_that_do_not_go_together_are_refused(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", *words, "out.safetensors"]) == 2

    assert message in capsys.readouterr().err


FIRST = "sem_seg_head.predictor.enc_output.bias"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({FIRST: None}, r"missing: query_selection\.project\.bias$"),
        ({"sem_seg_head.surprise": torch.zeros(1)}, "does not know: surprise"),
        ({FIRST: torch.zeros(3)}, r"another shape: query_selection\.project\.bias \[3\] instead"),
        ({FIRST: torch.full((256,), torch.nan)}, r"NaN or infinity: query_selection\.project"),
        ({FIRST: torch.ones(256, dtype=torch.int64)}, r"another type: query_selection\.project"),
        (
            {"sem_seg_head.predictor.decoder.norm.bias": torch.ones(256)},
            r"copies of one shared tensor differ: predictor\.decoder\.?_?norm\.bias",
        ),
    ],
)
def test_what_does_not_fit_is_listed(
    changes: dict[str, Tensor | None], message: str, released_state: State, reduced: GleeConfig
) -> None:
    state = {n: v for n, v in (maskdino(released_state) | changes).items() if v is not None}

    with pytest.raises(ValueError, match=message):
        convert_start(state, reduced)


def test_weights_of_another_encoder_or_of_nothing_known_are_refused() -> None:
    with pytest.raises(ValueError, match="weights of swin do not suit this network, which has res"):
        convert_start(swin(), lite())
    with pytest.raises(ValueError, match=r"must be those of MaskDINO.*these have conv1\.weight"):
        convert_start({"conv1.weight": torch.zeros(1)}, lite())
