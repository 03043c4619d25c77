"""The commands of docs/nano.md that carry a run to another machine and back, as they stand."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from textwrap import dedent

import pytest

DOCUMENT = Path(__file__).parent.parent / "docs" / "nano.md"

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "split", "sha256sum"))), reason="needs GNU coreutils"
)


def commands() -> tuple[str, str]:
    """Return the commands that join the parts of a checkpoint, and those that cut it."""
    text = DOCUMENT.read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```bash\n(.*?)```", text, flags=re.DOTALL | re.MULTILINE)
    (block,) = (dedent(one) for one in blocks if "split -b" in one)
    join, train, cut = block.strip().split("\n\n")
    assert train.startswith("glee train --recipe nano")
    return join, cut


def run(script: str, folder: Path) -> int:
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, check=False)
    return done.returncode


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A machine whose run has a checkpoint in parts, and another that was given these."""
    there, here = tmp_path / "there", tmp_path / "here"
    (there / "runs" / "nano").mkdir(parents=True)
    here.mkdir()
    (there / "runs" / "nano" / "last.pt").write_bytes(os.urandom(40 * 2**20))
    (there / "runs" / "nano" / "log.jsonl").write_text('{"step": 1}\n')
    assert run(commands()[1], there) == 0
    shutil.copytree(there / "back", here / "in")
    return there, here


def test_a_checkpoint_is_cut_into_parts_of_16_mib_and_joined_again(
    folders: tuple[Path, Path],
) -> None:
    there, here = folders

    assert run(commands()[0], here) == 0

    parts = sorted((here / "in").glob("last.pt.*"))
    assert [part.stat().st_size / 2**20 for part in parts] == [16, 16, 8]
    for name in ("last.pt", "log.jsonl"):
        own, theirs = here / "runs" / "nano" / name, there / "runs" / "nano" / name
        assert own.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("harm", ["missing", "damaged", "unordered"])
def test_parts_that_are_not_whole_do_not_take_the_place_of_a_checkpoint(
    harm: str, folders: tuple[Path, Path]
) -> None:
    _, here = folders
    first, second, _ = sorted((here / "in").glob("last.pt.*"))
    match harm:
        case "missing":
            second.unlink()
        case "damaged":
            content = second.read_bytes()
            second.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        case "unordered":
            first.rename(here / "in" / "last.pt.zz")
    before = here / "runs" / "nano" / "last.pt"
    before.parent.mkdir(parents=True)
    before.write_bytes(b"the one before")

    assert run(commands()[0], here) != 0

    assert before.read_bytes() == b"the one before"
