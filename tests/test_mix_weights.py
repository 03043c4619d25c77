"""tools/mix_weights.py: sums of weights, with other shares for what cells are made of."""

import sys
from pathlib import Path

import pytest
import torch

import mix_weights
from glee.config import tiny
from glee.model.build import build_glee
from glee.model.weights import load_model, save_model

CELL, OTHER = "heads.similarity.weight", "heads.norm.weight"


def test_shares_of_cells_are_their_own() -> None:
    first, second = ({n: torch.full((2,), value) for n in (CELL, OTHER)} for value in (1.0, 2.0))

    mixed = mix_weights.mix([first, second], [0.25, 0.75], [1.0, 0.0])

    assert mixed[OTHER].tolist() == [1.75, 1.75]
    assert mixed[CELL].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("shares", [[0.5, 0.6], [1.0], [0.5, 0.25, 0.25]])
def test_shares_are_one_a_file_and_add_up_to_one(shares: list[float]) -> None:
    part = {OTHER: torch.zeros(2)}

    with pytest.raises(ValueError, match="2 shares must add up to one"):
        mix_weights.mix([part, part], shares, [0.5, 0.5])


def test_the_file_written_holds_the_mixed_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = [build_glee(tiny()), build_glee(tiny())]
    for name, model in zip("ab", models, strict=True):
        save_model(tmp_path / name, model)
    paths = [str(tmp_path / name) for name in "oab"]
    monkeypatch.setattr(sys, "argv", ["mix", paths[0], paths[1], "0.5", paths[2], "0.5"])

    mix_weights.main()

    mixed = load_model(tmp_path / "o").heads.mask.layers[0].weight
    first, second = (model.heads.mask.layers[0].weight for model in models)
    torch.testing.assert_close(mixed, (first + second) / 2)
