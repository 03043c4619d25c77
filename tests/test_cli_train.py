import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from glee.cli.main import main
from glee.config import lite, tiny
from glee.data.drawn import drawn_images
from glee.model.build import build_glee
from glee.model.weights import load_model, save_model
from glee.training.checkpoint import LAST
from glee.training.config import OptimizerConfig, ScheduleConfig, TrainConfig
from glee.training.log import FILE
from glee.training.recipe import Recipe
from glee.training.recipes import RECIPES
from glee.training.start import begin_from
from toy_training import losses_of, same_weights, start, toy_network, toy_source

TOY = Recipe(
    model=tiny(),
    config=TrainConfig(
        schedule=ScheduleConfig(steps=20, warmup=2),
        optimizer=OptimizerConfig(text=0.0),
        log_every=1,
    ),
    open=lambda _: [toy_source(drawn_images(4, side=64))],
    start="nothing",
)


@pytest.fixture
def toy_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPES, "toy", lambda: TOY)


def run(out: Path, *words: str, workers: int = 0) -> int:
    places = ["--data", "data", "--out", str(out), "--workers", str(workers)]
    return main(["train", "--recipe", "toy", *places, *words])


@pytest.mark.usefixtures("toy_recipe")
def test_a_recipe_is_trained_stopped_and_gone_on_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_model(tmp_path / "start.safetensors", toy_network(seed=5))
    words = ("--steps", "3", "--start", str(tmp_path / "start.safetensors"))

    assert run(tmp_path / "out", *words, "--until", "1") == 130
    assert run(tmp_path / "out", *words) == 0

    assert capsys.readouterr().out == f"{tmp_path / 'out' / 'model.safetensors'}\n"
    assert len(losses_of(tmp_path / "out")) == 3
    text = load_model(tmp_path / "out" / "model.safetensors").text_encoder.state_dict()
    start = toy_network(seed=5).text_encoder.state_dict()
    assert all(torch.equal(value, start[name]) for name, value in text.items())


@pytest.mark.usefixtures("toy_recipe")
def test_a_run_in_pieces_of_some_minutes_goes_on_at_the_exact_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--steps", "3")

    assert run(tmp_path / "whole", *words) == 0
    codes = [run(tmp_path / "pieces", *words, "--minutes", "0.000001") for _ in range(3)]

    assert codes == [130, 130, 0]  # each takes a step, however short the time
    assert "stopped after step 2; run again to go on" in capsys.readouterr().err
    assert losses_of(tmp_path / "pieces") == losses_of(tmp_path / "whole")
    assert same_weights(tmp_path / "pieces", tmp_path / "whole")


@pytest.mark.usefixtures("toy_recipe")
@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf"])
def test_minutes_that_are_none_are_refused(
    minutes: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, f"--minutes={minutes}") == 2

    assert "minutes must be more than 0" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def run_as_a_group(out: Path) -> None:
    """Train without end, as leader of a process group, and write stderr to a file."""
    os.setsid()
    multiprocessing.set_start_method("fork", force=True)  # workers are children of this process
    os.dup2(os.open(out / "stderr", os.O_CREAT | os.O_WRONLY), sys.stderr.fileno())
    RECIPES["toy"] = lambda: TOY
    sys.exit(run(out, "--steps", "100000", workers=2))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_all_processes_of_a_run_ends_it_cleanly(
    number: signal.Signals, tmp_path: Path
) -> None:
    process = start(run_as_a_group, tmp_path, alone=False)
    log = tmp_path / FILE
    deadline = time.monotonic() + 120
    while not (log.is_file() and log.read_text().count("\n") > 1):
        assert process.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.02)

    os.killpg(process.pid, number)
    process.join(60)

    message = (tmp_path / "stderr").read_text().splitlines()[-1]
    assert process.exitcode == 130, message
    assert "Traceback" not in (tmp_path / "stderr").read_text()
    kept = json.loads(log.read_text().splitlines()[-1])["step"]
    assert f"stopped after step {kept}; run again to go on" in message
    with pytest.raises(ProcessLookupError):  # no worker is left
        os.killpg(process.pid, 0)
    assert torch.load(tmp_path / LAST, weights_only=True)["step"] == kept


@pytest.mark.usefixtures("toy_recipe")
def test_another_run_in_the_same_folder_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--steps", "1") == 0

    assert run(tmp_path, "--steps", "2") == 2

    assert "belongs to another run" in capsys.readouterr().err


@pytest.mark.usefixtures("toy_recipe")
def test_a_run_does_not_go_on_with_other_frozen_weights_of_the_same_file_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start, other = tmp_path / "here" / "start.safetensors", tmp_path / "there" / "start.safetensors"
    for path, seed in ((start, 5), (other, 6)):
        path.parent.mkdir()
        save_model(path, toy_network(seed=seed))
    assert run(tmp_path / "out", "--steps", "2", "--until", "1", "--start", str(start)) == 130

    assert run(tmp_path / "out", "--steps", "2", "--start", str(other)) == 2

    assert "They differ in: frozen (" in capsys.readouterr().err
    other.write_bytes(start.read_bytes())
    assert run(tmp_path / "out", "--steps", "2", "--start", str(other)) == 0


@pytest.mark.usefixtures("toy_recipe")
def test_tensorboard_gets_all_numbers(tmp_path: Path) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

    assert run(tmp_path, "--steps", "2", "--tensorboard") == 0

    board = events.EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    assert [event.step for event in board.Scalars("loss")] == [1, 2]
    assert {"rate", "gradient_norm", "losses/drawn/mask"} <= set(board.Tags()["scalars"])


def test_a_recipe_without_its_data_names_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--recipe", "lite-stage1", "--data", str(tmp_path), "--out", "out"]

    assert main(words) == 1

    message = capsys.readouterr().err
    assert "objects365/zhiyuan_objv2_train.json" in message
    assert "https://www.objects365.org" in message


def test_weights_to_begin_with_must_be_of_the_same_sizes(tmp_path: Path) -> None:
    save_model(tmp_path / "tiny.safetensors", toy_network())
    with torch.device("meta"):
        model = build_glee(lite())

    with pytest.raises(ValueError, match="of other sizes"):
        begin_from(model, [tmp_path / "tiny.safetensors"])


def test_unknown_weights_to_begin_with_are_refused(tmp_path: Path) -> None:
    save_file({"weight": torch.ones(1)}, tmp_path / "other.safetensors")

    with pytest.raises(ValueError, match="must be those of MaskDINO"):
        begin_from(toy_network(), [tmp_path / "other.safetensors"])


@pytest.mark.slow
def test_torchrun_trains_in_two_processes(tmp_path: Path) -> None:
    script = tmp_path / "toy.py"
    script.write_text(
        "import sys, test_cli_train as t\n"
        "from glee.cli.main import main\n"
        "t.RECIPES['toy'] = lambda: t.TOY\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    paths = [str(Path(__file__).parent), *sys.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    words = ["train", "--recipe", "toy", "--data", "data", "--steps", "2", "--workers", "0"]

    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"),
            *(str(script), *words, "--out", str(tmp_path / "out"), "--shard"),
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )

    assert done.returncode == 0, done.stderr
    assert len(losses_of(tmp_path / "out")) == 2
    assert json.loads((tmp_path / "out" / "log.jsonl").read_text().split("\n")[0])["step"] == 1
