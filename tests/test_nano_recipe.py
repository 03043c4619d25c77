"""The recipes of nano on a miniature of its packs, by the same code as `glee train`."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glee.cli.main import main
from glee.config import GleeConfig, MiniLmConfig, VisualPromptConfig, nano
from glee.data.feed import Feed
from glee.inference.preprocess import normalise
from glee.model.weights import load_model
from glee.training.log import read_log
from glee.training.nano import LABELS, TEACHER, nano_sources
from glee.training.recipes import RECIPES, find_recipe
from mini_packs import make_packs
from mini_teacher import write_teacher


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a data root with all that the recipes read."""
    packs = make_packs(tmp_path / "packs")
    sure = {"id": 1, "image_id": 1, "category_id": 3, "bbox": [2, 10, 20, 30], "score": 0.9}
    photo = {"id": 1, "file_name": "1.jpg", "height": 48, "width": 64, "neg_category_ids": [1]}
    names = [{"id": 1, "name": "person"}, {"id": 3, "name": "dog"}]
    content = {"images": [photo], "annotations": [sure], "categories": names}
    (packs / LABELS).write_text(json.dumps(content))
    return packs


@pytest.fixture
def _small_recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("nano-cells", "nano"):
        recipe = find_recipe(name)
        recipe = replace(recipe, model=small(), config=replace(recipe.config, log_every=1))
        monkeypatch.setitem(RECIPES, name, lambda recipe=recipe: recipe)


def small() -> GleeConfig:
    """Return nano with its image encoders, which the teacher reads, and little else."""
    return replace(
        nano(),
        glances=None,
        text=MiniLmConfig(num_layers=1, mlp_width=64),
        visual_prompts=VisualPromptConfig(template_size=64, max_points=16, negative_points=True),
        object_decoder=replace(nano().object_decoder, num_layers=1, num_queries=20),
    )


def train(recipe: str, root: Path, out: Path, *words: str) -> dict[str, dict[str, float]]:
    """Train a step by the command and return its losses by source."""
    places = ["--data", str(root), "--out", str(out), "--workers", "0"]
    assert main(["train", "--recipe", recipe, *places, "--steps", "1", *words]) == 0
    (line,) = (line for line in read_log(out) if "loss" in line)
    return line["losses"]


def test_every_source_of_nano_gives_images_with_objects(root: Path) -> None:
    sources = nano_sources(root, root / LABELS)

    for source in sources:
        batch = Feed([source], nano().resize, normalise, seed=0, fail_fast=True)[0].batch
        assert sum(len(truth) for truth in batch.truth), source.name
        assert batch.names or batch.expressions
        assert batch.frames == (2 if source.name == "clips" else 1)


@pytest.mark.usefixtures("_small_recipes")
def test_nano_is_trained_on_its_cells_and_then_on_everything(root: Path, tmp_path: Path) -> None:
    write_teacher(root / TEACHER)

    cells = train("nano-cells", root, tmp_path / "cells")
    start = str(tmp_path / "cells" / "model.safetensors")
    every = train("nano", root, tmp_path / "nano", "--start", start)

    for losses, wanted in ((cells, "cells_semantic"), (every, "mask")):
        (own,) = losses.values()
        assert np.isfinite(list(own.values())).all()
        assert own[wanted] > 0
        assert own["taught_semantic"] > 0
    assert load_model(tmp_path / "nano" / "model.safetensors").config == small()


def test_all_that_a_data_root_lacks_is_named_at_once(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / LABELS).unlink()
    (root / "backgrounds" / "index.jsonl").unlink()

    code = main(["train", "--recipe", "nano", "--data", str(root), "--out", "out"])

    said = capsys.readouterr().err
    assert code == 1
    assert all(word in said for word in ("backgrounds", LABELS, "make_pseudo_labels", str(TEACHER)))
