"""Predictions in each benchmark's own format: the truth itself gets the highest score."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as masks

from benchmark_layouts import IMAGE_LAYOUTS, write_json
from glee.evaluation.benchmarks.open import open_benchmark
from glee.evaluation.benchmarks.source import Source
from glee.evaluation.result import EvaluationResult
from glee.evaluation.scoring import score_predictions
from video_layouts import FRAMES, NAMES, VIDEO_LAYOUTS, VIDEOS

LAYOUTS = {**IMAGE_LAYOUTS, **VIDEO_LAYOUTS}


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], Path]:
    def root(name: str) -> Path:
        LAYOUTS[name](tmp_path)
        return tmp_path

    return root


def score(name: str, root: Path, predictions: Path, out: Path | None = None) -> EvaluationResult:
    return score_predictions(open_benchmark(name, Source(root=root)), predictions, out)


def values(result: EvaluationResult) -> dict[str, float]:
    return {one.name: round(one.value, 6) for one in result.metrics}


def load(path: Path) -> Any:
    return json.loads(path.read_text())


def boxes_as_results(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return annotations in COCO's result format, each with the mask that a tool would give."""
    results = []
    for one in data["annotations"]:
        packed = masks.merge(masks.frPyObjects(one["segmentation"], 48, 64))
        results.append(
            {
                "image_id": one["image_id"],
                "category_id": one["category_id"],
                "bbox": one["bbox"],
                "score": 0.9,
                "segmentation": {"size": [48, 64], "counts": packed["counts"].decode()},
            }
        )
    return results


@pytest.mark.parametrize(
    ("name", "file", "expected"),
    [
        ("coco", "coco/annotations/instances_val2017.json", {"box AP": 100, "mask AP": 100}),
        (
            "lvis",
            "lvis/lvis_v1_val.json",
            {"box AP": 100, "box APr": 100, "mask AP": 100, "mask APr": 100},
        ),
        ("objects365", "Objects365v2/annotations/zhiyuan_objv2_val.json", {"box AP": 100}),
        ("uvo", "UVO/annotations/FrameSet/UVO_frame_val_onecategory.json", {"mask AR100": 100}),
        (
            "refcoco+-testA",
            "annotations/refcocoplus-unc/instances_testA.json",
            {
                **{f"box P@{at}": 100 for at in (0.5, 0.6, 0.7, 0.8, 0.9)},
                **{"mask oIoU": 100, "mask mIoU": 100},
            },
        ),
    ],
)
def test_coco_results_of_the_truth_score_highest(
    name: str, file: str, expected: dict[str, float], make: Callable[[str], Path]
) -> None:
    root = make(name)
    write_json(root / "results.json", boxes_as_results(load(root / file)))

    assert values(score(name, root, root / "results.json")) == expected


def test_odinw_takes_a_file_for_each_data_set(make: Callable[[str], Path]) -> None:
    root = make("odinw13")
    for file in root.glob("odinw/dataset/Raccoon/**/*.json"):
        write_json(root / "results/Raccoon.json", boxes_as_results(load(file)))

    found = values(score("odinw13", root, root / "results"))

    assert found["Raccoon"] == 100
    assert found["average AP"] == pytest.approx(100 / 13)


def test_omnilabel_results_of_the_truth_score_highest(make: Callable[[str], Path]) -> None:
    root = make("omnilabel")
    data = load(root / "omnilabel/dataset_all_val_v0.1.3.json")
    results = [
        {
            "image_id": one["image_id"],
            "bbox": one["bbox"],
            "description_ids": one["description_ids"],
            "scores": [0.9] * len(one["description_ids"]),
        }
        for one in data["annotations"]
    ]
    write_json(root / "results.json", results)

    found = values(score("omnilabel", root, root / "results.json"))

    # The official tool adds 1e-5 to the sum that the harmonic mean is divided by.
    assert found.pop("AP") == pytest.approx(100, abs=1e-3)
    assert set(found.values()) == {100}


def test_concepts_of_the_truth_score_highest(make: Callable[[str], Path]) -> None:
    root = make("saco-crowded")
    data = load(root / "saco/annotations/gold_crowded_merged_a_release_test.json")
    write_json(root / "results.json", boxes_as_results(data))

    found = values(score("saco-crowded", root, root / "results.json"))

    # The official tool adds small numbers to what it divides by.
    assert found["mask cgF1"] == pytest.approx(100, abs=0.02)
    assert found["mask false alarms"] == 0


@pytest.mark.parametrize(
    ("name", "file", "expected"),
    [
        ("ytvis21", "ytvis_2021/valid/instances.json", {"AP": 100, "AP50": 100, "AP75": 100}),
        ("ovis", "ovis/annotations_valid.json", {"AP": 100, "AP50": 100, "AP75": 100}),
        ("lvvis", "lvvis/val_instances.json", {"AP": 100, "APb": 100, "APn": 100}),
        (
            "uvo-video",
            "UVO/annotations/VideoDenseSet/UVO_video_val_dense_objectlabel.json",
            {"AP": 100, "AR100": 100},
        ),
    ],
)
def test_tubes_of_the_truth_score_highest(
    name: str, file: str, expected: dict[str, float], make: Callable[[str], Path]
) -> None:
    root = make(name)
    keys = ("video_id", "category_id", "segmentations")
    results = [
        {"score": 0.9, **{key: one[key] for key in keys}}
        for one in load(root / file)["annotations"]
    ]
    write_json(root / "results.json", results)

    assert values(score(name, root, root / "results.json")) == expected


def test_tao_results_of_the_truth_score_highest(make: Callable[[str], Path]) -> None:
    root = make("tao")
    keys = ("image_id", "video_id", "category_id", "track_id", "bbox")
    results = [
        {"score": 0.9, **{key: one[key] for key in keys}}
        for one in load(root / "TAO/annotations/validation.json")["annotations"]
    ]
    write_json(root / "results.json", results)

    found = values(score("tao", root, root / "results.json"))

    assert found == dict.fromkeys(("TETA", "LocA", "AssocA", "ClsA", "track AP"), 100)


def test_burst_results_of_the_truth_score_highest(make: Callable[[str], Path]) -> None:
    root = make("burst")
    data = load(root / "TAO/burst_annotations/val/all_classes.json")
    write_json(root / "results.json", {"split": "val", "sequences": data["sequences"]})

    found = values(score("burst", root, root / "results.json"))

    assert found == dict.fromkeys(
        (f"{name}{group}" for group in ("", " common", " uncommon") for name in ("HOTA", "mAP")),
        100,
    )


def test_mot_texts_of_the_truth_score_highest(make: Callable[[str], Path]) -> None:
    root = make("mot17")
    (root / "tracks").mkdir()
    for folder in root.glob("MOT17/train/*-FRCNN"):
        shutil.copy(folder / "gt/gt.txt", root / f"tracks/{folder.name}.txt")

    found = values(score("mot17", root, root / "tracks"))

    assert found.pop("identity switches") == 0
    assert found == dict.fromkeys(("HOTA", "DetA", "AssA", "MOTA", "IDF1"), 100)


@pytest.mark.parametrize(
    ("name", "folder", "expected"),
    [
        ("davis", "DAVIS/Annotations/480p", dict.fromkeys(("J&F", "J", "F"), 100)),
        (
            "ytvos",
            "ytbvos18/val/Annotations",
            dict.fromkeys(("G", "J seen", "F seen", "J unseen", "F unseen"), 100),
        ),
    ],
)
def test_pictures_of_the_truth_score_highest(
    name: str, folder: str, expected: dict[str, float], make: Callable[[str], Path]
) -> None:
    root = make(name)

    assert values(score(name, root, root / folder)) == expected


def test_expressions_are_scored_for_each_annotator(make: Callable[[str], Path]) -> None:
    root = make("ref-davis")
    for video in range(VIDEOS):
        for frame in NAMES:
            path = root / f"ref-davis/valid/Annotations/video{video}/{frame}.png"
            labels = np.array(Image.open(path))
            for expression in range(8):
                shown = labels == expression // 4 + 1
                target = root / f"found/video{video}/{expression}/{frame}.png"
                target.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(shown.astype(np.uint8) * 255).save(target)

    found = values(score("ref-davis", root, root / "found"))

    assert len(NAMES) == FRAMES
    assert found == dict.fromkeys(("J&F", "J", "F"), 100)
