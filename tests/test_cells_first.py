"""The first stage of a small network: its cells alone, which start as a detector's predictions."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from glee.config import (
    ConceptsConfig,
    CspConfig,
    EfficientNetConfig,
    GleeConfig,
    MiniLmConfig,
    PairConfig,
    nano,
    tiny,
)
from glee.data.drawn import drawn_images
from glee.model.build import build_glee
from glee.model.weights import model_from_weights
from glee.training.config import CriterionConfig, OptimizerConfig
from glee.training.loop import Run, Trainer
from glee.training.nanodet import NanoDetHead, NanoDetOnPyramid
from glee.training.optimizer import CELL_PARTS, build_optimizer
from nano_start_cells import project_names, start_cells
from toy_training import toy_config, toy_network, toy_source


def few() -> GleeConfig:
    decoder = replace(tiny().object_decoder, cell_reach=True)
    return replace(tiny(), object_decoder=decoder, coarse_context=True)


def test_only_what_cells_are_made_of_learns_from_cells(tmp_path: Path) -> None:
    config = toy_config(
        2,
        cells_only=True,
        denoising=None,
        criterion=CriterionConfig(cells_per_object=2),
        optimizer=OptimizerConfig(rate=1e-3, text=0.0, backbone=0.0, clip_norm=1.0),
    )
    source = toy_source(drawn_images(4, side=64))
    run = Run(model=toy_network(few()), sources=[source], config=config, folder=tmp_path, workers=0)
    before = {name: value.clone() for name, value in run.model.state_dict().items()}

    trainer = Trainer(run)
    trainer.run_steps()

    changed = {n for n, value in trainer.model.state_dict().items() if (value != before[n]).any()}
    # The head of confidence is read, but without marks it only decays.
    changed = {name for name in changed if not name.startswith("heads.confidence.")}
    assert all(name.startswith(CELL_PARTS) for name in changed)
    assert {name.split(".")[0] for name in changed} >= {"neck", "query_selection", "heads"}


def test_pictures_of_objects_need_more_than_cells() -> None:
    with pytest.raises(ValueError, match="cells_only predicts no objects"):
        toy_config(2, cells_only=True, picture_every=1)


def test_what_cells_are_made_of_can_learn_at_a_rate_of_its_own() -> None:
    model = toy_network(few())
    config = OptimizerConfig(rate=1e-3, text=0.0, backbone=0.0, cells=0.25)

    optimizer = build_optimizer(model, config)

    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    own = {name: rates[id(p)] for name, p in model.named_parameters() if id(p) in rates}
    assert own["neck.levels.0.weight"] == own["heads.similarity.weight"] == 0.25e-3
    assert own["heads.mask.layers.0.weight"] == own["neck.lateral.conv.weight"] == 1e-3


def small_nano() -> GleeConfig:
    """Return nano with fewer channels."""
    backbone = PairConfig(
        words=EfficientNetConfig(stem_width=8, widths=(8,) * 7, depths=(1,) * 7),
        places=CspConfig(
            stem_width=4, depths=(1, 1, 1, 1), neck_width=16, has_neck=True, has_towers=True
        ),
        concepts=ConceptsConfig(num_classes=10, head_width=16, width=16),
    )
    text = MiniLmConfig(width=64, num_layers=1, num_heads=2, mlp_width=32)
    return replace(nano(), backbone=backbone, text=text, width=64)


@torch.no_grad()
def test_cells_start_as_what_a_detector_says_of_them() -> None:
    torch.manual_seed(0)
    config, num_names = small_nano(), 4
    head = NanoDetHead(16, num_names)
    published: dict[str, Tensor] = {}
    for level, layer in enumerate(head.predictors, start=3):
        nn.init.normal_(layer.weight, std=0.5)
        nn.init.normal_(layer.bias, mean=-2)
        published[f"head.pred.p{level}.weight"] = layer.weight
        published[f"head.pred.p{level}.bias"] = layer.bias
    known = torch.randn(100, 64)
    names = known[:num_names]
    weights = build_glee(config).state_dict()
    weights["text_projection.weight"] = project_names(known, config.width)
    weights["early_fusion.gain"].zero_()
    pixels = [torch.randn(1, 3, 96, 128) for _ in range(3)]

    model = model_from_weights(config, start_cells(config, weights, published, pixels, names))

    image = model.encode_image(pixels[0])
    content = model.unread_cells(image).content
    classes = (names @ model.text_projection.weight.T)[None]
    ours = model.heads.class_logits(content, classes)[0]
    # Those of stride 32, 16 and 8, behind those of stride 64, which the detector lacks.
    shapes = image.shapes
    counts = [h * w for h, w in shapes]
    starts = (8 + 16,) * 3
    scores, _ = NanoDetOnPyramid(head, starts)(pixels[0], model.backbone(pixels[0]))
    theirs = torch.cat(scores[0].split(counts[:3])[::-1])
    errors = (ours[-sum(counts[:3]) :].sigmoid() - theirs).abs()
    spread = theirs.std()
    assert errors.mean() < 0.2 * spread
