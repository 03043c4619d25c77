"""Each benchmark from its official layout to its result, interrupted and gone on with."""

import io
import math
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark_layouts import IMAGE_LAYOUTS, label_map
from glee.config import tiny
from glee.evaluation.benchmark import Benchmark
from glee.evaluation.benchmarks.open import open_benchmark
from glee.evaluation.benchmarks.source import Source
from glee.evaluation.cache import Shard
from glee.evaluation.result import EvaluationResult
from glee.evaluation.runner import Model, pending_units, predict_units
from glee.evaluation.scoring import score_predictions, score_run
from glee.inference.predictor import Predictor
from glee.model.build import build_glee
from video_layouts import VIDEO_LAYOUTS

LAYOUTS = {**IMAGE_LAYOUTS, **VIDEO_LAYOUTS}
QUICK = [name for name in LAYOUTS if name != "odinw35"]


@dataclass(frozen=True)
class Whole:
    """A benchmark and an uninterrupted run of it."""

    benchmark: Benchmark
    folder: Path
    result: EvaluationResult


@pytest.fixture(scope="session")
def tiny_model() -> Model:
    """A network whose boxes, masks, names and scores all differ, unlike those of a fresh one."""
    torch.manual_seed(0)
    network = build_glee(tiny()).eval()
    heads = network.heads
    for part in (heads.box, heads.mask, heads.mask_features, heads.confidence, heads.similarity):
        for parameter in part.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    torch.nn.init.normal_(network.text_projection.weight, std=0.1)
    return Model(name="tiny", predictor=Predictor(network))


@pytest.fixture(scope="session")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """What makes the data of a benchmark, once for all that share a layout."""
    made: dict[Callable[[Path], None], Path] = {}

    def root(name: str) -> Path:
        make = LAYOUTS[name]
        if make not in made:
            made[make] = tmp_path_factory.mktemp("data")
            make(made[make])
        return made[make]

    return root


@pytest.fixture(scope="session")
def wholes(
    tiny_model: Model, roots: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Whole]:
    """What runs a benchmark, once for all tests."""
    done: dict[str, Whole] = {}

    def whole(name: str) -> Whole:
        if name not in done:
            # The videos' own sizes would be hundreds of pixels.
            switches = {"shortest": "96"} if name in VIDEO_LAYOUTS else {}
            switches |= {"max_clicks": "4"} if name.startswith("clicks") else {}
            benchmark = open_benchmark(name, Source(root=roots(name), switches=switches))
            folder = tmp_path_factory.mktemp("run")
            predict_units(benchmark, tiny_model, folder)
            result = score_run(benchmark, folder, model="tiny")
            done[name] = Whole(benchmark, folder, result)
        return done[name]

    return whole


def without_time(result: EvaluationResult) -> dict[str, object]:
    return {**result.to_json(), "seconds": 0}


@pytest.mark.parametrize("name", QUICK)
def test_an_interrupted_run_ends_as_one_that_was_not(
    name: str, wholes: Callable[[str], Whole], tiny_model: Model, tmp_path: Path
) -> None:
    whole = wholes(name)
    lines = (whole.folder / "predictions.jsonl").read_bytes().splitlines(keepends=True)
    # What a process leaves that was killed while it wrote its second line.
    (tmp_path / "predictions.jsonl").write_bytes(lines[0] + lines[1][:-20])

    predict_units(whole.benchmark, tiny_model, tmp_path)
    again = score_run(whole.benchmark, tmp_path, model="tiny")

    assert (tmp_path / "predictions.jsonl").read_bytes() == b"".join(lines)
    assert without_time(again) == without_time(whole.result)


@pytest.mark.parametrize("name", QUICK)
def test_a_run_has_numbers_for_all_that_was_annotated(
    name: str, wholes: Callable[[str], Whole]
) -> None:
    whole = wholes(name)

    assert whole.result.counts.units == len(whole.benchmark.keys)
    assert whole.result.counts.predictions > 0
    assert whole.result.metrics or whole.result.submission
    assert not [one.name for one in whole.result.metrics if math.isnan(one.value)]


@pytest.mark.parametrize("name", QUICK)
def test_stored_predictions_score_the_same_as_their_run(
    name: str, wholes: Callable[[str], Whole]
) -> None:
    whole = wholes(name)

    alone = score_predictions(whole.benchmark, whole.folder / "predictions.jsonl", None)

    for part in ("metrics", "values", "classes", "counts"):
        assert alone.to_json()[part] == whole.result.to_json()[part]


@pytest.mark.parametrize("name", ["coco", "clicks-davis"])
def test_shards_together_are_the_whole(
    name: str, wholes: Callable[[str], Whole], tiny_model: Model, tmp_path: Path
) -> None:
    whole = wholes(name)
    predict_units(whole.benchmark, tiny_model, tmp_path, shard=Shard(1, 2))
    assert pending_units(whole.benchmark, tmp_path) == list(whole.benchmark.keys[::2])
    predict_units(whole.benchmark, tiny_model, tmp_path, shard=Shard(0, 2))

    result = score_run(whole.benchmark, tmp_path, model="tiny")

    assert [path.name for path in tmp_path.glob("predictions*")] == ["predictions.jsonl"]
    assert without_time(result) == without_time(whole.result)


def test_odinw35_opens_all_its_data_sets_and_can_be_limited(
    roots: Callable[[str], Path], tiny_model: Model, tmp_path: Path
) -> None:
    benchmark = open_benchmark("odinw35", Source(root=roots("odinw35")))

    predict_units(benchmark, tiny_model, tmp_path, limit=2)
    result = score_run(benchmark, tmp_path, model="tiny", limit=2)

    assert len(benchmark.keys) == len(benchmark.files) == 35
    assert [one.name for one in result.metrics] == [
        "PascalVOC",
        "AerialMaritimeDrone",
        "average AP",
    ]
    assert result.deviations == ("only the first 2 of 35 images",)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("ytvis19", "results.json"),
        ("mose", "video0/00000.png"),
        ("ytvos", "Annotations/video0/00000.png"),
        ("ref-ytvos", "Annotations/video0/0/00000.png"),
    ],
)
def test_a_run_leaves_the_file_to_upload(
    name: str, first: str, wholes: Callable[[str], Whole]
) -> None:
    whole = wholes(name)

    with zipfile.ZipFile(whole.folder / whole.result.submission) as archive:
        assert archive.namelist()[0] == first
        # Pictures of two videos of three frames, of which Ref-YouTube-VOS has two expressions.
        assert len(archive.namelist()) == {"ytvis19": 1, "ref-ytvos": 12}.get(name, 6)


def test_marked_objects_keep_their_masks_where_they_were_marked(
    wholes: Callable[[str], Whole],
) -> None:
    whole = wholes("mose")

    with zipfile.ZipFile(whole.folder / "mose.zip") as archive:
        picture = np.array(Image.open(io.BytesIO(archive.read("video1/00000.png"))))

    np.testing.assert_array_equal(picture, label_map(1))
