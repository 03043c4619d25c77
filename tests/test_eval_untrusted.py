"""Results that anyone may have written: one error with the file, the record and the field."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark_layouts import (
    make_clicks,
    make_coco,
    make_lvis,
    make_odinw,
    make_omnilabel,
    make_refcoco,
    make_saco,
    write_json,
)
from glee.evaluation.benchmarks.open import open_benchmark
from glee.evaluation.benchmarks.source import Source
from glee.evaluation.result import EvaluationResult
from glee.evaluation.scoring import score_predictions
from video_layouts import FRAMES, make_burst, make_ref_davis, make_tao, make_ytvis19, run_lengths

MASK = {"size": [48, 64], "counts": [10, 5, 48 * 64 - 15]}
OBJECT = {"image_id": 7, "category_id": 1, "score": 0.5, "bbox": [4, 6, 20, 16]}
FOUND = {**OBJECT, "segmentation": MASK}
Score = Callable[..., EvaluationResult]


@pytest.fixture
def score(tmp_path: Path) -> Score:
    """What scores entries as predictions, in the official format or as lines of ours."""

    def run(name: str, make: Callable[[Path], None], entries: Any, **lines: Any) -> Any:
        make(tmp_path)
        path = tmp_path / "results.json"
        if lines:
            path.write_text(json.dumps({"id": 0, "results": entries}) + "\n")
        else:
            write_json(path, entries)
        out = tmp_path / "out" if lines.get("out") else None
        return score_predictions(open_benchmark(name, Source(root=tmp_path)), path, out)

    return run


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": True}, "has score True; give a finite number"),
        ({"score": None}, "has score None; give a finite number"),
        ({"score": "0.5"}, "has score '0.5'; give a finite number"),
        ({"score": 10**400}, "has score 1000.*; give a finite number"),
        ({"category_id": True}, "has category_id True; give an id"),
        ({"category_id": [1]}, r"has category_id \[1\]; give an id"),
        ({"image_id": None}, "has image_id None; give an id"),
        ({"bbox": None}, "must have a bbox of 4 numbers, got None"),
        ({"bbox": [4, 6, "20", 16]}, "has bbox .*; give finite numbers"),
        ({"bbox": [4, 6, 1e308, 1e308]}, r"has bbox .*; give finite numbers, at most 1e\+12"),
        ({"segmentation": 5}, "must have a mask as polygons or run lengths"),
        ({"segmentation": [[4, 6, 24, 6, 24]]}, r"has polygon 0 \[4, 6, 24, 6, 24\]; give x, y"),
        ({"segmentation": [[4, 6, 24, 6]]}, "has polygon 0 .*, at least 3 points"),
        ({"segmentation": [[4, 6, 24, 6, None, 9]]}, "has polygon 0 .* of finite numbers"),
        ({"segmentation": [[0, 0, 9, 0, 1e11, 9]]}, "has polygon 0, whose outline is too long"),
        ({"segmentation": {**MASK, "size": [48.5, 64]}}, r"has a mask of size \[48.5, 64\]"),
        ({"segmentation": {**MASK, "size": 48}}, "has a mask of size 48, but its image is"),
        ({"segmentation": {**MASK, "counts": 7}}, "has a mask with counts 7; give run lengths"),
        ({"segmentation": {**MASK, "counts": [10, 48 * 64 * 3]}}, "has a mask with run .* 3072"),
        (
            {"segmentation": {**MASK, "counts": [10, -5, 48 * 64 - 5]}},
            "has a mask with run lengths",
        ),
        ({"segmentation": {**MASK, "counts": "PPYo1"}}, "has a mask whose run lengths do not"),
        ({"segmentation": {**MASK, "counts": "P"}}, "has a mask whose run lengths do not"),
        ({"segmentation": {**MASK, "counts": "äöü"}}, "has a mask with counts 'äöü'"),
    ],
)
@pytest.mark.parametrize("name", ["coco", "lvis"])
def test_a_wrong_field_is_named_with_file_and_record(
    change: dict[str, Any], message: str, name: str, score: Score
) -> None:
    make = make_coco if name == "coco" else make_lvis

    with pytest.raises(ValueError, match=rf"results\.json: predictions\[1\] {message}"):
        score(name, make, [FOUND, {**FOUND, **change}])


@pytest.mark.parametrize(
    ("name", "make"),
    [("coco", make_coco), ("lvis", make_lvis), ("refcoco-val", make_refcoco)],
)
@pytest.mark.parametrize(("left", "missing"), [("bbox", "masks"), ("segmentation", "boxes")])
def test_boxes_or_masks_alone_are_scored_and_the_others_absence_is_told(
    name: str, make: Callable[[Path], None], left: str, missing: str, score: Score
) -> None:
    entry = {key: value for key, value in FOUND.items() if key in (*list(OBJECT)[:3], left)}

    result = score(name, make, [entry])

    other = {"bbox": "mask", "segmentation": "box"}[left]
    assert f"predictions have no {missing}: there are no numbers of {missing}" in result.notes
    assert result.metrics
    assert not [one.name for one in result.metrics if one.name.startswith(other)]


def test_phrases_are_scored_by_boxes_alone(score: Score) -> None:
    result = score("saco-crowded", make_saco, [OBJECT])

    assert result.metrics[0].name == "box cgF1"
    assert "predictions have no masks: there are no numbers of masks" in result.notes


def test_results_of_which_some_have_masks_are_refused(score: Score) -> None:
    with pytest.raises(ValueError, match=r"predictions\[1\] has a segmentation, the first .* none"):
        score("coco", make_coco, [OBJECT, FOUND])
    with pytest.raises(ValueError, match=r"predictions\[1\] has no 'segmentation'"):
        score("coco", make_coco, [FOUND, OBJECT])


def test_results_with_neither_boxes_nor_masks_are_refused(score: Score) -> None:
    with pytest.raises(ValueError, match=r"predictions\[0\] has no 'bbox' nor 'segmentation'"):
        score("coco", make_coco, [{"image_id": 7, "category_id": 1, "score": 0.5}])


@pytest.mark.parametrize(("name", "make"), [("saco-crowded", make_saco)])
@pytest.mark.parametrize("change", [{"score": None}, {"image_id": {}}, {"bbox": [1, 2, 3]}])
def test_wrong_answers_to_phrases_are_named(
    name: str, make: Callable[[Path], None], change: dict[str, Any], score: Score
) -> None:
    with pytest.raises(ValueError, match=rf"predictions\[0\] .*{next(iter(change))}"):
        score(name, make, [{**FOUND, **change}])


def test_wrong_results_of_odinw_are_named_with_their_data_set(score: Score) -> None:
    entry = {"dataset": "PascalVOC", **OBJECT, "image_id": 8}

    with pytest.raises(ValueError, match=r"predictions of PascalVOC\[1\] has score None"):
        score("odinw13", make_odinw, [entry, {**entry, "score": None}])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"description_ids": 3}, "has description_ids 3; give a list"),
        ({"description_ids": [99]}, "has description_id 99, which is not among"),
        ({"description_ids": [True]}, "has description_id True; give an id"),
        ({"scores": ["high"]}, r"has scores \['high'\]; give finite numbers"),
        ({"scores": [float("nan")]}, "has scores .*; give finite numbers"),
        ({"bbox": "none"}, "must have a bbox of 4 numbers"),
    ],
)
def test_wrong_answers_to_descriptions_are_named(
    change: dict[str, Any], message: str, score: Score
) -> None:
    entry = {"image_id": 7, "bbox": [4, 6, 20, 16], "description_ids": [1], "scores": [0.5]}

    with pytest.raises(ValueError, match=rf"results\.json: predictions\[0\] {message}"):
        score("omnilabel", make_omnilabel, [{**entry, **change}])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"track_id": 1.5}, r"has track_id 1\.5; give a whole number"),
        ({"track_id": None}, "has track_id None; give a whole number"),
        ({"image_id": []}, r"has image_id \[\]; give an id"),
        ({"score": None}, "has score None; give a finite number"),
    ],
)
def test_wrong_boxes_of_tracks_are_named(
    change: dict[str, Any], message: str, score: Score
) -> None:
    entry = {"image_id": 0, "category_id": 4, "track_id": 0, "score": 0.5, "bbox": [4, 6, 20, 16]}

    with pytest.raises(ValueError, match=rf"results\.json: predictions\[0\] {message}"):
        score("tao", make_tao, [{**entry, **change}])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"segmentations": None}, "has segmentations None; give a list"),
        ({"segmentations": [None, None, {**MASK, "counts": [9]}]}, "frame 2 has a mask with run"),
        ({"score": False}, "has score False; give a finite number"),
    ],
)
def test_what_a_server_would_refuse_is_named_before_it_is_packed(
    change: dict[str, Any], message: str, score: Score, tmp_path: Path
) -> None:
    entry = {"video_id": 1, "category_id": 1, "score": 0.5, "segmentations": [None] * FRAMES}

    with pytest.raises(ValueError, match=rf"results\.json: predictions\[0\],? {message}"):
        score("ytvis19", make_ytvis19, [{**entry, **change}], out=True)

    assert not (tmp_path / "out/ytvis19.zip").exists()


FRAME_NAMES = [f"frame{frame:04}.jpg" for frame in range(FRAMES)]


def sequence(**changes: Any) -> dict[str, Any]:
    found = {
        "dataset": "YFCC100M",
        "seq_name": "v0",
        "height": 48,
        "width": 64,
        "annotated_image_paths": FRAME_NAMES,
        "segmentations": [
            {"1": {"rle": run_lengths(0, 0, frame)["counts"], "score": 0.5}}
            for frame in range(FRAMES)
        ],
        "track_category_ids": {"1": 4},
        **changes,
    }
    return {key: value for key, value in found.items() if value is not ...}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seq_name": ...}, r"predictions\[0\] has no 'seq_name'"),
        ({"annotated_image_paths": ["a.jpg", "b.jpg", "c.jpg"]}, "frame 'a.jpg', which the annot"),
        ({"annotated_image_paths": [*FRAME_NAMES[:2], "x.jpg"]}, "frame 'x.jpg', which the annot"),
        ({"annotated_image_paths": FRAME_NAMES[:1] * 3}, "annotated_image_paths of different"),
        ({"segmentations": [{"1": 5}] * 3}, r"\[0\], .*v0, frame 0, track 1 is 5, not an object"),
        ({"segmentations": [{"1": {"rle": "PP"}}] * 3}, "track 1 has a mask whose run lengths do"),
        ({"segmentations": [{"one": {}}] * 3}, "frame 0, track one has no 'rle'"),
        ({"track_category_ids": {}}, "frame 0, track 1 has no '1', only nothing"),
        ({"height": None}, "v0 has height None; give a whole number"),
    ],
)
def test_wrong_sequences_of_burst_are_named(
    change: dict[str, Any], message: str, score: Score
) -> None:
    with pytest.raises(ValueError, match=message):
        score("burst", make_burst, {"split": "val", "sequences": [sequence(**change)]})


def test_videos_and_categories_of_burst_that_cannot_count_are_told(score: Score) -> None:
    result = score("burst", make_burst, [sequence(track_category_ids={"1": 999})])

    assert "1 of 2 videos have no predictions: nothing found there" in result.notes
    assert (
        "1 predicted tracks are of categories that the annotation file does not have: not counted"
    ) in result.notes


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("neg_category_ids", None, "videos, id 0, has neg_category_ids None; give a list"),
        ("neg_category_ids", ["x"], "videos, id 0, has neg_category_ids 'x'; give a whole number"),
        ("not_exhaustive_category_ids", 4, "videos, id 0, has not_exhaustive_category_ids 4; give"),
    ],
)
def test_lists_that_tell_what_was_verified_are_read_or_refused(
    key: str, value: Any, message: str, tmp_path: Path
) -> None:
    make_tao(tmp_path)
    path = tmp_path / "TAO/annotations/validation.json"
    data = json.loads(path.read_text())
    data["videos"][0][key] = value
    write_json(path, data)
    write_json(tmp_path / "results.json", [])

    with pytest.raises(ValueError, match=rf"validation\.json: {message}"):
        score_predictions(
            open_benchmark("tao", Source(root=tmp_path)), tmp_path / "results.json", None
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"track_id": 1e30}, r"annotations\[0\] has track_id 1e\+30; give a whole number"),
        ({"category_id": "x"}, r"annotations\[0\] has category_id 'x', which is not among"),
        ({"bbox": [1, 2, -3, 4]}, r"annotations\[0\] has bbox .*, of negative size"),
        ({"id": 2}, "annotations have id 2 twice"),
    ],
)
def test_damaged_tracks_of_the_annotations_are_named(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    make_tao(tmp_path)
    path = tmp_path / "TAO/annotations/validation.json"
    data = json.loads(path.read_text())
    data["annotations"][0] |= change
    write_json(path, data)
    write_json(tmp_path / "results.json", [])

    with pytest.raises(ValueError, match=rf"validation\.json: {message}"):
        score_predictions(
            open_benchmark("tao", Source(root=tmp_path)), tmp_path / "results.json", None
        )


def test_frames_that_come_twice_are_named(tmp_path: Path) -> None:
    make_tao(tmp_path)
    path = tmp_path / "TAO/annotations/validation.json"
    data = json.loads(path.read_text())
    write_json(path, {**data, "images": [*data["images"], data["images"][0]]})
    write_json(tmp_path / "results.json", [])

    with pytest.raises(ValueError, match=r"validation\.json: images have id 0 twice"):
        score_predictions(
            open_benchmark("tao", Source(root=tmp_path)), tmp_path / "results.json", None
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": 99}, r"annotations\[0\] has image_id 99, which is not among"),
        ({"description_ids": [99]}, r"annotations\[0\] has description_id 99, which is not among"),
        ({"description_ids": "3"}, r"annotations\[0\] has description_ids '3'; give a list"),
        ({"id": 2}, "annotations have id 2 twice"),
    ],
)
def test_boxes_that_describe_nothing_are_not_passed_over(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    make_omnilabel(tmp_path)
    path = tmp_path / "omnilabel/dataset_all_val_v0.1.3.json"
    data = json.loads(path.read_text())
    data["annotations"][0] |= change
    write_json(path, data)
    write_json(tmp_path / "results.json", [])

    with pytest.raises(ValueError, match=message):
        score_predictions(
            open_benchmark("omnilabel", Source(root=tmp_path)), tmp_path / "results.json", None
        )


def test_frames_that_are_missing_are_told(score: Score) -> None:
    first = {
        "annotated_image_paths": FRAME_NAMES[:1],
        "segmentations": sequence()["segmentations"][:1],
    }

    result = score("burst", make_burst, {"sequences": [sequence(**first)]})

    assert "2 annotated frames of predicted videos are missing: nothing there" in result.notes


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([{"image": "0", "clicks": []}], r"predictions\[0\] has no 'ious'"),
        ([{"image": "0", "clicks": [], "ious": []}], r"predictions\[0\] has ious \[\]"),
        ([{"image": "0", "clicks": [], "ious": [float("nan")]}], "has ious .*; give one in 0..1"),
        ([{"image": "0", "clicks": [], "ious": [1.5]}], r"has ious \[1\.5\]; give one in 0..1"),
        ([{"image": "0", "clicks": [], "ious": [1]}] * 2, r"predictions\[1\] has image '0' for"),
        ([{"image": "9", "clicks": [], "ious": [1]}], "has image '9', which is not among the 2"),
    ],
)
def test_wrong_clicks_are_named(entries: list[Any], message: str, score: Score) -> None:
    with pytest.raises(ValueError, match=message):
        score("clicks-davis", make_clicks, entries)


def test_pictures_without_clicks_are_told(score: Score) -> None:
    result = score("clicks-davis", make_clicks, [{"image": "0", "clicks": [], "ious": [1]}])

    assert result.metric("NoC@90").value == (1 + 20) / 2
    assert "1 pictures have no predictions: never good" in result.notes


NAMES = [f"{frame:05}" for frame in range(FRAMES)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"video": ["video0"]}, r"predictions\[0\] has video \['video0'\]; give a text"),
        ({"frames": "abc"}, "predictions of video 'video0' has frames 'abc'; give a list"),
        ({"size": [48, 10**9]}, "has size .*, more than"),
        ({"objects": [1]}, r"has objects \[1\]; give an object"),
        ({"objects": {"0": [None]}}, "has 1 masks of object 0 for 3 frames"),
        ({"objects": {"0": [5, None, None]}}, "frame '00000' must have a mask as polygons"),
        ({"scores": {"0": [0.5]}}, "expression 0 must have 3 scores"),
    ],
)
def test_wrong_masks_of_expressions_are_named(
    change: dict[str, Any], message: str, score: Score
) -> None:
    mask = {"size": [48, 64], "counts": [48 * 64]}
    entry = {"video": "video0", "frames": NAMES, "size": [48, 64], "objects": {"0": [mask] * 3}}

    with pytest.raises(ValueError, match=message):
        score("ref-davis", make_ref_davis, [{**entry, **change}], lines=True)


@pytest.mark.parametrize("results", ['{"a": 1}', "[5]", "null"])
def test_lines_that_hold_no_objects_are_named(results: str, tmp_path: Path) -> None:
    make_coco(tmp_path)
    path = tmp_path / "predictions.jsonl"
    path.write_text(f'{{"id": 7, "results": {results}}}\n')

    with pytest.raises(ValueError, match=r"predictions\.jsonl, line 1 holds no predictions"):
        score_predictions(open_benchmark("coco", Source(root=tmp_path)), path, None)


def test_an_entry_of_the_annotations_without_its_image_is_told(tmp_path: Path) -> None:
    make_omnilabel(tmp_path)
    path = tmp_path / "omnilabel/dataset_all_val_v0.1.3.json"
    data = json.loads(path.read_text())
    del data["annotations"][0]["image_id"]
    write_json(path, data)
    write_json(tmp_path / "results.json", [])
    benchmark = open_benchmark("omnilabel", Source(root=tmp_path))

    with pytest.raises(ValueError, match=r"v0\.1\.3\.json: an entry has no 'image_id'"):
        score_predictions(benchmark, tmp_path / "results.json", None)


def test_a_damaged_entry_of_the_annotations_is_named(tmp_path: Path) -> None:
    make_coco(tmp_path)
    path = tmp_path / "coco/annotations/instances_val2017.json"
    data = json.loads(path.read_text())
    data["annotations"][2]["area"] = None
    write_json(path, data)
    write_json(tmp_path / "results.json", [FOUND])

    with pytest.raises(ValueError, match=r"val2017\.json: annotations\[2\] has area None"):
        score_predictions(
            open_benchmark("coco", Source(root=tmp_path)), tmp_path / "results.json", None
        )
