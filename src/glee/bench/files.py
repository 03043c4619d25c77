"""The files that measuring leaves: JSON, a page of tables and a picture of the curves."""

import json
from pathlib import Path

from glee.bench.plot import draw_curves
from glee.bench.report import BenchReport
from glee.files import replacing

NAMES = ("bench.json", "bench.md", "bench.png")


def check_folder(out: Path, *, force: bool) -> None:
    """Refuse, before anything is measured, a folder that cannot take the files.

    Raises ValueError for a file in its place and, without `force`, for files that are there.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out {out} is a file; give a folder")
    there = [name for name in NAMES if (out / name).exists()]
    if there and not force:
        raise ValueError(
            f"{out / there[0]} exists; give another folder by --out, or --force to replace it"
        )


def write_bench(report: BenchReport, out: Path) -> str:
    """Write bench.json, bench.md and bench.png into a folder, which is made.

    Returns "", or what the picture needs if it could not be drawn; an older one is deleted then.
    """
    with replacing(out / "bench.json") as beside:
        beside.write_text(json.dumps(report.to_json(), indent=1))
    with replacing(out / "bench.md") as beside:
        beside.write_text(report.to_markdown())
    try:
        draw_curves(report, out / "bench.png")
    except ImportError as error:
        (out / "bench.png").unlink(missing_ok=True)
        return str(error)
    return ""
