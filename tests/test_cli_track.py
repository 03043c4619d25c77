import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import glee
from followers import MarkStandIn, StandIn
from glee.cli.main import main
from glee.evaluation.mot import read_mot_tracks
from glee.images import load_index_masks
from glee.inference.predictor import EncodedImage, Predictor
from glee.model.glee import GLEE
from glee.model.weights import save_model
from glee.video.file import VideoFile
from glee.video.marks import MarkFollower
from glee.video.names import NameFollower
from glee.video.source import FrameRange
from video_files import drawn_frame, write_video


@pytest.fixture(scope="module")
def weights(model: GLEE, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_model(path, model)
    return str(path)


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A video of eight frames in the current folder, and stand-ins that follow objects."""
    for name, stand_in in (("Name", StandIn), ("Expression", StandIn), ("Mark", MarkStandIn)):
        monkeypatch.setattr(f"glee.video.followers.{name}Follower", stand_in)
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "clip.mp4", [drawn_frame(i) for i in range(8)])
    return "clip.mp4"


def track(*words: str, weights: str) -> int:
    return main(["track", *words, "--model", weights])


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_names_are_followed_into_a_video_and_json_lines(
    clip: str, weights: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = track(clip, "--text", "bar, line", weights=weights)

    printed = capsys.readouterr()
    assert code == 0, printed.err
    assert printed.out.splitlines()[1] == "frame 1 (0.042 s): #1 bar 0.75, #2 bar 0.75"
    assert "files are in glee_out" in printed.err
    assert "frame/s" in printed.err
    assert "MB=" in printed.err
    found = lines((tmp_path / "glee_out" / "tracks.jsonl").read_text())
    assert [one["frame"] for one in found] == list(range(8))
    assert len(list(VideoFile("glee_out/annotated.mp4").read(FrameRange()))) == 8


def test_json_goes_to_stdout_and_writes_no_files(
    clip: str, weights: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = track(clip, "--expression", "the bar", "--json", "--every", "3", weights=weights)

    assert code == 0
    found = lines(capsys.readouterr().out)
    assert [one["frame"] for one in found] == [0, 3, 6]
    assert found[0]["names"] == ["the bar"]
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_every_format_can_be_asked_for(clip: str, weights: str, tmp_path: Path) -> None:
    formats = ("mot", "mots", "png", "ytvis", "coco-video", "tao", "burst")
    options = [word for name in formats for word in ("--format", name)]

    assert track(clip, "--text", "bar", "--out", "out", *options, weights=weights) == 0

    names = {path.name for path in (tmp_path / "out").iterdir()}
    files = {"mot.txt", "mots.txt", "ytvis.json", "coco_video.json", "tao.json", "burst.json"}
    assert names == {*files, "masks", "tracks.jsonl", "run.json"}
    assert len(read_mot_tracks(tmp_path / "out" / "mot.txt").ids) == 1 + 2 + 6 * 3


def test_marks_lie_on_the_frame_that_is_named(
    clip: str, weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--box", "8,0,20,40", "--point", "30,20", "--frame", "2", "--json"]

    assert track(clip, *words, weights=weights) == 0

    counts = [len(one["objects"]) for one in lines(capsys.readouterr().out)]
    assert counts == [0, 0, 2, 2, 2, 2, 2, 2]


def test_a_palette_picture_marks_one_object_for_each_number(
    clip: str, weights: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = np.zeros((48, 64), dtype=np.uint8)
    numbers[:10, :10], numbers[20:30, 20:30] = 1, 5
    picture = Image.fromarray(numbers, mode="P")
    picture.putpalette(bytes(range(256)) * 3)
    picture.save(tmp_path / "first.png")

    assert [mask.sum() for mask in load_index_masks("first.png")] == [100, 100]
    assert track(clip, "--mask", "first.png", "--json", weights=weights) == 0
    assert len(lines(capsys.readouterr().out)[0]["objects"]) == 2


def test_a_folder_of_frames_is_followed_backward(
    clip: str, weights: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "frames").mkdir()
    for index in range(4):
        Image.fromarray(drawn_frame(index)).save(tmp_path / "frames" / f"{index}.png")

    words = ["frames", "--point", "5,5", "--start", "3", "--backward", "--rate", "2", "--json"]

    assert track(*words, weights=weights) == 0
    found = lines(capsys.readouterr().out)
    assert [one["frame"] for one in found] == [3, 2, 1, 0]
    assert found[0]["time"] == "3/2"


class Interrupted(StandIn):
    """Is stopped by the user in the sixth frame."""

    def step(self, frame: glee.EncodedImage) -> glee.Instances:
        if self.steps == 5:
            raise KeyboardInterrupt
        return super().step(frame)


def test_an_interrupted_run_is_kept_and_goes_on(
    clip: str,
    weights: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [clip, "--text", "bar", "--format", "mot", "--format", "video"]
    monkeypatch.setattr("glee.video.recording.STATE_SECONDS", 0)
    monkeypatch.setattr("glee.video.followers.NameFollower", Interrupted)
    assert track(*words, weights=weights) == 130
    assert "interrupted; --resume goes on" in capsys.readouterr().err
    assert len(list(VideoFile("glee_out/annotated.mp4").read(FrameRange()))) == 5
    monkeypatch.setattr("glee.video.followers.NameFollower", StandIn)

    assert track(*words, weights=weights) == 2
    assert "interrupted run; go on with it by --resume" in capsys.readouterr().err
    assert track(*words, "--every", "2", "--resume", weights=weights) == 2
    assert "differs in every: it had 1, now 2" in capsys.readouterr().err
    assert track(*words, "--rate", "12", "--resume", weights=weights) == 2
    assert "differs in rate: it had null, now 12.0" in capsys.readouterr().err
    assert track(clip, "--finish", weights=weights) == 0
    assert "files of 5 frames are in glee_out" in capsys.readouterr().err
    assert track(*words, "--resume", weights=weights) == 0

    printed = capsys.readouterr()
    assert printed.out.splitlines()[0].startswith("frame 5 ")
    assert "8/8" in printed.err  # progress counts the frames before the interruption
    assert np.unique(read_mot_tracks(Path("glee_out/mot.txt")).frames).tolist() == [*range(1, 9)]
    assert len(list(VideoFile("glee_out/annotated.mp4").read(FrameRange()))) == 8
    assert track(*words, "--resume", weights=weights) == 2
    assert "is complete; there is nothing to resume" in capsys.readouterr().err


@pytest.mark.parametrize(
    "prompts",
    [
        ["--text", "bar, line", "--threshold", "0.05"],
        ["--text", "bar, line", "--threshold", "0.05", "--lag", "2"],
        ["--point", "6,6;30,30"],
        ["--point", "6,6;30,30", "--frame", "2", "--lag", "5"],  # stops behind the marks
    ],
)
def test_a_resumed_run_gives_what_an_uninterrupted_one_gives(
    clip: str, weights: str, monkeypatch: pytest.MonkeyPatch, prompts: list[str]
) -> None:
    monkeypatch.setattr("glee.video.followers.NameFollower", NameFollower)
    monkeypatch.setattr("glee.video.followers.MarkFollower", MarkFollower)
    monkeypatch.setattr("glee.video.recording.STATE_SECONDS", 0)
    assert track(clip, *prompts, "--out", "whole", weights=weights) == 0
    whole = Path("whole/tracks.jsonl").read_text()
    steps = iter([False] * 4 + [True] + [False] * 8)

    def interrupted(self: Predictor, image: Any) -> EncodedImage:
        if next(steps):
            raise KeyboardInterrupt
        return encode(self, image)

    encode = Predictor.encode
    monkeypatch.setattr(Predictor, "encode", interrupted)
    assert track(clip, *prompts, "--out", "parts", weights=weights) == 130
    assert track(clip, *prompts, "--out", "parts", "--resume", weights=weights) == 0

    assert Path("parts/tracks.jsonl").read_text() == whole
    assert len(lines(whole)[4]["objects"]) >= 1


def test_a_run_that_is_refused_leaves_nothing(
    clip: str, weights: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("glee.video.followers.MarkFollower", MarkFollower)
    Image.new("L", (10, 10), 1).save("small.png")

    assert track(clip, "--mask", "small.png", weights=weights) == 2
    assert "10" in capsys.readouterr().err
    assert not list(Path("glee_out").iterdir())
    assert track(clip, "--text", "bar", weights=weights) == 0


def test_a_damaged_video_leaves_its_good_frames_and_says_when_it_stopped(
    clip: str, weights: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noisy = [np.random.default_rng(i).integers(0, 255, (48, 64, 3), np.uint8) for i in range(9)]
    whole = write_video(tmp_path / "whole.mp4", noisy, tune="zerolatency").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: int(0.7 * len(whole))])

    code = track("cut.mp4", "--text", "bar", weights=weights)

    printed = capsys.readouterr()
    count = len(printed.out.splitlines())
    assert code == 1
    assert 3 <= count < 9
    assert f"it stopped after the frame at {(count - 1) / 24:.3f} s" in printed.err
    assert len(list(VideoFile("glee_out/annotated.mp4").read(FrameRange()))) == count


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["nowhere.mp4", "--text", "bar"], 1, "video 'nowhere.mp4' not found"),
        (["clip.mp4"], 2, "no prompt given"),
        (["clip.mp4", "--text", "bar", "--frame", "1"], 2, "--frame says where marks lie"),
        (
            ["clip.mp4", "--point", "5,5", "--frame", "-1"],
            2,
            "--frame must be the number of a frame",
        ),
        (["clip.mp4", "--text", "bar", "--every", "0"], 2, "every must be at least 1"),
        (
            ["clip.mp4", "--text", "bar", "--start", "8"],
            2,
            "start is 8, but video 'clip.mp4' has 8",
        ),
        (["clip.mp4", "--text", "bar", "--lag", "-1"], 2, "lag must be at least 0"),
        (["clip.mp4", "--point", "5,5", "--frame", "8"], 2, "has 8 frames (0 to 7)"),
        (["clip.mp4", "--text", "bar", "--max-memory-mb", "-1"], 2, "must be above 0"),
        (["clip.mp4", "--text", "bar", "--max-memory-mb", "1"], 1, "the process holds"),
        (["clip.mp4", "--text", "bar", "--out", "clip.mp4"], 2, "is a file; give a folder"),
        (["clip.mp4", "--text", "bar", "--no-masks", "--format", "png"], 2, "png holds masks"),
        (["clip.mp4", "--text", "bar", "--finish"], 2, "holds no interrupted run"),
        (["clip.mp4", "--text", "bar", "--rate", "0"], 2, "frame_rate must be above 0"),
        (["97", "--text", "bar"], 1, "camera 97"),
        (["rtsp://127.0.0.1:9/x", "--text", "bar"], 1, "cannot be opened"),
    ],
)
def test_mistakes_are_explained(
    clip: str,
    weights: str,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    message: str,
) -> None:
    assert track(*words, weights=weights) == code

    assert message in capsys.readouterr().err


def test_files_of_others_and_the_video_itself_are_not_replaced(
    clip: str, weights: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "annotated.mp4").write_bytes((tmp_path / clip).read_bytes())

    assert track(clip, "--text", "bar", "--out", ".", weights=weights) == 2
    assert "is not of an earlier run" in capsys.readouterr().err
    assert track("annotated.mp4", "--text", "bar", "--out", ".", "--force", weights=weights) == 2
    assert "is read and would be replaced" in capsys.readouterr().err
    assert track(clip, "--text", "bar", "--out", ".", "--force", weights=weights) == 0
    assert track(clip, "--text", "bar", "--out", ".", weights=weights) == 0  # our own


def test_a_later_run_leaves_no_file_of_the_one_before(
    clip: str, weights: str, tmp_path: Path
) -> None:
    assert track(clip, "--text", "bar", "--format", "png", weights=weights) == 0
    assert track(clip, "--text", "bar", "--format", "png", "--every", "4", weights=weights) == 0

    names = sorted(path.name for path in (tmp_path / "glee_out" / "masks").iterdir())
    assert names == ["00000.png", "00004.png"]


class Display:
    """Stands for a window that the user closes after two pictures."""

    shown = 0

    def __init__(self, title: str) -> None:
        self.closed = False

    def show(self, picture: Image.Image) -> None:
        assert picture.size == (64, 48)
        Display.shown += 1
        self.closed = Display.shown == 2


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> type[Display]:
    monkeypatch.setattr("glee.cli.window.Window", Display)
    Display.shown = 0
    return Display


def test_closing_the_window_stops_and_keeps_what_was_found(
    clip: str, weights: str, display: type[Display]
) -> None:
    assert track(clip, "--text", "bar", "--show", weights=weights) == 130

    assert display.shown == 2
    assert len(list(VideoFile("glee_out/annotated.mp4").read(FrameRange()))) == 2


def test_a_window_without_display_or_tk_is_a_clear_failure(
    clip: str,
    weights: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "tkinter", None)

    assert track(clip, "--text", "bar", "--show", weights=weights) == 1
    assert "--show needs Tk" in capsys.readouterr().err


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["track", "--help"])

    assert "glee track street.mp4 --text" in capsys.readouterr().out.split("examples:")[1]
