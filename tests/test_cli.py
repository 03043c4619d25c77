import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from glee.cli.main import main
from glee.model.glee import GLEE
from glee.model.weights import save_model


@pytest.fixture(scope="module")
def weights(model: GLEE, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_model(path, model)
    return str(path)


@pytest.fixture
def photo(image: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(image).save(tmp_path / "photo.png")
    return str(tmp_path / "photo.png")


def test_help_is_complete_without_importing_torch() -> None:
    code = "import sys; from glee.cli.main import main\ntry: main(['--help'])\nfinally: "
    code += "assert 'torch' not in sys.modules"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert all(command in done.stdout for command in ("predict", "convert", "info"))


@pytest.mark.parametrize("command", ["predict", "convert", "bench", "info"])
def test_every_command_explains_itself_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])

    assert stopped.value.code == 0
    assert f"glee {command} " in capsys.readouterr().out.split("example")[1]


def test_pictures_and_coco_predictions_are_written(
    photo: str, weights: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    options = ["--threshold", "0", "--out", str(out)]
    code = main(["predict", photo, "--text", "cat, dog", "--model", weights, *options])

    assert code == 0
    with Image.open(out / "photo.png") as picture:
        assert picture.size == (100, 60)
    report = json.loads((out / "predictions.json").read_text())
    assert [category["name"] for category in report["categories"]] == ["cat", "dog"]
    assert report["images"] == [{"id": 0, "file_name": photo, "height": 60, "width": 100}]
    assert len(report["annotations"]) == 20
    assert report["annotations"][0]["segmentation"]["size"] == [60, 100]


def test_json_goes_to_stdout_and_writes_no_files(
    photo: str, weights: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["predict", photo, "--point", "40,30", "--model", weights, "--json"])

    assert code == 0
    found = json.loads(capsys.readouterr().out)
    assert found["file"] == photo
    assert len(found["objects"]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


def test_the_second_look_of_nano_can_be_left_out(
    photo: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", photo, "--text", "cat", "--threshold", "0", "--no-masks", "--json"]
    scores = []
    for more in ([], ["--no-second-look"]):
        assert main([*words, *more]) == 0
        scores.append([one["score"] for one in json.loads(capsys.readouterr().out)["objects"]])

    assert scores[0] != scores[1]


def test_marks_and_masks_are_taken_from_the_command_line(
    photo: str, weights: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask = np.zeros((60, 100), dtype=np.uint8)
    mask[20:40, 30:50] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")

    marks = ["--box", "30,20,50,40", "--scribble", "32,22,48,38", "--mask"]
    code = main(
        ["predict", photo, *marks, str(tmp_path / "mask.png"), "--model", weights, "--json"]
    )

    assert code == 0
    objects = json.loads(capsys.readouterr().out)["objects"]
    assert [found["prompt_id"] for found in objects] == [0, 1, 2]


def test_images_that_fail_are_listed_and_the_others_still_run(
    photo: str, weights: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 not an image")

    images = ["missing.jpg", str(tmp_path / "cut.jpg"), photo]
    options = ["--model", weights, "--out", str(tmp_path / "out")]
    code = main(["predict", *images, "--text", "cat", *options])

    printed = capsys.readouterr()
    assert code == 1
    assert "failed: missing.jpg: image file" in printed.err
    assert "predictions.json are in" in printed.err
    assert "cut.jpg" in printed.err
    assert f"{photo}: " in printed.out


def test_images_of_one_name_do_not_overwrite_each_other(
    photo: str, weights: str, tmp_path: Path
) -> None:
    options = ["--model", weights, "--out", str(tmp_path / "out")]
    main(["predict", photo, photo, "--text", "cat", *options])

    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["photo.png", "photo_2.png", "predictions.json"]


@pytest.mark.parametrize(
    ("arguments", "expected", "message"),
    [
        ([], 2, "no prompt given"),
        (["--text", "cat,,dog"], 2, "categories"),
        (["--text", ","], 2, "categories[0] is empty"),
        (["--text", "cat", "--text", "dog,cat"], 2, "categories[2] repeats categories[0]"),
        (["--text", "\udce7"], 2, r"--text '\udce7' cannot be read as text"),
        (["--expression", "a \udce7"], 2, r"--expression 'a \udce7' cannot be read as text"),
        (["--names", "nowhere.txt"], 1, "names file 'nowhere.txt' not found"),
        (["--names", "photo.png"], 2, "names file 'photo.png' must be text in UTF-8"),
        (["--names", os.devnull], 2, "has no name in it"),
        (["--text", "cat", "--model", "light"], 2, "did you mean 'lite'?"),
        (["--text", "cat", "--threshold", "7"], 2, "threshold must lie in 0..1"),
        (["--point", "5"], 2, "needs 2 numbers with commas, got '5'"),
        (["--text", "cat", "--mask", "nowhere.png"], 1, "nowhere.png"),
        (["--text", "cat", "--scoring", "confidence"], 2, "--scoring confidence ranks marked"),
        (["--text", "cat", "--max-objects", "0"], 2, "max_objects must be at least 1, got 0"),
        (["--text", "cat", "--out", "photo.png"], 2, "--out photo.png is a file; give a folder"),
        (["--text", "cat", "--device", "foo"], 2, "device 'foo' is not available here"),
        (["--text", "cat", "--device", "cuda:99"], 2, "device 'cuda:99' is not available here"),
        (["--text", "cat", "--dtype", "float16", "--device", "cpu"], 2, "not for a CPU"),
        (["--point", "5,6;7"], 2, "needs 2 numbers with commas, got '7'"),
    ],
)
def test_wrong_usage_is_explained_without_a_traceback(
    photo: str,
    weights: str,
    arguments: list[str],
    expected: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    try:
        code: object = main(["predict", photo, "--model", weights, *arguments])
    except SystemExit as stopped:
        code = stopped.code

    assert code == expected
    assert message in capsys.readouterr().err


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make loading a model an error that the command does not expect."""

    def load(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("glee.inference.load.load", load)


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize("options", [["--text", "dog"], ["--mask", "mask.png", "--force"]])
def test_no_input_is_replaced_by_its_picture(
    photo: str, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("linked").symlink_to(".")
    Image.new("L", (100, 60), 255).save("mask.png")
    before = Path(photo).read_bytes()

    code = main(["predict", photo, *options, "--out", "linked"])

    assert code == 2
    assert "photo.png is read and would be replaced" in capsys.readouterr().err
    assert Path(photo).read_bytes() == before


@pytest.mark.usefixtures("no_model")
def test_a_mask_that_is_read_is_not_replaced(
    photo: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("out").mkdir()
    Image.new("L", (100, 60), 255).save("out/photo.png")

    assert main(["predict", photo, "--mask", "out/photo.png", "--out", "out", "--force"]) == 2
    assert "photo.png is read and would be replaced" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["predictions.json", "photo.png"])
def test_files_of_others_are_replaced_only_by_force(
    photo: str, weights: str, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text('{"info": {"description": "my labels"}}')
    command = ["predict", photo, "--text", "cat", "--model", weights, "--out", "out"]

    assert main(command) == 2
    assert f"{name} exists and is not of an earlier run" in capsys.readouterr().err
    assert "my labels" in (tmp_path / "out" / name).read_text()
    assert main([*command, "--force"]) == 0
    assert main(command) == 0  # now it is of an earlier run


def test_a_picture_of_others_beside_an_earlier_run_is_not_replaced(
    photo: str, weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["predict", photo, "--text", "cat", "--model", weights, "--out", "out"]
    assert main(command) == 0
    Image.new("RGB", (9, 9)).save("out/photo.png")

    assert main(command) == 2
    assert "photo.png exists and is not of an earlier run" in capsys.readouterr().err


def test_an_interrupted_run_can_be_repeated(photo: str, weights: str) -> None:
    command = ["predict", photo, "--text", "cat", "--model", weights, "--out", "out"]
    assert main(command) == 0
    Path("out/predictions.json").unlink()  # as after a kill: pictures, but no report

    assert main(command) == 0


def test_inputs_of_one_name_can_be_told_apart_in_the_report(photo: str, weights: str) -> None:
    Path("other").mkdir()
    Path("other/Photo.png").write_bytes(Path(photo).read_bytes())

    main(["predict", "photo.png", "other/Photo.png", "--text", "cat", "--model", weights])

    report = json.loads(Path("glee_out/predictions.json").read_text())
    names = [image["file_name"] for image in report["images"]]
    assert names == ["photo.png", str(Path("other/Photo.png"))]
    assert {path.name for path in Path("glee_out").glob("*.png")} == {"photo.png", "Photo_2.png"}


def test_several_clicks_on_one_object_are_one_mark(
    photo: str, weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    clicks = ["--point", "40,30;35,25", "--point", "80,10"]

    assert main(["predict", photo, *clicks, "--model", weights, "--json"]) == 0

    objects = json.loads(capsys.readouterr().out)["objects"]
    assert [found["prompt_id"] for found in objects] == [0, 1]


@pytest.mark.usefixtures("no_model")
def test_a_mask_file_that_is_no_picture_is_explained(
    photo: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mask.png").write_text("hello")

    assert main(["predict", photo, "--mask", "mask.png"]) == 2
    assert "mask file 'mask.png' is not in an image format" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["predict", "info", "convert"])
@pytest.mark.parametrize("damage", ["cut.safetensors", "cut.pth"])
def test_a_damaged_model_file_is_a_failure_of_every_command(
    photo: str, weights: str, command: str, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(damage).write_bytes(Path(weights).read_bytes()[:5000])

    options = {
        "predict": [photo, "--text", "cat", "--model", damage],
        "info": [damage],
        "convert": [damage, "out.safetensors"],
    }
    assert main([command, *options[command]]) == 1
    assert "cut." in capsys.readouterr().err


def test_a_released_checkpoint_is_converted_and_described(
    released_state: dict[str, Tensor], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = str(tmp_path / "official.pth"), str(tmp_path / "ours.safetensors")
    torch.save(released_state, source)

    assert main(["convert", source, target]) == 0
    assert "text side of early fusion" in capsys.readouterr().out
    assert main(["info", target, "--json"]) == 0

    facts = json.loads(capsys.readouterr().out)
    assert facts["origin"] == "official.pth"
    assert facts["config"]["backbone"]["kind"] == "resnet"


def test_an_existing_file_is_not_replaced_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ours.safetensors").write_text("precious")

    code = main(["convert", "official.pth", str(tmp_path / "ours.safetensors")])

    assert code == 2
    assert "give --force to replace it" in capsys.readouterr().err
    assert (tmp_path / "ours.safetensors").read_text() == "precious"


def test_a_released_model_is_described_if_it_is_there(
    model: GLEE, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GLEE_HOME", str(tmp_path))

    assert main(["info", "lite", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"model": "lite", "weights": "to be downloaded"}

    save_model(tmp_path / "lite.safetensors", model)
    assert main(["info", "lite", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["file"] == str(tmp_path / "lite.safetensors")
    assert facts["parameters"]["all"] == sum(value.numel() for value in model.parameters())


def test_a_model_that_is_none_is_wrong_usage_of_info(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "light"]) == 2
    assert "(did you mean 'lite'?)" in capsys.readouterr().err


def test_the_machine_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json"]) == 0

    facts = json.loads(capsys.readouterr().out)
    assert "cpu" in facts["devices"]
    assert set(facts["models"].values()) <= {"ready", "to be downloaded"}


def run_glee(
    *arguments: str, encoding: str = "utf-8", **options: Any
) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [sys.executable, "-m", "glee", *arguments],
        env=os.environ | {"PYTHONIOENCODING": encoding},
        check=False,
        **options,
    )


def test_names_that_the_terminal_lacks_are_printed_as_codes(photo: str, weights: str) -> None:
    words = ["--text", "狗", "--threshold", "0", "--model", weights]

    done = run_glee("predict", photo, *words, encoding="cp1252", capture_output=True)

    assert done.returncode == 0, done.stderr
    assert rb"\u72d7 0." in done.stdout
    assert Path("glee_out/predictions.json").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other errors for it")
def test_a_reader_that_goes_away_ends_the_command_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)

    done = run_glee("info", stdout=writer, stderr=subprocess.PIPE)

    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.usefixtures("no_model")
def test_a_folder_that_cannot_be_written_is_noticed_before_the_model_is_loaded(
    photo: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", photo, "--text", "cat", "--out", "photo.png/out"]) == 1
    assert "cannot write to --out photo.png" in capsys.readouterr().err


def test_nothing_is_written_if_no_image_can_be_read(
    weights: str, tmp_path: Path, photo: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(photo).write_text("no image")

    assert main(["predict", photo, "--text", "cat", "--model", weights]) == 1

    printed = capsys.readouterr().err
    assert "failed: " in printed
    assert "are in" not in printed
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


def test_failures_are_listed_also_after_an_interruption(
    weights: str,
    photo: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("glee.cli.predict._as_text", interrupt)

    assert main(["predict", "missing.jpg", photo, "--text", "cat", "--model", weights]) == 130
    assert "failed: missing.jpg" in capsys.readouterr().err
    assert Path("glee_out/predictions.json").is_file()


def test_results_are_not_printed_into_the_line_of_the_bar(
    photo: str, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "stderr", terminal)

    assert main(["predict", photo, photo, "--text", "cat", "--model", weights]) == 0

    shown = [line.rsplit("\r", 1)[-1] for line in terminal.getvalue().split("\n")]
    assert sum(line.startswith(f"{photo}: ") for line in shown) == 2


def test_marks_are_told_apart_by_kind_and_number(
    photo: str, weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    marks = ["--box", "30,20,50,40", "--point", "40,30", "--box", "5,5,20,20"]

    assert main(["predict", photo, *marks, "--model", weights]) == 0

    lines = capsys.readouterr().out.splitlines()[1:]
    kinds = [line.split(":")[0].strip() for line in lines]
    assert kinds == ["point 1", "box 1", "box 2"]
    report = json.loads(Path("glee_out/predictions.json").read_text())
    assert [one["prompt_id"] for one in report["annotations"]] == [0, 1, 2]


@pytest.mark.usefixtures("no_model")
def test_images_that_are_all_missing_are_noticed_before_the_model_is_loaded(
    photo: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(photo).unlink()

    assert main(["predict", photo, "x" * 300, "~nobody/a.jpg", "--text", "cat"]) == 1
    assert capsys.readouterr().err.count("failed: ") == 3
    assert not Path("glee_out").exists()


def predicted(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [json.loads(line)["file"] for line in capsys.readouterr().out.splitlines()]


def test_folders_and_patterns_stand_for_the_images_in_them(
    photo: str, weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("in").mkdir()
    for name in ("b.PNG", "a.png", ".hidden.png", "notes.txt", "[c].png"):
        Path("in", name).write_bytes(Path(photo).read_bytes())
    rest = ["--text", "cat", "--model", weights, "--json"]

    assert main(["predict", "in", *rest]) == 0
    assert predicted(capsys) == [str(Path("in", name)) for name in ("[c].png", "a.png", "b.PNG")]
    assert main(["predict", "in/[ab].*", "in/[c].png", *rest]) == 0
    assert predicted(capsys) == [str(Path("in", name)) for name in ("a.png", "b.PNG", "[c].png")]


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("in", "folder 'in' holds no image"),
        ("*.bmp", "IMAGE '*.bmp' matches no file"),
        ("https://a.org/b.jpg", "IMAGE 'https://a.org/b.jpg' is a URL"),
    ],
)
def test_what_stands_for_no_image_is_refused(
    photo: str, word: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("in").mkdir()

    assert main(["predict", photo, word, "--text", "cat"]) == 2
    assert message in capsys.readouterr().err


def test_names_come_from_repeated_texts_and_from_files(
    photo: str, weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("names.txt").write_text("\ufeffdog, sitting\n\nchien assis: café\n", encoding="utf-8")
    words = ["--text", "cat, bus,", "--text", "tree", "--names", "names.txt"]

    assert main(["predict", photo, *words, "--model", weights, "--json"]) == 0

    names = json.loads(capsys.readouterr().out)["names"]
    assert names == ["cat", "bus", "tree", "dog, sitting", "chien assis: café"]


@pytest.mark.parametrize("words", [[], ["help"]])
def test_help_is_what_one_gets_without_a_command(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(words)

    assert stopped.value.code == 0
    assert "find objects in images" in capsys.readouterr().out


def test_help_explains_a_command_in_lines_that_fit(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["help", "predict"])
    shown = capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["help", "convert"])

    assert "Find objects in images." in shown
    assert max(len(line) for line in shown.splitlines()) <= 80
    assert "released GLEE checkpoint" in capsys.readouterr().out


def test_a_misspelt_command_is_answered_by_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["pedict", "photo.png"])

    assert stopped.value.code == 2
    assert "unknown command 'pedict'; did you mean 'predict'?" in capsys.readouterr().err
