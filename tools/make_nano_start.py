"""Write the weights that GLEE-Nano starts from: published encoders, all else at random.

    python tools/make_nano_start.py PRETRAINED PHOTOS CLASSES.txt OUT.safetensors [--seed 0]

PRETRAINED is a folder with three others, each with a weights.safetensors:
- efficientnet_lite0: EfficientNet-Lite0 with its classifier (Apache-2.0, Google, tensorflow/tpu),
  batch norms beside the convolutions, eps 1e-3, for pixels (x - 127) / 128;
- nanodet: NanoDet-g (Apache-2.0, RangiLyu/nanodet), whose head is left out;
- minilm_l6: sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), with its vocab.txt.
PHOTOS is a folder of photos, on which the spread of each channel of the encoders is measured, so
that what follows starts from channels of one scale. CLASSES.txt names what the classifier knows,
a line of names for each class (see imagenet_names.py); those that hold a word kept out of training
are left out. Every tensor must be known and fit; the file written loads with `load_model`.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from glee.config import EfficientNetConfig, GleeConfig, MiniLmConfig, PairConfig, nano
from glee.data.corpus.words import HELD_OUT_WORDS
from glee.images import load_image
from glee.inference.preprocess import PIXEL_MEAN, PIXEL_STD, preprocess
from glee.model.backbones.csp import convert_csp
from glee.model.build import build_glee
from glee.model.text.clip import encode_texts
from glee.model.text.minilm import MiniLmText
from glee.model.text.tokenizer import wordpiece_tokenizer
from glee.model.weights import check_fit, list_names, model_from_weights, save_weights
from glee.training.nanodet import COCO_NAMES
from nano_start_cells import project_names, start_cells

ORIGIN = (
    "EfficientNet-Lite0, NanoDet-g and all-MiniLM-L6-v2, all Apache-2.0; all else initial, "
    "seed {seed}"
)

# A class that may not be told of never wins.
NEVER = -1e4
PHOTOS_MEASURED = 32
# Logit of the first confidences.
RARE = -4.0
NORM_EPS = 1e-3
# Residual branches, and their last layers.
BRANCHES = ("early_fusion.", "pixel_decoder.layers.", "object_decoder.layers.", "heads.mask.")
ADDERS = ("early_fusion.out.", "attention.out.", ".feed_forward.reduce.", "heads.mask.layers.2.")
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
        ours |= {f"{target}.weight": weight, f"{target}.bias": bias}
    weight = ours["stem.conv.weight"]
    std, mean = torch.tensor(PIXEL_STD), torch.tensor(PIXEL_MEAN)
    offset = (weight.sum((2, 3)) * (mean - TRUNK_MEAN) / TRUNK_STD).sum(1)
    ours["stem.conv.weight"] = weight * (std / TRUNK_STD)[:, None, None]
    ours["stem.conv.bias"] = ours["stem.conv.bias"] + offset
    return ours


def convert_classifier(published: Tensors, embeddings: Tensor) -> Tensors:
    """Return the weights of `Concepts`, with an embedding [K, C] of each class.

    `published` is emptied of what is used. Classes whose embedding is zero never win.
    """
    weight, bias = _fold_norm(published, "head")
    unknown = ~embeddings.any(dim=1)
    return {
        "head.weight": weight,
        "head.bias": bias,
        "classes.weight": _take(published, "classifier.weight")[:, :, None, None],
        "classes.bias": _take(published, "classifier.bias").masked_fill(unknown, NEVER),
        "embeddings": embeddings,
    }


@torch.no_grad()
def embed_classes(lines: Sequence[str], text: MiniLmText) -> Tensor:
    """Return the mean embedding [K, C] of the names of each class, zero for those kept out."""
    tokenizer, rows = wordpiece_tokenizer(), []
    for line in lines:
        names = [name.strip() for name in line.split(",")]
        tokens = encode_texts(text, tokenizer, names)
        row = torch.stack([own.mean(0) for own in tokens]).mean(0)
        kept_out = any(word in line.lower() for word in HELD_OUT_WORDS)
        rows.append(torch.zeros_like(row) if kept_out else F.normalize(row, dim=0))
    return torch.stack(rows)


@torch.no_grad()
def even_out(weights: Tensors, config: GleeConfig, photos: Sequence[Path]) -> Tensors:
    """Divide what reads the encoders' channels by the spread that these have on photos."""
    model = model_from_weights(config, weights)
    maps = [model.backbone(preprocess(load_image(p), config.resize)[0][None]).maps for p in photos]
    spread = [
        torch.cat([each[level].flatten(2) for each in maps], dim=2).std(dim=(0, 2)).clamp(min=1e-3)
        for level in range(len(maps[0]))
    ]
    readers = {"neck.lateral.conv": spread[0], "neck.coarser.0": spread[-1]}
    readers |= {f"neck.levels.{n}": each for n, each in enumerate(spread[1:])}
    readers |= {f"neck.context.{n}": spread[-1] for n in range(len(spread) - 2)}
    readers |= {f"template_encoder.levels.{n}": each for n, each in enumerate(spread[1:])}
    scaled = {f"{n}.weight": weights[f"{n}.weight"] / s[:, None, None] for n, s in readers.items()}
    return weights | scaled


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
    # What is to be learned later adds nothing yet: cells are what the encoders see, masks are
    # ellipses, and queries are the cells that they come from.
    for name in weights:
        if name.startswith(BRANCHES) and any(part in name for part in ADDERS):
            weights[name].zero_()
    # Nearly every mark should be denied; without this the first steps only learn that.
    confidence = [name for name in weights if name.startswith("heads.confidence.")]
    weights[confidence[-1]].fill_(RARE)
    return weights


@torch.no_grad()
def teach_start(
    weights: Tensors, config: GleeConfig, pretrained: Path, photos: Sequence[Path]
) -> Tensors:
    """Return the weights with cells that start as NanoDet-g's predictions."""
    text = model_from_weights(config, weights).text_encoder
    tokenizer = wordpiece_tokenizer()
    classes = weights["backbone.concepts.embeddings"]
    names = torch.stack([own.mean(0) for own in encode_texts(text, tokenizer, list(COCO_NAMES))])
    known = torch.cat([names, classes[classes.any(1)] * names.norm(dim=1).mean()])
    weights["text_projection.weight"] = project_names(known, config.width)
    pixels = [preprocess(load_image(photo), config.resize)[0][None] for photo in photos]
    return start_cells(config, weights, _read(pretrained / "nanodet"), pixels, names)


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


def nano_encoders(pretrained: Path, classes: Sequence[str], config: PairConfig) -> Tensors:
    """Return the weights of all encoders by our names.

    Raises ValueError if the published tensors are not those expected.
    """
    image, places, text = (
        _read(pretrained / name) for name in ("efficientnet_lite0", "nanodet", "minilm_l6")
    )
    text_weights = convert_minilm(text, MiniLmConfig())
    reader = MiniLmText(MiniLmConfig())
    prefix = "text_encoder."
    reader.load_state_dict({n.removeprefix(prefix): v for n, v in text_weights.items()})
    parts = {
        "words": convert_efficientnet(image, config.words),
        "concepts": convert_classifier(image, embed_classes(classes, reader.eval())),
        "places": convert_csp(places, config.places),
    }
    _check_used_up(image, pretrained / "efficientnet_lite0")
    _check_used_up(text, pretrained / "minilm_l6")
    _check_vocabulary(pretrained / "minilm_l6")
    return text_weights | {
        f"backbone.{part}.{name}": value
        for part, own in parts.items()
        for name, value in own.items()
    }


def main() -> None:
    """Read the folders named on the command line and write the weight file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pretrained", type=Path, help="folder of the three encoders")
    parser.add_argument("photos", type=Path, help="folder of .jpg photos")
    parser.add_argument("classes", type=Path, help="names of the classifier's classes (.txt)")
    parser.add_argument("out", type=Path, help="weight file to write (.safetensors)")
    parser.add_argument("--seed", type=int, default=0, help="of the parts that start at random")
    options = parser.parse_args()
    config = replace(nano(), glances=None)
    if not isinstance(config.backbone, PairConfig):
        raise AssertionError("nano has a pair of encoders")
    lines = options.classes.read_text(encoding="utf-8").splitlines()
    weights = nano_start(
        config, nano_encoders(options.pretrained, lines, config.backbone), seed=options.seed
    )
    photos = sorted(options.photos.glob("*.jpg"))[:PHOTOS_MEASURED]
    weights = even_out(weights, config, photos)
    weights = teach_start(weights, config, options.pretrained, photos)
    save_weights(options.out, config, weights, origin=ORIGIN.format(seed=options.seed))
    print(f"{options.out}: {sum(value.numel() for value in weights.values()):,} numbers")


if __name__ == "__main__":
    main()
