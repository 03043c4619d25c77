"""glee data scenes: a contact sheet of the corpus."""

from pathlib import Path

import pytest
from PIL import Image

from glee.cli.data_scenes import KINDS
from glee.cli.main import main
from glee.data.corpus.sheet import CELL, COLUMNS
from mini_packs import make_packs


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_packs(tmp_path_factory.mktemp("packs"))


@pytest.mark.parametrize("kind", KINDS)
def test_samples_of_each_kind_are_drawn(
    kind: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "sheet.png"

    code = main(
        ["data", "scenes", "--root", str(root), "--show", str(out), "--kind", kind, "--count", "2"]
    )

    assert code == 0
    assert capsys.readouterr().out.strip() == str(out)
    with Image.open(out) as sheet:
        assert sheet.width == COLUMNS * CELL
        assert len(sheet.getcolors(2**20) or ()) > 100


def test_missing_packs_are_a_failure_that_names_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["data", "scenes", "--root", str(tmp_path), "--show", str(tmp_path / "s.png")])

    assert code == 1
    error = capsys.readouterr().err
    assert "cutouts: lacks index.jsonl" in error
    assert "licence" in error
    assert not (tmp_path / "s.png").exists()


def test_a_missing_source_is_named_and_gone_without_if_allowed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_packs(tmp_path / "packs")
    (root / "cutouts" / "grocery-00.tar").unlink()
    arguments = ["data", "scenes", "--root", str(root), "--show", str(tmp_path / "s.png")]

    assert main([*arguments, "--count", "1"]) == 1
    assert main([*arguments, "--count", "1", "--allow-missing"]) == 0
    assert "grocery-00.tar" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [("--count", "0", "--count must be"), ("--misleading", "2", "misleading must be a share")],
)
def test_numbers_out_of_range_are_wrong_usage(
    option: str,
    value: str,
    message: str,
    root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["--root", str(root), "--show", str(tmp_path / "s.png"), "--kind", "expressions"]

    assert main(["data", "scenes", *words, option, value]) == 2
    assert message in capsys.readouterr().err
