"""Predictions and annotations that do not fit: refused by name, or scored by a told rule."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmark_layouts import (
    coco_file,
    label_map,
    make_clicks,
    make_coco,
    make_odinw,
    make_saco,
    write_json,
)
from glee.evaluation.benchmarks.odinw import ODINW13
from glee.evaluation.benchmarks.open import open_benchmark
from glee.evaluation.benchmarks.source import Source, read_entries
from glee.evaluation.cache import Cache, parse_shard
from glee.evaluation.result import EvaluationResult
from glee.evaluation.runner import Model, predict_units
from glee.evaluation.scoring import score_predictions, score_run
from glee.inference.predictor import Predictor
from video_layouts import make_davis, make_mose, make_mot, make_ref_davis, make_ytvis21

GOOD = {
    "image_id": 7,
    "category_id": 1,
    "score": 0.5,
    "bbox": [4, 6, 20, 16],
    "segmentation": [[4, 6, 24, 6, 24, 22, 4, 22]],
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_coco(tmp_path)
    return tmp_path


def score_coco(root: Path, *results: dict[str, Any], limit: int | None = None) -> EvaluationResult:
    write_json(root / "results.json", list(results))
    benchmark = open_benchmark("coco", Source(root=root))
    return score_predictions(benchmark, root / "results.json", None, limit=limit)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": 99}, r"predictions\[1\] has image_id 99, which is not among the 3"),
        ({"category_id": 2}, r"predictions\[1\] has category_id 2, which is not among the 3"),
        ({"score": float("nan")}, r"predictions\[1\] has score nan; give a finite number"),
        ({"bbox": [4, 6, -20, 16]}, r"predictions\[1\] has bbox .*, of negative size"),
        ({"bbox": [4, 6, 20]}, r"predictions\[1\] must have a bbox of 4 numbers"),
        (
            {"segmentation": {"size": [64, 48], "counts": "0"}},
            r"predictions\[1\] has a mask of size \[64, 48\], but its image is \[48, 64\]",
        ),
    ],
)
def test_predictions_that_do_not_fit_are_refused_by_place(
    change: dict[str, Any], message: str, root: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        score_coco(root, GOOD, {**GOOD, **change})


def test_an_entry_without_image_is_refused(root: Path) -> None:
    wrong = {name: value for name, value in GOOD.items() if name != "image_id"}

    with pytest.raises(ValueError, match=r"predictions\[0\] has no 'image_id'"):
        score_coco(root, wrong)


def test_missing_and_repeated_predictions_count_and_are_told(root: Path) -> None:
    result = score_coco(root, GOOD, GOOD)

    assert result.counts.missing == 2
    assert result.counts.predictions == 2
    assert "box: 2 of 3 images with annotations have no predictions: nothing found there" in (
        result.notes
    )
    assert any("1 predictions repeat another exactly" in note for note in result.notes)


def test_predictions_of_images_that_were_left_out_do_not_count(root: Path) -> None:
    result = score_coco(root, GOOD, {**GOOD, "image_id": 8}, limit=1)

    assert result.counts.predictions == 1
    assert "only the first 1 of 3 images" in result.deviations


def test_annotations_of_another_version_are_told(root: Path) -> None:
    result = score_coco(root, GOOD)

    assert (
        "the annotation has 3 images, that of COCO 2017 val has 5000: another version, whose "
        "numbers cannot be compared with published ones"
    ) in result.notes


@pytest.mark.parametrize(
    ("name", "make", "told"),
    [
        ("davis", make_davis, "has 2 videos, that of DAVIS 2017 val has 30: another version"),
        ("mose", make_mose, "has 2 videos, that of MOSE val has 311: another version"),
        ("mot17", make_mot, "has 2 sequences, that of MOT17 train has 7: another version"),
        (
            "ref-davis",
            make_ref_davis,
            "has 2 videos, that of Ref-DAVIS val has 30: another version",
        ),
        ("clicks-davis", make_clicks, "has 2 pictures, that of DAVIS' 345 frames has 345: another"),
    ],
)
def test_folders_of_another_version_are_told(
    name: str, make: Callable[[Path], None], told: str, tmp_path: Path
) -> None:
    make(tmp_path)

    (note,) = open_benchmark(name, Source(root=tmp_path)).notes

    assert told in note


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"images": []}, "has no annotations, categories, only images; it is not the annotation"),
        ([], "has no images, annotations, categories, only a list"),
    ],
)
def test_annotations_of_another_benchmark_are_refused(
    values: Any, message: str, root: Path
) -> None:
    write_json(root / "coco/annotations/instances_val2017.json", values)

    with pytest.raises(ValueError, match=message):
        open_benchmark("coco", Source(root=root))


def test_coco_annotations_are_not_taken_for_those_of_lvis(root: Path) -> None:
    write_json(root / "lvis/lvis_v1_val.json", coco_file({1: "person"}))

    with pytest.raises(ValueError, match=r"images\[0\] has no 'coco_url', only id, file_name"):
        open_benchmark("lvis", Source(root=root))


def test_missing_annotations_are_named_with_what_helps(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"'coco/annotations/instances_val2017\.json' not found in .*--ann"
    ):
        open_benchmark("coco", Source(root=tmp_path))


def test_a_benchmark_that_is_none_is_refused_with_a_near_one(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown benchmark 'cocoo'.*\(did you mean 'coco'\?\)"):
        open_benchmark("cocoo", Source(root=tmp_path))


def test_switches_are_reported_and_unknown_ones_refused(root: Path) -> None:
    benchmark = open_benchmark("coco", Source(root=root, switches={"max_objects": "50"}))

    assert benchmark.choice.settings()["max_objects"] == 50
    assert benchmark.choice.deviations() == ("max_objects is 50, in the paper's protocol 100",)
    with pytest.raises(ValueError, match="has no switch 'nms'; it has scoring, max_objects, short"):
        open_benchmark("coco", Source(root=root, switches={"nms": "0.5"}))
    with pytest.raises(ValueError, match="max_objects must be a whole number, got 'many'"):
        open_benchmark("coco", Source(root=root, switches={"max_objects": "many"}))


@pytest.fixture
def tiny_model(predictor: Predictor) -> Model:
    return Model(name="tiny", predictor=predictor)


def test_a_folder_with_another_run_is_refused(root: Path, tiny_model: Model) -> None:
    predict_units(open_benchmark("coco", Source(root=root)), tiny_model, root / "run", limit=1)
    other = open_benchmark("coco", Source(root=root, switches={"max_objects": "5"}))

    with pytest.raises(ValueError, match=r"holds a run with another settings .*--restart"):
        predict_units(other, tiny_model, root / "run")


def test_a_damaged_line_in_the_middle_is_named(root: Path, tiny_model: Model) -> None:
    benchmark = open_benchmark("coco", Source(root=root))
    predict_units(benchmark, tiny_model, root / "run")
    path = root / "run/predictions.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"{rubbish\n" + lines[2])

    with pytest.raises(ValueError, match=r"predictions\.jsonl, line 2 is damaged: .* delete this"):
        Cache(root / "run")


def test_a_picture_that_is_missing_stops_a_small_run(root: Path, tiny_model: Model) -> None:
    (root / "coco/val2017/000000000008.jpg").unlink()

    with pytest.raises(ValueError, match=r"33\.3% of the entries are bad(.|\n)*000000000008\.jpg"):
        predict_units(open_benchmark("coco", Source(root=root)), tiny_model, root / "run")


def test_few_missing_pictures_count_as_nothing_found_and_are_tried_again(
    root: Path, tiny_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glee.evaluation.runner.FAULTS_BORNE", 0.5)
    path = root / "coco/val2017/000000000008.jpg"
    benchmark, content = open_benchmark("coco", Source(root=root)), path.read_bytes()
    path.write_bytes(b"no picture")
    predict_units(benchmark, tiny_model, root / "run")
    first = score_run(benchmark, root / "run", model="tiny")
    path.write_bytes(content)
    predict_units(benchmark, tiny_model, root / "run")

    second = score_run(benchmark, root / "run", model="tiny")

    assert (first.counts.faults, first.counts.missing) == (1, 1)
    assert any("8 could not be read: " in note for note in first.notes)
    assert (second.counts.faults, second.counts.missing) == (0, 0)


def test_tubes_of_another_length_are_refused(tmp_path: Path) -> None:
    make_ytvis21(tmp_path)
    found = {"video_id": 1, "category_id": 1, "score": 0.5, "segmentations": [None]}
    write_json(tmp_path / "results.json", [found])
    benchmark = open_benchmark("ytvis21", Source(root=tmp_path))

    with pytest.raises(ValueError, match="has 1 segmentations, but its video has 3 frames"):
        score_predictions(benchmark, tmp_path / "results.json", None)


def test_mot_tracks_of_an_unknown_sequence_are_refused(tmp_path: Path) -> None:
    make_mot(tmp_path)
    (tmp_path / "tracks").mkdir()
    (tmp_path / "tracks/MOT17-99-FRCNN.txt").write_text("1,1,4,6,20,16,1\n")
    benchmark = open_benchmark("mot17", Source(root=tmp_path))

    with pytest.raises(ValueError, match="is of sequence 'MOT17-99-FRCNN', which is none of"):
        score_predictions(benchmark, tmp_path / "tracks", None)


def write_masks(folder: Path, *frames: str, size: tuple[int, int] = (48, 64)) -> None:
    folder.mkdir(parents=True)
    for frame in frames:
        Image.fromarray(np.resize(label_map(0), size)).save(folder / f"{frame}.png")


@pytest.fixture
def score_davis(tmp_path: Path) -> Callable[[], EvaluationResult]:
    make_davis(tmp_path)
    benchmark = open_benchmark("davis", Source(root=tmp_path))
    return lambda: score_predictions(benchmark, tmp_path / "found", None)


def test_masks_of_another_size_are_refused_with_their_video(
    tmp_path: Path, score_davis: Callable[[], EvaluationResult]
) -> None:
    write_masks(tmp_path / "found/video0", "00000", "00001", "00002", size=(24, 32))

    with pytest.raises(ValueError, match=r"video 'video0', .* size \[24, 32\], .* \[48, 64\]"):
        score_davis()


def test_missing_videos_and_frames_count_as_nothing_found_and_are_told(
    tmp_path: Path, score_davis: Callable[[], EvaluationResult]
) -> None:
    write_masks(tmp_path / "found/video0", "00000", "00002")

    result = score_davis()

    assert result.metric("J").value == 0  # of three frames only the middle one counts
    assert "video video0 lacks 1 of 3 frames: nothing found there" in result.notes
    assert "video video1 has no predictions: nothing found there" in result.notes


def test_masks_of_an_unknown_video_are_refused(
    tmp_path: Path, score_davis: Callable[[], EvaluationResult]
) -> None:
    write_masks(tmp_path / "found/other", "00000")

    with pytest.raises(ValueError, match=r"found: predictions\[0\] has video 'other', which"):
        score_davis()


def test_what_only_a_server_scores_has_no_numbers_but_says_so(tmp_path: Path) -> None:
    make_mose(tmp_path)
    write_masks(tmp_path / "found/video0", "00000", "00001", "00002")
    benchmark = open_benchmark("mose", Source(root=tmp_path))

    result = score_predictions(benchmark, tmp_path / "found", tmp_path / "out")

    assert result.metrics == ()
    assert result.submission == "mose.zip"
    assert (tmp_path / "out/mose.zip").is_file()
    assert any("upload the submission" in note for note in result.notes)
    assert json.loads((tmp_path / "out/result.json").read_text())["submission"] == "mose.zip"


@pytest.mark.parametrize("text", ["1", "4/4", "-1/2", "a/b"])
def test_shards_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="shard must be i/n"):
        parse_shard(text)


@pytest.mark.parametrize("text", ['[null, {"a": 1}]', '[[{"a": 1}]]'])
def test_results_that_are_no_objects_are_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)

    with pytest.raises(ValueError, match=r"entry 0 of .*results\.json' is .*, not an object"):
        list(read_entries(path))


def test_a_file_without_any_annotated_object_is_told(root: Path) -> None:
    path = root / "coco/annotations/instances_val2017.json"
    write_json(path, {**json.loads(path.read_text()), "annotations": []})

    result = score_coco(root, GOOD)

    assert np.isnan(result.metric("box AP").value)
    assert "box: no object is annotated" in result.notes


@pytest.mark.parametrize(
    ("part", "entry", "message"),
    [
        ("images", 5, r"images\[0\] is 5, not an object"),
        ("images", {"height": 4, "width": 4}, r"images\[0\] has no 'id'"),
        ("images", {"id": "a", "file_name": "a.jpg"}, "has images with numbers and texts as ids"),
        ("images", {"id": 1, "file_name": None}, r"images\[0\] has file_name None; give a text"),
        ("categories", {"id": {}}, r"categories\[0\] has id \{\}; give an id"),
        ("annotations", None, r"annotations\[0\] is None, not an object"),
    ],
)
def test_damaged_annotation_files_are_named_with_the_entry(
    part: str, entry: Any, message: str, root: Path
) -> None:
    path = root / "coco/annotations/instances_val2017.json"
    data = json.loads(path.read_text())
    write_json(path, {**data, part: [entry, *data[part]]})

    with pytest.raises(ValueError, match=rf"val2017\.json: {message}"):
        open_benchmark("coco", Source(root=root))


def test_a_data_set_without_images_is_not_left_out_of_the_mean(tmp_path: Path) -> None:
    make_odinw(tmp_path)
    path = tmp_path / "odinw/dataset" / ODINW13["Raccoon"]
    write_json(path, {**json.loads(path.read_text()), "images": []})

    with pytest.raises(ValueError, match="has no images; data set Raccoon needs at least one"):
        open_benchmark("odinw13", Source(root=tmp_path))


def test_annotators_of_other_queries_are_refused(tmp_path: Path) -> None:
    make_saco(tmp_path)
    path = tmp_path / "saco/annotations/gold_crowded_merged_b_release_test.json"
    data = json.loads(path.read_text())
    write_json(path, {**data, "images": data["images"][:2]})

    with pytest.raises(ValueError, match=r"b_release_test\.json has 2 images, .* the same"):
        open_benchmark("saco-crowded", Source(root=tmp_path))
