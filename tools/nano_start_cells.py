"""Cells of GLEE-Nano that start as what a detector predicts, said in the space of texts.

The detector's predictors are linear in maps that nano's image encoder gives, and so are the
projections of nano's neck: folded into them, each cell holds the detector's prediction, turned into
a random basis, beside a constant that keeps its length. A map from there to the text embeddings of
the detector's names is found by weighted least squares.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from glee.config import GleeConfig, PairConfig
from glee.model.glee import GLEE
from glee.model.weights import model_from_weights

LEVELS = 3  # of the detector, strides 8, 16 and 32
CONSTANT = 2.0
"""Length of the constant in each direction that is left, in shares of that of a mean prediction."""

OTHERS = 0.1
"""Factor of the first weights of all that cells read beside the detector's maps."""

RIDGE_CELLS, RIDGE_NAMES = 1.0, 1e-2
LEAST_WEIGHT = 0.02
"""Of a cell that the detector takes for background; of others it is their score."""

NAMES_LENGTH = 6.0
"""Mean length of a name's embedding at the network's width."""

Tensors = dict[str, Tensor]


def project_names(embeddings: Tensor, width: int) -> Tensor:
    """Return the projection [width, C] that keeps most of text embeddings [K, C]."""
    _, _, basis = torch.linalg.svd(embeddings, full_matrices=False)
    projection = basis[:width]
    length = (embeddings @ projection.T).norm(dim=1).mean()
    return projection * (NAMES_LENGTH / length)


def predictors(published: Tensors) -> list[tuple[Tensor, Tensor]]:
    """Return the detector's last layers, weight [P, C] and bias [P] of each level."""
    return [
        (published[f"head.pred.p{level}.weight"].flatten(1), published[f"head.pred.p{level}.bias"])
        for level in range(3, 3 + LEVELS)
    ]


@torch.no_grad()
def start_cells(
    config: GleeConfig,
    weights: Tensors,
    published: Tensors,
    pixels: Sequence[Tensor],
    names: Tensor,
) -> Tensors:
    """Return the weights with cells that hold the detector's predictions.

    published  the detector's weights
    pixels     images [1, 3, H, W] on which predictions are measured
    names      [K, C] the detector's names at the width of the text encoder
    """
    model = model_from_weights(config, weights)
    layers = predictors(published)
    maps = [model.backbone(each).maps[1:] for each in pixels]
    towers = [[one[:, _tower(config, n)] for n, one in enumerate(own)] for own in maps]
    said = [
        torch.cat([w @ own[n].flatten(2)[0] + b[:, None] for own in towers], dim=1)
        for n, (w, b) in enumerate(layers)
    ]  # [P, N] each
    every = torch.cat(said, dim=1)
    mean, spread = every.mean(1), every.std()
    basis = _basis(config.width)
    turned = basis[:, : len(mean)]
    length = ((every - mean[:, None]) / spread).norm(dim=0).mean()
    constant = CONSTANT * length * basis[:, len(mean) :].sum(1)
    for n, (weight, bias) in enumerate(layers):
        own = f"neck.levels.{n}"
        weights[f"{own}.weight"] *= OTHERS
        weights[f"{own}.weight"][:, _tower(config, n), 0, 0] = turned @ weight / spread
        weights[f"{own}.bias"] = turned @ (bias - mean) / spread + constant
    for name in [n for n in weights if n.startswith(("neck.context.", "neck.coarser."))]:
        weights[name] = weights[name] * OTHERS
    # Where the detector has no level nothing is found.
    weights["neck.coarser.0.bias"] = (
        turned @ (_nothing(every, len(names)) - mean) / spread + constant
    )
    weights["query_selection.project.weight"] = torch.eye(config.width)
    weights["query_selection.project.bias"].zero_()
    model = model_from_weights(config, weights)
    weights["heads.similarity.weight"] = _similarity(model, layers, pixels, names)
    return weights


def _similarity(
    model: GLEE, layers: Sequence[tuple[Tensor, Tensor]], pixels: Sequence[Tensor], names: Tensor
) -> Tensor:
    """Fit what turns cells into texts, so that similarities are the detector's logits."""
    cells, logits = [], []
    for each in pixels:
        image = model.encode_image(each)
        content = model.unread_cells(image).content[0]
        maps = model.backbone(each).maps[1:]
        for n in reversed(range(len(layers))):
            weight, bias = layers[n]
            tower = maps[n][0, _tower(model.config, n)].flatten(1)
            logits.append((weight @ tower + bias[:, None]).T[:, : len(names)])
        count = sum(h * w for h, w in image.shapes[: len(layers)])
        cells.append(content[-count:])
    x, y = torch.cat(cells).double(), torch.cat(logits).double()
    weight = y.sigmoid().amax(1).clamp(min=LEAST_WEIGHT).sqrt()[:, None]
    gram = (weight * x).T @ (weight * x) + RIDGE_CELLS * torch.eye(x.shape[1])
    fit = torch.linalg.solve(gram, (weight * x).T @ (weight * y))  # [C, K]
    texts = (names @ model.text_projection.weight.T).double() * model.heads.similarity_scale
    ridge = RIDGE_NAMES * texts.square().sum(1).mean() * torch.eye(len(texts))
    back = torch.linalg.solve(texts @ texts.T + ridge, texts)  # [K, C]
    found = x @ fit @ back @ texts.T
    error = ((found - y).abs() * weight).sum() / (weight.sum() * y.shape[1])
    print(f"logits of the detector differ by {error:.3f} in the mean")
    return (fit @ back).T.float()


def _nothing(predictions: Tensor, num_names: int) -> Tensor:
    """Return the mean prediction [P] of the half of the cells that look least like an object."""
    best = predictions[:num_names].amax(0)
    return predictions[:, best <= best.median()].mean(1)


def _basis(width: int) -> Tensor:
    """Return orthonormal columns [width, width - 1], all without a mean: norms remove it."""
    ones = torch.ones(width, 1) / width**0.5
    draw = torch.randn(width, width - 1)
    return torch.linalg.qr(draw - ones @ (ones.T @ draw)).Q


def _tower(config: GleeConfig, level: int) -> slice:
    """Return where the detector's last map lies among the channels of a level, finest first."""
    if not isinstance(config.backbone, PairConfig):
        raise TypeError("nano has a pair of encoders")
    start = config.backbone.words.out_widths[1 + level] + config.backbone.places.neck_width
    return slice(start, start + config.backbone.places.neck_width)
