"""The files that measuring leaves: JSON, a page of tables and a picture of the curves."""

import json
from pathlib import Path

from glee.bench.plot import draw_curves, require_plotting
from glee.bench.report import BenchReport
from glee.files import replacing

NAMES = ("bench.json", "bench.md", "bench.png")


def check_folder(out: Path, *, force: bool) -> None:
    """Refuse, before anything is measured, a folder that cannot take the files.

    Raises ValueError for a file in its place and, without `force`, for files that are there, and
    ImportError if curves cannot be drawn.
    """
    require_plotting()
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out {out} is a file; give a folder")
    there = [name for name in NAMES if (out / name).exists()]
    if there and not force:
        raise ValueError(
            f"{out / there[0]} exists; give another folder by --out, or --force to replace it"
        )


def write_bench(report: BenchReport, out: Path) -> None:
    """Write bench.json, bench.md and bench.png into a folder, which is made."""
    with replacing(out / "bench.json") as beside:
        beside.write_text(json.dumps(report.to_json(), indent=1))
    with replacing(out / "bench.md") as beside:
        beside.write_text(report.to_markdown())
    draw_curves(report, out / "bench.png")
