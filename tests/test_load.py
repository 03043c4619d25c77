import hashlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import torch
from torch import Tensor

import glee
from glee.config import ResNetConfig
from glee.model.convert import convert_file
from glee.model.glee import GLEE
from glee.model.weights import save_model


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GLEE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def official(released_state: dict[str, Tensor], tmp_path: Path) -> Path:
    path = tmp_path / "GLEE_Lite_joint.pth"
    torch.save({f"glee.{name}": value for name, value in released_state.items()}, path)
    return path


def test_an_unknown_name_is_met_with_a_suggestion() -> None:
    with pytest.raises(ValueError, match=r"unknown model 'light'; choose .*mean 'lite'\?"):
        glee.load("light")


def test_offline_the_error_says_which_file_to_fetch_and_what_to_run(home: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        glee.load("plus")

    message = str(raised.value)
    assert "resolve/main/MODEL_ZOO/GLEE_Plus_joint.pth" in message
    assert f"glee convert GLEE_Plus_joint.pth {home / 'plus.safetensors'}" in message


def test_a_missing_file_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"weights not found: nowhere\.safetensors"):
        glee.load("nowhere.safetensors")
    with pytest.raises(FileNotFoundError, match="checkpoint not found: nowhere"):
        glee.load("./nowhere")


def test_a_converted_file_in_the_cache_is_loaded_without_a_download(
    home: Path, official: Path
) -> None:
    convert_file(official, home / "lite.safetensors")

    predictor = glee.load("lite", device="cpu")

    assert predictor.model.config.text.num_layers == 2


def test_a_released_file_can_be_loaded_directly_and_its_norms_are_folded(official: Path) -> None:
    backbone = glee.load(official, device="cpu").model.config.backbone

    assert isinstance(backbone, ResNetConfig)
    assert not backbone.frozen_norm


def test_half_precision_on_a_cpu_is_refused(model: GLEE, tmp_path: Path) -> None:
    save_model(tmp_path / "tiny.safetensors", model)

    with pytest.raises(ValueError, match=r"float16 is not for a CPU; use torch\.bfloat16"):
        glee.load(tmp_path / "tiny.safetensors", device="cpu", dtype=torch.float16)


class Hub(BaseHTTPRequestHandler):
    """Answers like the hub for every file, with the bytes that the server holds."""

    def do_HEAD(self) -> None:
        self._head()

    def do_GET(self) -> None:
        self._head()
        self.wfile.write(self.server.content)  # type: ignore[attr-defined]

    def _head(self) -> None:
        content = self.server.content  # type: ignore[attr-defined]
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Hub)
    server.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def load_through(hub: HTTPServer, source: str, folder: Path) -> None:
    """Load a model in a process of its own, since the hub's address is read on import."""
    checkout = Path(__file__).parents[1] / "src"
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(checkout), os.environ.get("PYTHONPATH", "")]),
        "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}",
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(folder / "hub"),
        "GLEE_HOME": str(folder / "home"),
    }
    code = f"import glee; glee.load({source!r}, device='cpu')"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=600)


def test_a_released_model_is_downloaded_and_converted_once(
    hub: HTTPServer, official: Path, tmp_path: Path
) -> None:
    hub.content = official.read_bytes()  # type: ignore[attr-defined]

    load_through(hub, "lite", tmp_path)
    hub_asked = list(hub.asked)  # type: ignore[attr-defined]
    load_through(hub, "lite", tmp_path)

    assert "/spaces/Junfeng5/GLEE_demo/resolve/main/MODEL_ZOO/GLEE_Lite_joint.pth" in hub_asked
    assert hub.asked == hub_asked  # type: ignore[attr-defined]
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["lite.safetensors"]


def test_a_hub_repository_is_loaded_by_its_name(
    hub: HTTPServer, model: GLEE, tmp_path: Path
) -> None:
    save_model(tmp_path / "model.safetensors", model)
    hub.content = (tmp_path / "model.safetensors").read_bytes()  # type: ignore[attr-defined]

    load_through(hub, "someone/glee-tiny", tmp_path)

    asked = hub.asked  # type: ignore[attr-defined]
    assert any(re.fullmatch(r"/someone/glee-tiny/resolve/main/model.safetensors", a) for a in asked)
