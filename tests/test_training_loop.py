import json
import math
import os
import random
import re
import shutil
import signal
import threading
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glee.data.drawn import drawn_images, write_coco
from glee.data.readers.coco import read_coco
from glee.model.weights import load_model
from glee.training.checkpoint import LAST, load_checkpoint
from glee.training.interruption import interruptible
from glee.training.log import FILE, LEFT_OUT, Log, read_evaluations, read_log
from glee.training.loop import MODEL, Run, Trainer, train
from glee.training.pictures import FOLDER
from toy_training import losses_of, same_weights, start, toy_network, toy_run, toy_source, train_toy


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of six steps that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    train(toy_run(folder, 6, ema=0.9))
    return folder


def test_a_run_that_stops_at_every_step_has_the_losses_and_weights_of_one_that_does_not(
    whole: Path, tmp_path: Path
) -> None:
    for step in (1, 3, 4):
        with pytest.raises(KeyboardInterrupt, match=f"stopped after step {step}"):
            train(replace(toy_run(tmp_path, 6, ema=0.9), until=step))

    train(toy_run(tmp_path, 6, ema=0.9))

    assert losses_of(tmp_path) == losses_of(whole)
    assert same_weights(tmp_path, whole)


def test_pieces_shorter_than_a_line_of_the_log_lose_no_step_of_it(
    whole: Path, tmp_path: Path
) -> None:
    for step in (2, 3, 6):
        run = toy_run(tmp_path, 6, ema=0.9, log_every=5)
        with pytest.raises(KeyboardInterrupt) if step < 6 else nullcontext():
            train(replace(run, until=step))

    steps = [line["step"] for line in read_log(tmp_path) if "loss" in line]
    means = losses_of(tmp_path)
    assert steps == [2, 3, 5, 6]
    expected = [float(np.mean(losses_of(whole)[a:b])) for a, b in ((0, 2), (2, 3), (3, 5), (5, 6))]
    assert means == pytest.approx(expected, rel=1e-6)


def kill_and_resume(folder: Path, steps: int, kills: int, seed: int) -> int:
    """Train in processes that are killed at random moments; return how many were."""
    chance, killed = random.Random(seed), 0
    while killed < kills:
        before = len(losses_of(folder)) if (folder / FILE).is_file() else 0
        process = start(train_toy, folder, steps, {})
        wanted = min(before + chance.randint(1, 3), steps - 1)
        while process.is_alive() and (
            not (folder / FILE).is_file() or len((folder / FILE).read_text().split("\n")) <= wanted
        ):
            time.sleep(0.005)
        time.sleep(chance.random() * 0.1)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        killed += process.exitcode == -signal.SIGKILL
        if (folder / MODEL).is_file():
            break
    train_toy(folder, steps, {})
    return killed


@pytest.mark.parametrize(("steps", "kills"), [(8, 2), pytest.param(80, 20, marks=pytest.mark.slow)])
def test_a_run_killed_at_random_moments_loses_nothing(
    steps: int, kills: int, tmp_path: Path
) -> None:
    train_toy(tmp_path / "whole", steps, {})

    killed = kill_and_resume(tmp_path / "killed", steps, kills, seed=steps)

    assert killed == kills
    assert losses_of(tmp_path / "killed") == losses_of(tmp_path / "whole")
    assert same_weights(tmp_path / "killed", tmp_path / "whole")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_after_its_step_with_a_checkpoint(
    number: signal.Signals, tmp_path: Path
) -> None:
    run = toy_run(tmp_path, 50, save_every=0, validate_every=2)
    run = replace(run, evaluate=lambda _: os.kill(os.getpid(), number) or {"AP": 0.0})
    before = signal.getsignal(number)

    with pytest.raises(KeyboardInterrupt, match="stopped after step 2"):
        train(run)

    found = load_checkpoint(tmp_path, "{}")
    assert found is not None
    assert found.step == 2
    assert signal.getsignal(number) is before


def test_signals_that_come_together_count_as_one_and_a_later_one_acts_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with interruptible() as interrupted:
        assert not interrupted()
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupted()

    monkeypatch.setattr("glee.training.interruption.TOGETHER", 0.0)
    with interruptible():
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)


def test_training_works_outside_of_the_main_thread(tmp_path: Path) -> None:
    thread = threading.Thread(target=train, args=(toy_run(tmp_path, 1),))

    thread.start()
    thread.join()

    assert (tmp_path / MODEL).is_file()


def test_the_same_batches_come_from_worker_processes(whole: Path, tmp_path: Path) -> None:
    train(replace(toy_run(tmp_path, 6, ema=0.9), workers=2))

    assert losses_of(tmp_path) == losses_of(whole)


def test_the_best_network_of_all_evaluations_is_kept_also_over_an_interruption(
    tmp_path: Path,
) -> None:
    def part(until: int, *values: float) -> Run:
        left = iter(values)
        run = toy_run(tmp_path / "best", 6, save_every=1, validate_every=1)
        return replace(run, evaluate=lambda _: {"AP": next(left)}, best_by="AP", until=until)

    with pytest.raises(KeyboardInterrupt):
        train(part(3, 0.1, 0.4, math.nan))
    returned = train(part(6, 0.3, 0.2, 0.4))

    with pytest.raises(KeyboardInterrupt):
        train(replace(toy_run(tmp_path / "second", 6), until=2))
    second = Trainer(toy_run(tmp_path / "second", 6))
    second.resume()
    expected = second.snapshot().state_dict()
    written = load_model(tmp_path / "best" / MODEL).state_dict()
    for name, value in returned.state_dict().items():
        assert torch.equal(value, expected[name])
        assert torch.equal(value, written[name])


def test_a_run_is_judged_after_its_last_step_too(tmp_path: Path) -> None:
    run = toy_run(tmp_path, 3, validate_every=2)

    train(replace(run, evaluate=lambda _: {"AP": 0.0}))

    assert read_evaluations(tmp_path) == [(2, {"AP": 0.0}), (3, {"AP": 0.0})]


def test_the_best_network_of_an_older_run_in_a_folder_is_not_taken(tmp_path: Path) -> None:
    run = toy_run(tmp_path, 1, validate_every=1)
    train(replace(run, evaluate=lambda _: {"AP": 0.5}, best_by="AP"))
    (tmp_path / LAST).unlink()

    run = toy_run(tmp_path, 2, validate_every=2)
    train(replace(run, evaluate=lambda _: {"AP": math.nan}, best_by="AP"))

    train(toy_run(tmp_path / "second", 2))
    assert same_weights(tmp_path, tmp_path / "second")


def test_the_number_that_says_what_is_best_must_be_there(tmp_path: Path) -> None:
    run = toy_run(tmp_path, 1, validate_every=1)

    with pytest.raises(ValueError, match="best_by is 'AP', but evaluations give AR"):
        train(replace(run, evaluate=lambda _: {"AR": 0.0}, best_by="AP"))
    with pytest.raises(ValueError, match="best_by is 'AP', but nothing is evaluated"):
        replace(run, best_by="AP")


def test_a_checkpoint_goes_on_with_its_own_run_only(tmp_path: Path) -> None:
    train(replace(toy_run(tmp_path, 1), describe='{"recipe": "one"}'))

    with pytest.raises(ValueError, match=r"differ in: recipe \('one', now 'two'\)"):
        train(replace(toy_run(tmp_path, 1), describe='{"recipe": "two"}'))


def test_the_file_of_a_run_is_the_network_it_returns(tmp_path: Path) -> None:
    returned = train(toy_run(tmp_path, 2, ema=0.5))

    loaded = load_model(tmp_path / MODEL).state_dict()

    assert all(torch.equal(value, loaded[name]) for name, value in returned.state_dict().items())


def test_the_last_checkpoint_alone_gives_the_network_in_another_folder(
    whole: Path, tmp_path: Path
) -> None:
    shutil.copy(whole / LAST, tmp_path / LAST)

    train(toy_run(tmp_path, 6, ema=0.9))

    assert same_weights(tmp_path, whole)
    assert not (tmp_path / FILE).exists()  # no step was taken


def test_the_rate_that_is_logged_is_that_of_the_schedule_whatever_learns_more_slowly(
    tmp_path: Path,
) -> None:
    run = toy_run(tmp_path, 4)
    slow = replace(run.config.optimizer, backbone=0.1, cells=0.5)

    train(replace(run, config=replace(run.config, optimizer=slow)))

    rates = [line["rate"] for line in read_log(tmp_path)]
    assert rates[2:] == pytest.approx([slow.rate] * 2, rel=1e-12)


def test_frozen_encoders_stay_as_they_were(tmp_path: Path) -> None:
    run = toy_run(tmp_path, 2)
    run = replace(
        run, config=replace(run.config, optimizer=replace(run.config.optimizer, backbone=0))
    )

    trained = train(run).state_dict()

    start = toy_network().state_dict()
    changed = {name.split(".")[0] for name in start if not torch.equal(start[name], trained[name])}
    assert "heads" in changed
    assert not changed & {"backbone", "text_encoder"}


def test_averaged_weights_are_what_is_written(tmp_path: Path) -> None:
    trainer = Trainer(toy_run(tmp_path, 1, ema=0.9))
    name = next(iter(trainer.learning))
    start = trainer.learning[name].detach().clone()
    trainer.resume()
    trainer.run_steps()

    written = trainer.finish().state_dict()[name]

    # After the first step averages keep (1 + 1) / (10 + 1) of what was before it.
    expected = start * 2 / 11 + trainer.learning[name].detach() * 9 / 11
    torch.testing.assert_close(written, expected)


def test_two_batches_a_step_give_the_mean_of_their_gradients(tmp_path: Path) -> None:
    def gradients(steps_at_once: int, start_at: int) -> list[torch.Tensor]:
        run = toy_run(tmp_path, 2, accumulate=steps_at_once)
        trainer = Trainer(run)
        batches = trainer._batches()
        for _ in range(start_at):
            next(batches)
        for part in range(steps_at_once):
            trainer._learn(next(batches), last=part == steps_at_once - 1)
        return [
            torch.zeros_like(p) if p.grad is None else p.grad for p in trainer.learning.values()
        ]

    together, first, second = gradients(2, 0), gradients(1, 0), gradients(1, 1)

    for both, one, other in zip(together, first, second, strict=True):
        torch.testing.assert_close(both, (one + other) / 2, rtol=1e-4, atol=1e-6)


def test_recomputed_activations_change_nothing(whole: Path, tmp_path: Path) -> None:
    train(toy_run(tmp_path, 6, ema=0.9, activation_checkpointing=True))

    assert losses_of(tmp_path) == losses_of(whole)
    assert same_weights(tmp_path, whole)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_lower_precision_has_nearly_the_same_losses(
    precision: str, whole: Path, tmp_path: Path
) -> None:
    train(toy_run(tmp_path, 6, ema=0.9, precision=precision))

    lower, full = losses_of(tmp_path), losses_of(whole)
    assert lower[0] != full[0]
    assert lower[0] == pytest.approx(full[0], rel=0.05)


def test_a_run_that_diverges_says_so(tmp_path: Path) -> None:
    run = toy_run(tmp_path, 20)
    with torch.no_grad():
        run.model.heads.mask_features.weight.fill_(torch.inf)

    with pytest.raises(FloatingPointError, match="the training has diverged"):
        train(run)


def test_pictures_show_truth_and_predictions_side_by_side(tmp_path: Path) -> None:
    train(toy_run(tmp_path, 3, picture_every=2))

    pictures = sorted((tmp_path / FOLDER).iterdir())
    assert [path.name for path in pictures] == ["0000000.jpg", "0000002.jpg"]
    with Image.open(pictures[0]) as picture:
        assert picture.size == (64 + 4 + 64, 64)


def test_the_log_is_json_and_what_could_not_be_judged_comes_back_as_nan(tmp_path: Path) -> None:
    Log(tmp_path, main=True).evaluation(1, {"AP": math.nan})

    assert json.loads((tmp_path / FILE).read_text()) == {"step": 1, "evaluation": {"AP": None}}
    ((_, numbers),) = read_evaluations(tmp_path)
    assert math.isnan(numbers["AP"])


def test_lines_of_steps_that_were_lost_are_removed_from_the_log(tmp_path: Path) -> None:
    lines = ['{"step": 0}', '{"step": 1}', '{"step": 2}', '{"step": 3, "lo']
    (tmp_path / FILE).write_text("\n".join(lines))

    Log(tmp_path, main=True).begin(1)

    assert read_log(tmp_path) == [{"step": 0}, {"step": 1}]


def test_a_run_without_a_checkpoint_begins_its_log_anew(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"step": 0}\n')

    Log(tmp_path, main=True).begin(0)

    assert read_log(tmp_path) == []


def test_a_run_stops_if_too_many_samples_are_bad(tmp_path: Path) -> None:
    samples = drawn_images(4)
    broken = replace(
        samples.samples[0], frames=(replace(samples.samples[0].frames[0], image=b"no"),)
    )
    some = replace(samples, samples=(broken, *samples.samples[1:]))
    run = toy_run(tmp_path, 400)
    run = Run(
        model=run.model, sources=[toy_source(some)], config=run.config, folder=tmp_path, workers=0
    )

    with pytest.raises(ValueError, match="entries are bad"):
        train(run)


def test_what_could_not_be_used_is_counted_and_named_in_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = drawn_images(3)
    frame = replace(samples.samples[0].frames[0], image=tmp_path / "lost.png")
    broken = replace(samples.samples[0], frames=(frame,))
    some = replace(samples, samples=(broken, *samples.samples[1:]))
    run = replace(toy_run(tmp_path, 4), sources=[toy_source(some)])

    train(run)

    text = (tmp_path / LEFT_OUT).read_text()
    assert re.match(r"in training up to step 4: \d+ of \d+ entries left out\n", text)
    assert "lost.png" in text
    assert f"see {tmp_path / LEFT_OUT}" in capsys.readouterr().err


def test_a_source_of_which_too_much_is_left_out_is_refused(tmp_path: Path) -> None:
    path = write_coco(drawn_images(4), tmp_path)
    content = json.loads(path.read_text())
    content["annotations"][0]["bbox"] = [200, 200, 10, 10]  # outside
    path.write_text(json.dumps(content))
    source = toy_source(read_coco(path, tmp_path / "images"))

    with pytest.raises(ValueError, match=r"drawn: 6\.2% of the entries are bad"):
        train(replace(toy_run(tmp_path, 1), sources=[source]))
