"""Runs that are started again, shared, repeated or scored without their pictures."""

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import glee
from benchmark_layouts import IMAGE_LAYOUTS, make_coco, make_odinw, write_json, write_picture
from glee.bench.files import write_bench
from glee.bench.report import BenchReport
from glee.cli.main import main
from glee.evaluation.benchmark import Json
from glee.evaluation.benchmarks.odinw import ODINW13
from glee.evaluation.benchmarks.open import open_benchmark
from glee.evaluation.benchmarks.source import Source
from glee.evaluation.benchmarks.video_objects import Video, follow_marks
from glee.evaluation.compare import compare_runs
from glee.evaluation.encoder import Encoder
from glee.evaluation.processes import meeting
from glee.evaluation.runner import Model, predict_units, restart
from glee.evaluation.sample_file import stored_tables
from glee.evaluation.scoring import score_predictions
from glee.inference.predictor import Predictor
from toy_training import start
from video_layouts import VIDEO_LAYOUTS

LAYOUTS = {**IMAGE_LAYOUTS, **VIDEO_LAYOUTS}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_coco(tmp_path)
    return tmp_path


def coco_object(**changes: Any) -> dict[str, Any]:
    box = {"bbox": [4, 6, 20, 16], "segmentation": [[4, 6, 24, 6, 24, 22, 4, 22]]}
    return {"image_id": 7, "category_id": 1, "score": 0.5, **box, **changes}


@pytest.mark.parametrize(("later", "objects"), [(False, {"1"}), (True, {"1", "2"})])
def test_objects_are_marked_on_the_first_frame_or_where_they_appear(
    later: bool, objects: set[str], predictor: Predictor, tmp_path: Path
) -> None:
    for name, numbers in (("0", [1]), ("1", [1, 2])):
        write_picture(tmp_path / f"images/{name}.jpg")
        labels = np.zeros((48, 64), np.uint8)
        for number in numbers:
            labels[8:40, 24 * number : 24 * number + 8] = number
        (tmp_path / "masks").mkdir(exist_ok=True)
        Image.fromarray(labels).save(tmp_path / f"masks/{name}.png")
    folders = {"images": tmp_path / "images", "masks": tmp_path / "masks"}

    row = follow_marks(
        Encoder(predictor, 96), Video(name="v", frames=("0", "1"), later=later, **folders)
    )

    assert "1" in row["objects"]
    assert set(row["objects"]) <= objects
    assert ("2" in row["objects"]) == later


def test_only_davis_leaves_out_objects_that_appear_later(tmp_path: Path) -> None:
    for name in ("davis", "mose"):
        LAYOUTS[name](tmp_path)
    marked: list[bool] = []

    def stop(_: Encoder, video: Video) -> Json:
        marked.append(video.later)
        return {}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glee.evaluation.benchmarks.video_objects.follow_marks", stop)
        for name in ("davis", "mose"):
            benchmark = open_benchmark(name, Source(root=tmp_path))
            benchmark.predict(None, benchmark.keys[0])  # type: ignore[arg-type]

    assert marked == [False, True]


PICTURES = {
    "coco": "coco/val2017",
    "lvis": "coco",
    "refcoco-val": "coco",
    "omnilabel": "omnilabel/images",
    "saco-crowded": "saco/images",
    "clicks-davis": "DAVIS_clicks/img",
    "tao": "TAO/frames",
    "burst": "TAO/frames",
    "ytvis21": "ytvis_2021/valid/JPEGImages",
    "mot17": "MOT17/train/MOT17-02-FRCNN/img1",
    "davis": "DAVIS/JPEGImages",
    "ref-davis": "ref-davis/valid/JPEGImages",
}


@pytest.mark.parametrize("name", PICTURES)
def test_predictions_are_scored_without_the_pictures(name: str, tmp_path: Path) -> None:
    LAYOUTS[name](tmp_path)
    shutil.rmtree(tmp_path / PICTURES[name])
    found = tmp_path / "found"
    if name in ("mot17", "davis", "ref-davis"):
        found.mkdir()
    else:
        found.write_text('{"sequences": []}' if name == "burst" else "[]")

    benchmark = open_benchmark(name, Source(root=tmp_path, needs_images=False))
    result = score_predictions(benchmark, found, tmp_path / "out", report=True)

    assert result.metrics
    assert result.counts.missing == len(benchmark.keys)


def test_predicting_still_needs_the_pictures(root: Path) -> None:
    shutil.rmtree(root / "coco/val2017")

    with pytest.raises(FileNotFoundError, match="folder of images 'coco/val2017' not found"):
        open_benchmark("coco", Source(root=root))


def test_the_command_scores_without_pictures(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(root / "coco/val2017")
    write_json(root / "found.json", [coco_object()])

    code = main(["eval", "coco", "--data", str(root), "--predictions", str(root / "found.json")])

    assert code == 0
    assert "found.json: 3 images, 1 predictions" in capsys.readouterr().out


def test_starting_again_deletes_all_results_and_nothing_else(root: Path) -> None:
    benchmark = replace(
        open_benchmark("coco", Source(root=root)), submission=("coco.zip", lambda *_: None)
    )
    folder = root / "run"
    folder.mkdir()
    left = ["predictions.jsonl", "predictions-000-of-002.jsonl", "faults.json", "run.json"]
    left += ["result.json", "report.html", "matches-box.npz", "coco.zip"]
    for name in (*left, "notes.txt"):
        (folder / name).touch()

    restart(benchmark, folder)

    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_starting_again_and_shards_do_not_go_together(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", "coco", "--data", str(root), "--restart", "--shard", "0/2"]) == 2
    assert "--restart would delete what the processes of other shards" in capsys.readouterr().err


def test_an_error_of_the_model_is_no_bad_picture(root: Path, predictor: Predictor) -> None:
    def fail(*_: object) -> list[Json]:
        raise ValueError("the model is broken")

    benchmark = replace(open_benchmark("coco", Source(root=root)), predict=fail)

    with pytest.raises(ValueError, match="the model is broken"):
        predict_units(benchmark, Model(name="tiny", predictor=predictor), root / "run")


def test_switches_that_are_infinite_are_refused(tmp_path: Path) -> None:
    LAYOUTS["ref-davis"](tmp_path)

    with pytest.raises(ValueError, match="consistency must be finite and not negative, got inf"):
        open_benchmark("ref-davis", Source(root=tmp_path, switches={"consistency": "inf"}))


def test_the_first_process_deletes_before_and_scores_after_all_have_come(
    root: Path, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, seen = root / "run", []

    @contextmanager
    def meet() -> Iterator[Callable[[], None]]:
        yield lambda: seen.append(sorted(path.name for path in folder.iterdir()))

    folder.mkdir()
    (folder / "result.json").touch()
    monkeypatch.setattr("glee.evaluation.processes.meeting", meet)
    monkeypatch.setattr(glee, "load", lambda *_, **__: predictor, raising=False)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")

    main(["eval", "coco", "--data", str(root), "--out", str(folder), "--restart", "--limit", "2"])

    assert seen == [[], ["faults-000-of-002.json", "predictions-000-of-002.jsonl", "run.json"]]
    assert (folder / "result.json").is_file()


def meet_late(rank: int, folder: Path, port: int) -> None:
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with meeting() as wait_for_all:
        if rank:
            (folder / "late").touch()
        wait_for_all()
        (folder / str(rank)).write_text(str((folder / "late").is_file()))


def test_processes_of_torchrun_wait_for_each_other(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    for process in [start(meet_late, rank, tmp_path, port) for rank in range(2)]:
        process.join(300)

    assert (tmp_path / "0").read_text() == (tmp_path / "1").read_text() == "True"


def score_into(root: Path, name: str, report: bool = True) -> Path:
    write_json(root / f"{name}.json", [coco_object()])
    benchmark = open_benchmark("coco", Source(root=root))
    score_predictions(benchmark, root / f"{name}.json", root / name, report=report)
    return root / name


def test_matches_of_an_older_result_are_not_compared(root: Path) -> None:
    first, second = (score_into(root, name) for name in ("first", "second"))
    assert stored_tables(second) == ["box", "mask"]

    score_into(root, "second", report=False)

    assert not (second / "report.html").exists()
    with pytest.raises(FileNotFoundError, match="second has no matches to compare"):
        compare_runs(first, second)


def test_runs_on_other_annotations_are_not_compared(root: Path) -> None:
    first = score_into(root, "first")
    path = root / "coco/annotations/instances_val2017.json"
    data = json.loads(path.read_text())
    data["annotations"][0]["bbox"] = [4, 6, 20, 15]
    write_json(path, data)
    second = score_into(root, "second")

    with pytest.raises(ValueError, match="were scored with other annotation files"):
        compare_runs(first, second)


def test_several_runs_of_odinw_give_mean_and_deviation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_odinw(tmp_path)
    words = ["eval", "odinw13", "--data", str(tmp_path), "--out", str(tmp_path / "out"), "--json"]
    words += ["--paper", "lite-5-shot"]
    for seed, right in enumerate(([], list(ODINW13))):
        (tmp_path / str(seed)).mkdir()
        for name in right:
            data = json.loads((tmp_path / "odinw/dataset" / ODINW13[name]).read_text())
            found = [one | {"score": 0.9} for one in data["annotations"]]
            write_json(tmp_path / f"{seed}/{name}.json", found)
        words += ["--predictions", str(tmp_path / str(seed))]

    assert main(words) == 0

    result = json.loads(capsys.readouterr().out)
    average = result["metrics"][-1]
    # Nothing found and all found: 0 and 100.
    assert average == {
        **{"name": "average AP", "unit": "%", "paper": 55.0, "paper_spread": 3.7},
        **{"value": pytest.approx(50), "spread": pytest.approx(50)},
    }
    assert [row["values"]["average AP"] for row in result["classes"]] == pytest.approx([0, 100])
    assert "the paper's numbers are those of lite-5-shot" in result["notes"]
    assert (tmp_path / "out/result.json").is_file()


def test_measurements_are_kept_where_curves_cannot_be_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ImportError('drawing curves needs matplotlib: pip install "glee-vision[plot]"')

    monkeypatch.setattr("glee.bench.files.draw_curves", fail)

    lacking = write_bench(BenchReport({}, [], []), tmp_path)

    assert lacking.startswith("drawing curves needs matplotlib")
    assert {path.name for path in tmp_path.iterdir()} == {"bench.json", "bench.md"}
