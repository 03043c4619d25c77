import json
import math
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import glee
from glee.cli.main import main
from glee.config import ResizeConfig, lite, nano, tiny
from glee.data.drawn import drawn_images, write_coco
from glee.data.schema import Samples
from glee.data.transforms import MultiScale, ScaleJitter
from glee.evaluation.own_data import judge_samples
from glee.inference.predictor import Predictor
from glee.model.glee import GLEE
from glee.model.weights import load_model, model_from_weights, save_model
from glee.training.config import CriterionConfig, DenoisingConfig
from glee.training.finetune import (
    FinetuneConfig,
    Finetuned,
    augmentation,
    finetune,
    split_folder,
    tuning_config,
)
from glee.training.lora import add_low_rank, plain_weights
from glee.training.nano import nano_config
from toy_training import toy_network


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five drawn images in COCO's format."""
    folder = tmp_path_factory.mktemp("shapes")
    write_coco(drawn_images(5, side=64), folder)
    return folder


class ByName:
    """Judges nothing; gives the numbers it was given, those of names in the order of calls."""

    def __init__(self, *values: float) -> None:
        self.values, self.asked = list(values), list[tuple[str, ...]]()

    def __call__(self, model: GLEE, samples: Samples, names: Sequence[str]) -> Mapping[str, float]:
        self.asked.append(tuple(names))
        return {"AP boxes": self.values[len(self.asked) - 1]}


def tune(folder: Path, out: Path, judge: ByName, config: FinetuneConfig) -> Finetuned:
    return finetune(toy_network(), folder, out, judge, config, device="cpu")


@pytest.mark.parametrize(
    ("mode", "parts"),
    [
        ("head", {"heads"}),
        ("lora", {"heads", "early_fusion", "pixel_decoder", "object_decoder"}),
        ("full", {name.split(".")[0] for name, _ in toy_network().named_parameters()}),
    ],
)
def test_only_what_a_mode_names_learns(
    mode: str, parts: set[str], folder: Path, tmp_path: Path
) -> None:
    start = toy_network().state_dict()

    tuned = tune(folder, tmp_path, ByName(0, 1), FinetuneConfig(mode=mode, steps=1, rank=2))

    state = tuned.model.state_dict()
    changed = {n.split(".")[0] for n in start if not torch.equal(start[n], state[n])}
    unused = {"template_encoder", "point_sampler"}  # nothing is marked
    assert changed == parts - unused


def test_the_tuned_network_is_loaded_like_any_other(folder: Path, tmp_path: Path) -> None:
    tuned = tune(folder, tmp_path, ByName(0, 1), FinetuneConfig(steps=1))

    loaded = load_model(tmp_path / "model.safetensors").state_dict()

    assert all(torch.equal(value, loaded[n]) for n, value in tuned.model.state_dict().items())
    predictor = glee.load(tmp_path / "model.safetensors", device="cpu")
    assert predictor.model.config.object_decoder == tiny().object_decoder


def test_names_that_are_held_out_are_judged_and_a_fall_is_reported(
    folder: Path, tmp_path: Path
) -> None:
    judge = ByName(0.2, 0.5, 0.6, 0.4)  # before, held out before, after, held out after

    tuned = tune(folder, tmp_path, judge, FinetuneConfig(steps=1, hold_out=("disc",)))

    assert judge.asked == [("square", "triangle"), ("disc",)] * 2
    assert (tuned.before, tuned.after) == ({"AP boxes": 0.2}, {"AP boxes": 0.6})
    assert tuned.warnings[0].startswith("AP boxes of names not trained on fell from 0.500 to 0.400")
    assert len(tuned.warnings) == 1


@pytest.mark.parametrize(("masks", "said"), [(0.495, 0), (0.4, 1)])
def test_masks_that_get_much_worse_are_a_warning(
    masks: float, said: int, folder: Path, tmp_path: Path
) -> None:
    found = iter([{"AP boxes": 0.2, "AP masks": 0.5}, {"AP boxes": 0.3, "AP masks": masks}])
    config = FinetuneConfig(steps=1)

    tuned = finetune(toy_network(), folder, tmp_path, lambda *_: next(found), config, device="cpu")

    assert len(tuned.warnings) == said
    assert all(one.startswith("AP masks fell from 0.500 to 0.400") for one in tuned.warnings)


def test_without_held_out_names_nothing_is_said_of_them(folder: Path, tmp_path: Path) -> None:
    tuned = tune(folder, tmp_path, ByName(0.5, 0.6), FinetuneConfig(steps=1))

    assert tuned.held_out_before == tuned.held_out_after == {}
    assert tuned.warnings == ()
    assert tuned.images == (4, 1)


def test_the_network_that_is_best_on_the_images_judged_is_kept(
    folder: Path, tmp_path: Path
) -> None:
    judge = ByName(0.2, 0.3, 0.5, 0.4)  # before, and after each of three steps

    tuned = tune(folder, tmp_path, judge, FinetuneConfig(steps=3))

    assert (tuned.step, tuned.steps, tuned.after) == (2, 3, {"AP boxes": 0.5})
    assert tuned.warnings == ()


def test_a_tuning_that_does_no_good_keeps_the_network_as_it_was_and_says_so(
    folder: Path, tmp_path: Path
) -> None:
    start = toy_network().state_dict()

    tuned = tune(folder, tmp_path, ByName(0.3, 0.1, 0.3), FinetuneConfig(steps=2))

    written = load_model(tmp_path / "model.safetensors").state_dict()
    assert all(torch.equal(value, written[name]) for name, value in start.items())
    assert (tuned.step, tuned.after) == (0, tuned.before)
    assert tuned.warnings[0].startswith("no step of the tuning raised AP boxes")


def test_where_nothing_can_be_judged_the_last_network_is_kept(folder: Path, tmp_path: Path) -> None:
    tuned = tune(folder, tmp_path, ByName(*[math.nan] * 3), FinetuneConfig(steps=2))

    assert tuned.step == 2


def test_a_tuning_that_goes_on_keeps_what_was_best_before(folder: Path, tmp_path: Path) -> None:
    class Stopping(ByName):
        def __call__(self, *arguments: object) -> Mapping[str, float]:
            if len(self.asked) == 2:
                os.kill(os.getpid(), signal.SIGINT)
            return super().__call__(*arguments)

    config = FinetuneConfig(steps=3)
    with pytest.raises(KeyboardInterrupt):
        tune(folder, tmp_path, Stopping(0.2, 0.6, 0.3), config)

    tuned = tune(folder, tmp_path, ByName(0.2, 0.4), replace(config, bad_share=0.5))

    assert (tuned.step, tuned.after) == (1, {"AP boxes": 0.6})


@pytest.mark.parametrize(
    ("changes", "what"), [({"seed": 1}, "model"), ({"images": 6}, r"images \(4, now 5\)")]
)
def test_a_tuning_of_another_network_or_of_more_images_does_not_go_on_from_this_one(
    changes: Mapping[str, int], what: str, folder: Path, tmp_path: Path
) -> None:
    config = FinetuneConfig(steps=1)
    tune(folder, tmp_path / "out", ByName(0, 1), config)
    write_coco(drawn_images(changes.get("images", 5), side=64), tmp_path / folder.name)
    model = toy_network(seed=changes.get("seed", 0))

    with pytest.raises(ValueError, match=f"differ in: {what}"):
        finetune(
            model, tmp_path / folder.name, tmp_path / "out", ByName(0, 1), config, device="cpu"
        )


def test_all_names_cannot_be_held_out(folder: Path, tmp_path: Path) -> None:
    config = FinetuneConfig(hold_out=("disc", "square", "triangle"))

    with pytest.raises(ValueError, match="hold_out has all names"):
        tune(folder, tmp_path, ByName(), config)


def test_a_folder_is_split_the_same_way_every_time(folder: Path) -> None:
    first, second = (split_folder(folder, share=0.4, seed=3) for _ in range(2))

    keys = [[part[n].key for n in range(len(part))] for part in (*first, *second)]
    assert [len(own) for own in keys] == [3, 2, 3, 2]
    assert keys[:2] == keys[2:]
    assert not set(keys[0]) & set(keys[1])


def test_a_folder_that_is_split_stays_so(tmp_path: Path) -> None:
    for split, count in (("train", 3), ("val", 2)):
        write_coco(drawn_images(count, side=64), tmp_path / split)

    learned, judged = split_folder(tmp_path, share=0.5, seed=0)

    assert (len(learned), len(judged)) == (3, 2)


def test_one_image_is_too_few(tmp_path: Path) -> None:
    write_coco(drawn_images(1, side=64), tmp_path)

    with pytest.raises(ValueError, match="has 1 images; at least 2"):
        split_folder(tmp_path, share=0.5, seed=0)


def test_images_that_are_both_trained_and_judged_on_are_a_warning(tmp_path: Path) -> None:
    path = write_coco(drawn_images(3, side=64), tmp_path)
    content = json.loads(path.read_text())
    for split, images in (("train", content["images"]), ("val", content["images"][:1])):
        kept = {image["id"] for image in images}
        annotations = [one for one in content["annotations"] if one["image_id"] in kept]
        part = {**content, "images": images, "annotations": annotations}
        (tmp_path / f"{split}.json").write_text(json.dumps(part))
    path.unlink()

    tuned = tune(tmp_path, tmp_path / "out", ByName(0, 1), FinetuneConfig(steps=1))

    assert tuned.warnings[0].startswith("1 of 1 images to judge on are trained on, too, such as")


def damage(folder: Path) -> None:
    """Split a folder, and break one of its images to judge on and one box to learn."""
    for split, count in (("train", 7), ("val", 2)):
        write_coco(drawn_images(count, side=64), folder / split)
    (folder / "val" / "images" / "0001.png").write_bytes(b"no image")
    path = folder / "train" / "annotations.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["bbox"] = [200, 200, 10, 10]
    path.write_text(json.dumps(content))


def test_damaged_images_and_boxes_are_left_out_and_named(tmp_path: Path) -> None:
    damage(tmp_path)
    config = FinetuneConfig(steps=1, bad_share=0.2)

    tuned = tune(tmp_path, tmp_path / "out", ByName(0, 1), config)

    assert tuned.images == (7, 1)
    boxes, images = tuned.warnings
    assert boxes.startswith("1 of 28 entries left out")
    assert images.startswith("1 of 9 entries left out")
    assert "0001.png" in images


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (FinetuneConfig(bad_share=0.1), "11.1% of the entries are bad"),
        (FinetuneConfig(bad_share=0.01), "3.6% of the entries are bad"),
        (FinetuneConfig(fail_fast=True), "box outside its image"),
    ],
)
def test_too_much_damage_stops_before_anything_is_learned(
    config: FinetuneConfig, message: str, tmp_path: Path
) -> None:
    damage(tmp_path)

    with pytest.raises(ValueError, match=message):
        tune(tmp_path, tmp_path / "out", ByName(), config)

    assert not (tmp_path / "out").exists()


def test_steps_follow_from_the_number_of_images() -> None:
    def steps(images: int) -> int:
        return tuning_config(FinetuneConfig(batch_size=4), images, tiny()).schedule.steps

    # Twenty times all images, four at a time, within 200 and 5000.
    assert (steps(10), steps(100), steps(10_000)) == (200, 500, 5000)


def test_a_network_is_tuned_by_the_losses_that_it_was_trained_by() -> None:
    small, released = (tuning_config(FinetuneConfig(), 10, one()) for one in (nano, lite))

    assert small.criterion == replace(nano_config(steps=1).criterion, cell_distillation=0.0)
    assert small.denoising is None
    assert (released.criterion, released.denoising) == (CriterionConfig(), DenoisingConfig())


@pytest.mark.parametrize("rate", [0.0, math.nan, math.inf])
def test_a_rate_that_is_none_is_not_the_default(rate: float) -> None:
    with pytest.raises(ValueError, match=rf"rate \({rate}\)"):
        tuning_config(FinetuneConfig(rate=rate), 10, tiny())


@pytest.mark.parametrize(
    ("command", "data"), [("finetune", ["tiny.safetensors", "shapes"]), ("train", ["--data", "d"])]
)
def test_devices_and_folders_that_are_none_are_refused_before_all_else(
    command: str,
    data: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    save_model(tmp_path / "tiny.safetensors", toy_network())
    (tmp_path / "file").touch()
    words = [command, *data, *(["--recipe", "nano"] if command == "train" else [])]

    assert main([*words, "--out", "out", "--device", "mps:7"]) == 2
    assert main([*words, "--out", "file"]) == 1

    said = capsys.readouterr().err
    assert "device 'mps:7' is not available here" in said
    assert "'file' is a file; give a folder" in said


def test_augmentation_fits_the_size_that_a_network_sees() -> None:
    scaled = augmentation(lite().resize)

    assert isinstance(scaled, MultiScale)
    assert scaled.shortest == (480, 560, 640, 720, 800)
    assert (scaled.crop_shortest, scaled.crop_sides) == ((400, 500, 600), (384, 600))
    assert augmentation(ResizeConfig(shortest=64, longest=64, square=True)) == ScaleJitter(side=64)


def test_low_rank_changes_begin_as_none_and_end_in_the_weights() -> None:
    model = toy_network().eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    add_low_rank(model, rank=2)
    unchanged = plain_weights(model)
    assert unchanged.keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in unchanged.items())

    name, linear = next(
        (name, module)
        for name, module in model.named_modules()
        if name.startswith("object_decoder.") and isinstance(module, torch.nn.Linear)
    )
    with torch.no_grad():
        linear.parametrizations["weight"][0].up.fill_(0.1)
    merged = model_from_weights(model.config, plain_weights(model)).get_submodule(name)

    # 2 (the scale) x 0.1 (all of up) x the sum of the two rows of down
    down = linear.parametrizations["weight"][0].down
    torch.testing.assert_close(merged.weight, before[f"{name}.weight"] + 0.2 * down.sum(0))


def test_a_perfect_prediction_has_all_of_the_ap(monkeypatch: pytest.MonkeyPatch) -> None:
    images = drawn_images(3, side=64)
    answers = iter(images.samples)

    def answer(self: Predictor, image: object, names: Sequence[str], *, scoring: str) -> object:
        frame = next(answers).frames[0]
        return glee.Instances(
            boxes=torch.from_numpy(frame.boxes),
            scores=torch.ones(len(frame)),
            labels=torch.tensor([names.index(name) for name in frame.names]),
            names=tuple(names),
            image_size=frame.size,
            masks=frame.decode_masks(),
        )

    monkeypatch.setattr(Predictor, "predict", answer)

    scores = judge_samples(Predictor(toy_network()), images)

    assert (scores["boxes"]["AP"], scores["masks"]["AP"]) == (1.0, 1.0)


def test_the_command_tunes_and_reports(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_model(tmp_path / "tiny.safetensors", toy_network())
    out = tmp_path / "out"

    words = ["finetune", str(tmp_path / "tiny.safetensors"), str(folder), "--out", str(out)]
    code = main([*words, "--steps", "2", "--json"])

    report = json.loads(capsys.readouterr().out)
    assert code == 0
    assert report == json.loads((out / "report.json").read_text())
    assert set(report["after"]) == set(report["before"]) == {"AP boxes", "AP masks"}
    assert report["steps"] == 2
    assert (report["best_step"] > 0) == (report["after"]["AP boxes"] > report["before"]["AP boxes"])
    assert Path(report["model"]).is_file()


def test_the_command_refuses_a_folder_without_annotation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_model(tmp_path / "tiny.safetensors", toy_network())

    words = ["finetune", str(tmp_path / "tiny.safetensors"), str(tmp_path), "--out", "out"]
    code = main(words)

    assert code == 2
    assert "is in no known format" in capsys.readouterr().err
