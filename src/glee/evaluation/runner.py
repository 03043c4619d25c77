"""Runner: predictions over a whole data set, kept in a folder and gone on with."""

import hashlib
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from glee.data.report import Report
from glee.evaluation.arrays import Id
from glee.evaluation.benchmark import Benchmark
from glee.evaluation.cache import Appender, Cache, Shard
from glee.evaluation.encoder import Encoder, PictureError
from glee.evaluation.result import RESULT, RUN
from glee.evaluation.sample_file import discard_details
from glee.files import replacing
from glee.inference.predictor import Predictor
from glee.inference.text import fingerprint

RUN_FORMAT = "glee-run-1"

FAULTS_BORNE = 0.01
"""Share of pictures that may be missing or damaged; they count as if nothing were found there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What predicts.

    name       as `glee.load` takes it; the paper's numbers are looked up by it
    predictor  the loaded model
    """

    name: str
    predictor: Predictor


def predict_units(
    benchmark: Benchmark,
    model: Model,
    folder: Path,
    *,
    limit: int | None = None,
    shard: Shard | None = None,
) -> float:
    """Predict what has no predictions yet, and store it in the folder of the run.

    limit  the first so many images or videos only
    shard  this process' share of them

    Returns the seconds that it took. What could not be read is noted in the folder, and tried anew
    by the next run.

    Raises ValueError if the folder holds a run of another model, protocol or data set, and if more
    than one picture of a hundred cannot be read.
    """
    shard = shard or Shard()
    _claim(folder, describe_run(benchmark, model))
    keys = shard.take(limited(benchmark.keys, limit))
    cache = Cache(folder)
    todo = [key for key in keys if key not in cache]
    encoder = Encoder(model.predictor, benchmark.choice.chosen.shortest)
    faults: dict[Id, str] = {}
    started = time.monotonic()
    out = Appender(folder / shard.file)
    try:
        for key in _with_bar(todo, len(keys), benchmark.unit):
            try:
                out.add(key, benchmark.predict(encoder, key))
            except PictureError as error:
                faults[key] = str(error)
                _require_few(faults, len(keys))
    finally:
        out.close()
        _write_faults(faults, folder / shard.file)
    return time.monotonic() - started


def pending_units(benchmark: Benchmark, folder: Path, limit: int | None = None) -> list[Id]:
    """Return the units that have no predictions in the folder of a run and no reason noted why."""
    cache, faults = Cache(folder), read_faults(folder)
    keys = limited(benchmark.keys, limit)
    return [key for key in keys if key not in cache and key not in faults]


def read_faults(folder: Path) -> dict[Id, str]:
    """Return the units that the processes of a run could not read, and why."""
    faults: dict[Id, str] = {}
    for path in sorted(folder.glob("faults*.json")):
        faults |= {key: why for key, why in json.loads(path.read_bytes())}
    return faults


def _write_faults(faults: Mapping[Id, str], predictions: Path) -> None:
    """Note what could not be read, beside the predictions of the same process."""
    name = predictions.name.replace("predictions", "faults").replace(".jsonl", ".json")
    with replacing(predictions.with_name(name)) as beside:
        beside.write_text(json.dumps(list(faults.items())))


def describe_run(benchmark: Benchmark, model: Model) -> dict[str, Any]:
    """Return what predictions depend on, as plain JSON values."""
    return {
        "format": RUN_FORMAT,
        "benchmark": benchmark.name,
        "annotations": hash_files(benchmark.files),
        "settings": benchmark.choice.settings(),
        "model": model.name,
        "network": fingerprint(model.predictor.model),
        "dtype": str(model.predictor.dtype).removeprefix("torch."),
        "glee": version("glee-vision"),
    }


def limited(keys: Sequence[Id], limit: int | None) -> Sequence[Id]:
    """Return the first keys; raise ValueError if that would be none."""
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    return keys[:limit]


def _with_bar(todo: Sequence[Id], total: int, unit: str) -> Iterator[Id]:
    from tqdm import tqdm  # noqa: PLC0415

    done = total - len(todo)
    with tqdm(total=total, initial=done, unit=unit.removesuffix("s"), file=sys.stderr) as bar:
        for key in todo:
            yield key
            bar.update()


def _require_few(faults: dict[Id, str], total: int) -> None:
    """Stop when it is not single pictures that cannot be read, but the data set."""
    report = Report(total=total)
    for key, why in faults.items():
        report.add(why, str(key))
    report.require_share(FAULTS_BORNE)


def _claim(folder: Path, run: dict[str, Any]) -> None:
    """Note what is run in a folder, or check that it is the same as before."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / RUN
    if not path.is_file():
        with replacing(path) as beside:
            beside.write_text(json.dumps(run, indent=1))
        return
    try:
        before = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    others = [name for name in run if before.get(name) != run[name] and name != "glee"]
    if others:
        name = others[0]
        raise ValueError(
            f"{folder} holds a run with another {name} ({before.get(name)!r}, now {run[name]!r}); "
            "give another folder by --out, or --restart to replace it"
        )


def restart(benchmark: Benchmark, folder: Path) -> None:
    """Delete what an earlier run of a benchmark has left in a folder, and nothing else."""
    discard_details(folder)
    names = [RUN, RESULT]
    if benchmark.submission is not None:
        names.append(benchmark.submission[0])
    found = [*folder.glob("predictions*.jsonl"), *folder.glob("faults*.json")]
    for path in (*found, *(folder / name for name in names)):
        path.unlink(missing_ok=True)


def hash_files(paths: Sequence[Path]) -> str:
    """Return what tells the content of some files, in this order, from that of others."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.name} {path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            while chunk := file.read(2**20):
                digest.update(chunk)
    return digest.hexdigest()
