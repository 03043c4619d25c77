"""Write the weights that GLEE-Nano starts from: published encoders, all else at random.

    python tools/make_nano_start.py EFFICIENTNET MINILM OUT.safetensors [--seed 0]

EFFICIENTNET is a folder with EfficientNet-Lite0 (Apache-2.0, Google, tensorflow/tpu) in a
weights.safetensors: batch norms beside the convolutions, eps 1e-3, for pixels (x - 127) / 128.
MINILM is a folder with weights.safetensors and vocab.txt of sentence-transformers/all-MiniLM-L6-v2
(Apache-2.0). Every tensor must be known and fit; the file written loads with `load_model`.
"""

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from glee.config import EfficientNetConfig, GleeConfig, MiniLmConfig, nano
from glee.inference.preprocess import PIXEL_MEAN, PIXEL_STD
from glee.model.build import build_glee
from glee.model.text.tokenizer import wordpiece_tokenizer
from glee.model.weights import check_fit, list_names, save_weights

ORIGIN = "EfficientNet-Lite0 and all-MiniLM-L6-v2, both Apache-2.0; all else initial, seed {seed}"

# EfficientNet's classifier, and what stands before it alone.
UNUSED_IMAGE = ("head.", "head_bn.", "classifier.")
NORM_EPS = 1e-3
# The published trunk reads (x - 127) / 128.
TRUNK_MEAN, TRUNK_STD = 127.0, 128.0

# Of one layer: our names and those of the published MiniLM.
LAYER_NAMES = {
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.out": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "expand": "intermediate.dense",
    "reduce": "output.dense",
    "mlp_norm": "output.LayerNorm",
}

Tensors = dict[str, Tensor]


def convert_efficientnet(published: Tensors, config: EfficientNetConfig) -> Tensors:
    """Return the trunk by our names, norms and GLEE's input normalisation folded in.

    `published` is emptied of what is used. The outermost pixels differ a little from the
    published trunk's, which pads with the grey 127; ours pads with the mean colour of ImageNet.
    """
    ours: Tensors = {}
    for source, target in _convolutions(config):
        weight, bias = _fold_norm(published, source)
        ours |= {f"backbone.{target}.weight": weight, f"backbone.{target}.bias": bias}
    weight = ours["backbone.stem.conv.weight"]
    std, mean = torch.tensor(PIXEL_STD), torch.tensor(PIXEL_MEAN)
    offset = (weight.sum((2, 3)) * (mean - TRUNK_MEAN) / TRUNK_STD).sum(1)
    ours["backbone.stem.conv.weight"] = weight * (std / TRUNK_STD)[:, None, None]
    ours["backbone.stem.conv.bias"] = ours["backbone.stem.conv.bias"] + offset
    return ours


def convert_minilm(published: Tensors, config: MiniLmConfig) -> Tensors:
    """Return the text encoder by our names; `published` is emptied of what is used."""
    take = partial(_take, published)
    segment = take("embeddings.token_type_embeddings.weight")[0]
    positions = take("embeddings.position_embeddings.weight")[: config.max_tokens]
    ours = {
        "token_embedding.weight": take("embeddings.word_embeddings.weight"),
        "position_embedding.weight": positions + segment,
    }
    names = {"norm": "embeddings.LayerNorm"} | {
        f"layers.{layer}.{target}": f"encoder.layer.{layer}.{source}"
        for layer in range(config.num_layers)
        for target, source in LAYER_NAMES.items()
    }
    for target, source in names.items():
        ours |= {f"{target}.{kind}": take(f"{source}.{kind}") for kind in ("weight", "bias")}
    return {f"text_encoder.{name}": value for name, value in ours.items()}


def nano_start(config: GleeConfig, encoders: Tensors, *, seed: int) -> Tensors:
    """Return all weights of a network that starts from given encoders.

    Raises ValueError that lists names and shapes if these do not fit.
    """
    torch.manual_seed(seed)
    weights = build_glee(config).state_dict()
    own = {name for name in weights if name.split(".")[0] in ("backbone", "text_encoder")}
    weights = {name: value for name, value in weights.items() if name not in own} | encoders
    check_fit(config, weights)
    return weights


def _convolutions(config: EfficientNetConfig) -> Iterator[tuple[str, str]]:
    """Yield the published and our name of each convolution that has a norm behind it."""
    yield "stem", "stem.conv"
    number = 0
    for stage, depth in enumerate(config.depths):
        for block in range(depth):
            theirs, ours = f"blocks.{number}", f"stages.{stage}.{block}"
            if number:  # the first block does not expand
                yield f"{theirs}.expand", f"{ours}.expand"
            yield f"{theirs}.depthwise", f"{ours}.depthwise.conv"
            yield f"{theirs}.project", f"{ours}.project"
            number += 1


def _fold_norm(published: Tensors, name: str) -> tuple[Tensor, Tensor]:
    """Take a convolution and its norm, and return weight and bias of the one that does both."""
    take = partial(_take, published)
    scale = take(f"{name}_bn.weight") * (take(f"{name}_bn.running_var") + NORM_EPS).rsqrt()
    shift = take(f"{name}_bn.bias") - take(f"{name}_bn.running_mean") * scale
    return take(f"{name}.weight") * scale[:, None, None, None], shift


def _take(published: Tensors, name: str) -> Tensor:
    if name not in published:
        raise ValueError(f"the published weights lack {name}")
    return published.pop(name)


def _read(folder: Path) -> Tensors:
    """Read a folder's weights in float32, as which they are meant though stored as float16."""
    return {
        name: value.float() for name, value in load_file(folder / "weights.safetensors").items()
    }


def _check_used_up(left: Tensors, folder: Path) -> None:
    if left:
        raise ValueError(f"{folder} holds tensors that are not known: {list_names(sorted(left))}")


def _check_vocabulary(folder: Path) -> None:
    """Refuse a text encoder that was trained with other token ids than our tokenizer gives."""
    ids = wordpiece_tokenizer().pieces.get_vocab()
    words = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
    if {word: index for index, word in enumerate(words)} != ids:
        raise ValueError(f"{folder / 'vocab.txt'} is not the vocabulary that glee ships")


def main() -> None:
    """Read both folders named on the command line and write the weight file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("efficientnet", type=Path, help="folder of EfficientNet-Lite0")
    parser.add_argument("minilm", type=Path, help="folder of all-MiniLM-L6-v2")
    parser.add_argument("out", type=Path, help="weight file to write (.safetensors)")
    parser.add_argument("--seed", type=int, default=0, help="of the parts that start at random")
    options = parser.parse_args()
    image, text = _read(options.efficientnet), _read(options.minilm)
    encoders = convert_efficientnet(image, EfficientNetConfig())
    encoders |= convert_minilm(text, MiniLmConfig())
    left = {name: value for name, value in image.items() if not name.startswith(UNUSED_IMAGE)}
    _check_used_up(left, options.efficientnet)
    _check_used_up(text, options.minilm)
    _check_vocabulary(options.minilm)
    weights = nano_start(nano(), encoders, seed=options.seed)
    save_weights(options.out, nano(), weights, origin=ORIGIN.format(seed=options.seed))
    print(f"{options.out}: {sum(value.numel() for value in weights.values()):,} numbers")


if __name__ == "__main__":
    main()
