"""Files of samples: what a run leaves beside its scores, to be compared without its data."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glee.evaluation.resampling import PrecisionSample, ShareSample
from glee.files import replacing

PREFIX, SUFFIX = "matches-", ".npz"

REPORT = "report.html"

LARGEST = 2**32
"""Bytes of all arrays of a file together: LVIS, with 300 detections an image, needs 0.2 GB."""

ARRAYS = ("units", "categories", "scores", "outcomes", "true_units", "true_categories")


def sample_path(folder: Path, table: str) -> Path:
    """Return where the matches of a table of scores, such as "box", are in the folder of a run."""
    return folder / f"{PREFIX}{table.replace(' ', '-')}{SUFFIX}"


def stored_tables(folder: Path) -> list[str]:
    """Return the tables of which the folder of a run has matches."""
    paths = sorted(folder.glob(f"{PREFIX}*{SUFFIX}"))
    return [path.name.removeprefix(PREFIX).removesuffix(SUFFIX) for path in paths]


def discard_details(folder: Path) -> None:
    """Delete the matches and the report of an earlier result, which do not fit a new one."""
    for table in stored_tables(folder):
        sample_path(folder, table).unlink()
    (folder / REPORT).unlink(missing_ok=True)


def save_sample(sample: PrecisionSample | ShareSample, path: Path) -> None:
    """Write a sample to a file, whole or not at all."""
    arrays: dict[str, NDArray[Any]]
    match sample:
        case PrecisionSample():
            arrays = {name: getattr(sample, name) for name in ARRAYS}
        case ShareSample():
            arrays = {f"above {name}": one for name, one in sample.numerators.items()}
            arrays |= {f"below {name}": one for name, one in sample.denominators.items()}
    ids = np.frombuffer(json.dumps(sample.unit_ids).encode(), dtype=np.uint8)
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, unit_ids=ids, **arrays)


def load_sample(path: Path) -> PrecisionSample | ShareSample:
    """Read what `save_sample` wrote.

    Raises FileNotFoundError if it is not there, ValueError if it is none, or too large.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no matches of a run in {path}")
    try:
        arrays = _read_arrays(path)
        ids = tuple(json.loads(arrays.pop("unit_ids").tobytes()))
        if "outcomes" in arrays:
            return PrecisionSample(unit_ids=ids, **arrays)
        above, below = (
            {name.removeprefix(side): one for name, one in arrays.items() if name.startswith(side)}
            for side in ("above ", "below ")
        )
        return ShareSample(unit_ids=ids, numerators=above, denominators=below)
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise ValueError(f"{path} holds no matches of a run: {error}") from error


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file by name; a small file must not unpack to a huge one."""
    from zipfile import BadZipFile, ZipFile  # noqa: PLC0415 - with what it raises

    try:
        with ZipFile(path) as packed:
            size = sum(entry.file_size for entry in packed.infolist())
    except BadZipFile as error:
        raise ValueError(str(error)) from error
    if size > LARGEST:
        raise ValueError(f"it unpacks to {size} bytes, more than {LARGEST}")
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
