import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from glee.cli.main import main
from glee.model.glee import GLEE
from glee.model.weights import save_model
from video_files import drawn_frame, write_video

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
VIDEO = (ROOT / "docs" / "video.md").read_text(encoding="utf-8")


@pytest.fixture
def workplace(
    model: GLEE, image: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder with the README's photos, and a small network in the place of Lite."""
    monkeypatch.setenv("GLEE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    save_model(tmp_path / "home" / "lite.safetensors", model)
    for name in ("street.jpg", "park.jpg"):
        Image.fromarray(image).resize((400, 240)).save(tmp_path / name)
    write_video(tmp_path / "street.mp4", [drawn_frame(i, (96, 128)) for i in range(4)])
    first = Image.new("L", (128, 96))
    first.paste(255, (20, 20, 60, 60))
    first.save(tmp_path / "first.png")
    return tmp_path


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_python_examples_run_from_top_to_bottom(workplace: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)

    exec(compile("\n".join(blocks), "README.md", "exec"), {})

    assert len(blocks) >= 4
    assert {"found.png", "traffic.safetensors"} <= {path.name for path in workplace.iterdir()}


def test_the_examples_of_video_run_from_top_to_bottom(workplace: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", VIDEO, flags=re.DOTALL)

    exec(compile("\n".join(blocks), "video.md", "exec"), {})

    assert len(blocks) >= 3


def test_the_prediction_commands_run(workplace: Path) -> None:
    commands = re.findall(r"^glee ((?:predict|track|info)\b.*)$", README, flags=re.MULTILINE)

    codes = [main(shlex.split(command, comments=True)) for command in commands]

    assert codes == [0] * len(commands)
    assert len(commands) >= 4
    assert (workplace / "found" / "predictions.json").is_file()


def test_the_video_commands_run(workplace: Path) -> None:
    commands = re.findall(r"^glee (track street\.mp4.*)$", VIDEO, flags=re.MULTILINE)
    first = [command for command in commands if "--resume" not in command]
    first = [command for command in first if "--finish" not in command]

    assert [main(shlex.split(command, comments=True)) for command in first] == [0] * 5
    assert {"annotated.mp4", "tracks.jsonl"} < {p.name for p in (workplace / "glee_out").iterdir()}
    assert len(list((workplace / "masks" / "masks").iterdir())) == 4
