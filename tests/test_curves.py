import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glee.cli.main import main
from glee.training.curves import CURVES, DASHES, LEAST_LINES, _draw, draw_curves, leave_curves
from glee.training.history import TITLES, read_histories, running_mean
from glee.training.log import FILE
from glee.training.loop import train
from toy_training import toy_run


def line(step: int, **losses: dict[str, float | None]) -> dict[str, Any]:
    return {
        "step": step,
        "rate": 1e-3 / step,
        "images_per_second": 2.5,
        "gradient_norm": 10.0 * step,
        "loss": 20.0 - step,
        "losses": losses,
    }


def write_log(folder: Path, lines: Sequence[dict[str, Any]]) -> Path:
    folder.mkdir(parents=True)
    (folder / FILE).write_text("".join(json.dumps(one) + "\n" for one in lines))
    return folder


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """A run with two sources, one of which begins later, and two evaluations."""
    lines = [line(n, photos={"total": 9.0 + n, "mask": 1.0 * n, "tracking": 0.0}) for n in (1, 2)]
    lines += [{"step": 2, "evaluation": {"AP boxes": 0.25}}]
    lines += [line(3, photos={"total": 4.0, "mask": None}, clips={"total": 7.0, "mask": 3.0})]
    lines += [{"step": 3, "evaluation": {"AP boxes": 0.5}}]
    return write_log(tmp_path / "runs" / "first", lines)


@pytest.fixture
def second(tmp_path: Path) -> Path:
    return write_log(tmp_path / "runs" / "second", [line(n, photos={"mask": 5.0}) for n in (1, 2)])


def panels_of(folders: Sequence[Path]) -> dict[str, Any]:
    """Return the panels that are drawn, by title."""
    panels = {panel.get_title(): panel for panel in _draw(read_histories(folders)).axes}
    panels.pop("", None)
    return panels


def shown(panel: Any, *, alpha: float | None = None) -> list[tuple[list[int], list[float]]]:
    """Return the steps and values of a panel's lines: the faint ones, or all others."""
    lines = [one for one in panel.get_lines() if one.get_alpha() == alpha]
    return [(one.get_xdata().tolist(), one.get_ydata().tolist()) for one in lines]


def test_each_number_of_a_log_is_drawn_against_the_step(first: Path) -> None:
    panels = panels_of([first])

    assert [*panels] == [*TITLES.values(), "AP boxes", "all losses, by source", "mask"]
    assert shown(panels["loss, mean of all sources"], alpha=0.2) == [([1, 2, 3], [19, 18, 17])]
    assert shown(panels["norm of the gradients"]) == [([1, 2, 3], [10, 20, 30])]
    assert shown(panels["rate"]) == [([1, 2, 3], [1e-3, 1e-3 / 2, 1e-3 / 3])]
    assert shown(panels["AP boxes"]) == [([2, 3], [0.25, 0.5])]


def test_a_loss_has_a_line_for_each_source_without_what_is_not_finite(first: Path) -> None:
    panel = panels_of([first])["mask"]

    assert shown(panel) == [([1, 2], [1, 2]), ([3], [3])]
    colors = [one.get_color() for one in panel.get_lines() if one.get_alpha() is None]
    assert colors[0] != colors[1]


def test_several_runs_are_drawn_over_one_another_and_told_by_dashes(
    first: Path, second: Path
) -> None:
    figure = _draw(read_histories([first, second]))

    panels = {panel.get_title(): panel for panel in figure.axes}
    lines = [one for one in panels["mask"].get_lines() if one.get_alpha() is None]
    assert [one.get_linestyle() for one in lines] == ["-", "-", "--"]
    assert [one.get_ydata().tolist() for one in lines][2] == [5, 5]
    labels = [[text.get_text() for text in one.get_texts()] for one in figure.legends]
    assert labels == [["first", "second"], ["photos", "clips"]]


def test_the_smoothed_line_is_the_mean_of_the_tenth_of_the_log_around_each_point(
    tmp_path: Path,
) -> None:
    lines = [{**line(n + 1), "loss": float(n % 2)} for n in range(40)]
    folder = write_log(tmp_path / "run", lines)

    (drawn,) = shown(panels_of([folder])["loss, mean of all sources"])
    (fewer,) = shown(panels_of([write_log(tmp_path / "fewer", lines[:4])])[TITLES["loss"]])

    assert drawn[1][:4] == pytest.approx([1 / 3, 2 / 4, 2 / 5, 3 / 5])  # two on either side
    assert fewer[1] == pytest.approx([1 / 2, 1 / 3, 2 / 3, 1 / 2])
    np.testing.assert_allclose(running_mean(np.array([1.0, 5.0]), 0), [1, 5])


def test_what_spans_decades_has_a_logarithmic_axis(tmp_path: Path) -> None:
    folder = write_log(tmp_path / "run", [line(1), line(100)])

    panels = panels_of([folder])

    assert panels["norm of the gradients"].get_yscale() == "log"
    assert panels["images per second"].get_yscale() == "linear"


def test_the_command_draws_one_run_in_its_folder_and_several_here(
    first: Path,
    second: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(first.parent)

    assert main(["train", "plot", "first"]) == 0
    assert main(["train", "plot", "first", str(second)]) == 0
    assert main(["train", "plot", "first", "--out", "pictures/one.svg"]) == 0

    assert capsys.readouterr().out.split() == ["first/curves.png", "curves.png", "pictures/one.svg"]
    assert (first.parent / "pictures" / "one.svg").read_text().startswith("<?xml")
    with Image.open(first / CURVES) as alone, Image.open(CURVES) as both:
        assert alone.size[0] == both.size[0] > 1000
        assert alone.tobytes() != both.tobytes()


def no_folder(root: Path) -> list[str]:
    return [str(root / "nowhere")]


def empty_log(root: Path) -> list[str]:
    return [str(write_log(root / "empty", []))]


def damaged_log(root: Path) -> list[str]:
    folder = write_log(root / "damaged", [])
    (folder / FILE).write_text('{"step": 1, "lo\n{"step": 2, "loss": 1.0}\n')
    return [str(folder)]


def other_file(root: Path) -> list[str]:
    folder = write_log(root / "other", [])
    (folder / FILE).write_text('["no step"]\n{}\n')
    return [str(folder)]


def one_twice(root: Path) -> list[str]:
    folder = write_log(root / "run", [line(1)])
    return [str(folder), str(folder / ".." / "run")]


def too_many(root: Path) -> list[str]:
    return [str(write_log(root / f"{n}", [line(1)])) for n in range(len(DASHES) + 1)]


def other_kind(root: Path) -> list[str]:
    return [str(write_log(root / "run", [line(1)])), "--out", str(root / "curves.jpg")]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (no_folder, 1, "nowhere has no log.jsonl; give a folder that glee train or glee finetune"),
        (empty_log, 2, "holds no numbers yet: a run writes its losses every few steps"),
        (damaged_log, 2, "log.jsonl, line 1 is not JSON"),
        (other_file, 2, "line 1 has no step: it is no line of a run's log"),
        (one_twice, 2, "a run is given twice"),
        (too_many, 2, "give 1 to 6 runs, got 7"),
        (other_kind, 2, "a picture must be one of .png, .svg, .pdf, got 'curves.jpg'"),
    ],
)
def test_what_cannot_be_drawn_is_said(
    words: Callable[[Path], list[str]],
    code: int,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["train", "plot", *words(tmp_path)]) == code

    said = capsys.readouterr().err
    assert said.startswith("glee train plot: error: ")
    assert message in said
    assert not list(tmp_path.rglob("curves.*"))


def test_without_matplotlib_the_command_says_what_supplies_it(
    first: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    assert main(["train", "plot", str(first)]) == 1

    assert 'needs matplotlib: pip install "glee-vision[plot]"' in capsys.readouterr().err


def test_the_log_of_a_run_that_is_just_writing_is_drawn_without_its_last_line(first: Path) -> None:
    with (first / FILE).open("a") as file:
        file.write('{"step": 4, "lo')

    assert shown(panels_of([first])["norm of the gradients"]) == [([1, 2, 3], [10, 20, 30])]


def test_runs_of_one_name_are_called_by_their_paths(tmp_path: Path, first: Path) -> None:
    other = write_log(tmp_path / "other" / "first", [line(1)])

    assert [run.name for run in read_histories([first, other])] == [str(first), str(other)]
    assert [run.name for run in read_histories([first])] == ["first"]


def test_a_run_leaves_its_curves_when_it_has_logged_enough(tmp_path: Path) -> None:
    train(toy_run(tmp_path / "short", LEAST_LINES - 1))
    with pytest.raises(KeyboardInterrupt):
        train(replace(toy_run(tmp_path / "stopped", 100), until=LEAST_LINES))

    assert not (tmp_path / "short" / CURVES).exists()
    assert (tmp_path / "stopped" / CURVES).read_bytes().startswith(b"\x89PNG")


def test_curves_that_cannot_be_drawn_do_not_end_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_log(tmp_path / "run", [{"step": n} for n in range(LEAST_LINES)])

    leave_curves(folder)
    assert "no learning curves: " in capsys.readouterr().err

    monkeypatch.setattr("glee.training.curves.find_spec", lambda _: None)
    leave_curves(folder)
    leave_curves(tmp_path / "nowhere")
    assert capsys.readouterr().err == ""


def test_the_function_draws_what_the_command_draws(first: Path) -> None:
    assert main(["train", "plot", str(first)]) == 0
    drawn = (first / CURVES).read_bytes()

    draw_curves([first], first / "again.png")

    assert (first / "again.png").read_bytes() == drawn
