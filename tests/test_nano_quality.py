"""The quality table of nano: its measures on drawn packs and made-up networks, and the command."""

import json
import runpy
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from glee import Instances, Predictor, Prompts
from glee.data.schema import Frame
from glee.model.weights import save_model
from glee.ops.masks import encode_rle, mask_to_boxes
from mini_packs import make_packs
from quality.expressions import Saying, expression_scenes, expression_values
from quality.figures import GOALS, Report
from quality.photos import (
    Encoder,
    absent_values,
    deep_point,
    detection_values,
    mark_values,
    random_point,
    read_photos,
)
from quality.scenes import HELD_OUT_WORDS, to_coco, unseen_scenes
from quality.videos import follow, read_videos, video_values

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_packs(tmp_path_factory.mktemp("packs"))
    for path in (root / "coco_photos").glob("*.json"):
        photos = json.loads(path.read_text())
        for one in photos["annotations"]:
            one["area"] = one["bbox"][2] * one["bbox"][3]
        path.write_text(json.dumps(photos))
    folder = root / "davis_dev"
    for part in ("frames", "masks"):
        (folder / part / "square").mkdir(parents=True)
    for number in range(4):
        pixels = np.zeros((48, 64), dtype=np.uint8)
        pixels[10:30, 5 + 8 * number : 25 + 8 * number] = 1
        Image.fromarray(200 * pixels).save(folder / "frames" / "square" / f"{number:05}.jpg")
        Image.fromarray(pixels).save(folder / "masks" / "square" / f"{number:05}.png")
    thing = {"noun": "square", "expression": "the square that moves to the right"}
    sequences = [{"name": "square", "objects": [thing]}]
    (folder / "meta.json").write_text(json.dumps({"sequences": sequences}))
    return root


class Oracle:
    """Stands for a predictor: finds given masks, one a mark, and one name whenever asked."""

    def __init__(self, masks: NDArray[np.bool_], name: str = "") -> None:
        self.masks, self.name = torch.from_numpy(masks), name

    def encode(self, image: object) -> object:
        return image

    def predict(self, _: object, prompts: Prompts | Sequence[str], **__: Any) -> Instances:
        names = prompts.names if isinstance(prompts, Prompts) else tuple(prompts)
        rows = torch.arange(len(self.masks) if isinstance(prompts, Prompts) else 1)
        if not isinstance(prompts, Prompts) and self.name not in names:
            rows = rows[:0]
        masks = self.masks[rows]
        label = names.index(self.name) if self.name in names else 0
        return Instances(
            boxes=mask_to_boxes(masks),
            scores=torch.ones(len(rows)),
            labels=torch.full((len(rows),), label),
            names=names,
            image_size=(masks.shape[1], masks.shape[2]),
            masks=masks,
            prompt_ids=rows,
        )


def encoder(masks: NDArray[np.bool_], name: str = "") -> Encoder:
    return Encoder(Oracle(masks, name))  # type: ignore[arg-type]


def scene(*objects: tuple[str, tuple[int, int, int, int]]) -> Frame:
    """Return a black picture of 100 x 100 pixels with named rectangles xyxy."""
    masks = torch.zeros(len(objects), 100, 100, dtype=torch.bool)
    for mask, (_, (left, top, right, bottom)) in zip(masks, objects, strict=True):
        mask[top:bottom, left:right] = True
    return Frame(
        image=np.zeros((100, 100, 3), dtype=np.uint8),
        size=(100, 100),
        boxes=np.array([box for _, box in objects], dtype=np.float32),
        names=tuple(name for name, _ in objects),
        masks=tuple(encode_rle(masks)),
    )


def test_the_deep_point_is_farthest_from_the_border_of_a_mask() -> None:
    mask = np.zeros((20, 30), dtype=np.bool_)
    mask[2:5, 2:28] = True  # a long thin part
    mask[5:16, 20:27] = True  # and a thick one, 7 wide

    assert deep_point(mask)[0] == 23.5


def test_a_random_point_lies_inside_and_follows_from_its_seed() -> None:
    mask = np.zeros((20, 30), dtype=np.bool_)
    mask[3:9, 4:8] = True

    points = [random_point(mask, seed) for seed in range(20)]

    assert all(mask[int(y), int(x)] for x, y in points)
    assert points == [random_point(mask, seed) for seed in range(20)]
    assert len(set(points)) > 5


def test_marks_are_scored_by_the_mean_overlap_of_their_masks(root: Path) -> None:
    photos = read_photos(root, "instances_eval.json")  # one object: columns 5-25, rows 10-40
    half = np.zeros((1, 48, 64), dtype=np.bool_)
    half[0, 10:40, 5:15] = True

    values = mark_values(encoder(half), photos)

    assert values["objects"] == 1
    assert values["box: mIoU"] == values["deep point: mIoU"] == pytest.approx(0.5)
    assert values["random point: mIoU small"] == pytest.approx(0.5)


def test_a_name_found_where_it_is_absent_is_an_alarm(root: Path) -> None:
    photos = read_photos(root, "instances_eval.json")  # shows a person and no dog
    masks = np.ones((1, 48, 64), dtype=np.bool_)

    alarms, silence = (
        absent_values(encoder(masks, name), photos, alone=1) for name in ("dog", "person")
    )

    assert alarms == {"alarms": 1, "asked alone": 1, "beside the present": 1}
    assert silence == {"alarms": 0, "asked alone": 0, "beside the present": 0}


def test_only_photos_of_the_wanted_split_are_read(root: Path) -> None:
    photos = read_photos(root, "instances_eval.json")

    assert [image["id"] for image in photos.images] == [2]
    assert len(photos.objects(photos.images[0])) == 1
    assert not photos.of_val2017().images


def test_perfect_results_have_an_average_precision_of_one() -> None:
    data = to_coco([scene(("okapi", (5, 5, 40, 60)), ("cup", (50, 50, 90, 90)))], ["okapi", "cup"])
    results = [{**one, "score": 0.9} for one in data["annotations"]]

    right = detection_values(data, results, masks=True)
    swapped = [{**one, "category_id": 3 - one["category_id"]} for one in results]

    assert right == pytest.approx({"box AP50": 1, "box AP": 1, "mask AP50": 1, "mask AP": 1})
    assert detection_values(data, swapped, masks=False) == {"box AP50": 0, "box AP": 0}


def test_every_unseen_scene_shows_a_held_out_name_and_is_the_same_each_time(root: Path) -> None:
    first, again = unseen_scenes(root, 12), unseen_scenes(root, 12)

    for one, other in zip(first, again, strict=True):
        assert set(one.names) & set(HELD_OUT_WORDS)
        np.testing.assert_array_equal(one.image, other.image)
    assert {name for one in first for name in one.names} - set(HELD_OUT_WORDS)


def test_scenes_of_expressions_mean_one_object_and_no_held_out_name(root: Path) -> None:
    first, again = expression_scenes(root, 12), expression_scenes(root, 12)

    assert [one.text for one in first] == [one.text for one in again]
    assert all(len(one.frame) == 1 for one in first)
    assert not any(word in one.text for one in first for word in HELD_OUT_WORDS)


def test_an_expression_is_found_if_more_than_half_overlaps() -> None:
    boxes = (50, 50, 90, 90), (50, 50, 90, 80), (50, 50, 90, 70), (0, 0, 20, 20)
    sayings = [Saying(scene(("dog", box)), "the dog") for box in boxes]
    # Of one only the mask is half of the dog, the box is all of it.
    half = sayings[2].frame
    sayings[2] = Saying(replace(half, boxes=sayings[0].frame.boxes), "the dog")
    dog = sayings[0].frame.decode_masks()
    assert dog is not None

    values = expression_values(Oracle(dog.numpy()), sayings)  # type: ignore[arg-type]

    # Overlaps of 1, 3/4, 1/2 and nothing; a half is not more than a half.
    assert values == {"scenes": 4, "P@0.5": 0.75, "mask P@0.5": 0.5, "mIoU": 2.25 / 4}


def test_the_first_mask_of_a_video_is_followed_through_all_frames(
    root: Path, predictor: Predictor
) -> None:
    video = read_videos(root)[0]

    found = follow(predictor, video)

    assert set(found) == {"mask", "mask refreshed", "name", "expression"}
    assert all(one.shape == (4, 48, 64) for one in found.values())
    assert video.every(2).frames == video.frames[::2]
    assert video.truth().sum((1, 2)).tolist() == [400] * 4


def test_videos_are_scored_by_name_and_way(root: Path, predictor: Predictor) -> None:
    values = video_values(predictor, read_videos(root))

    assert values["frames"] == 4
    assert values["mask: J&F"] == values["mask: square"]
    assert 0 <= values["name: J&F"] <= 1


def test_the_table_says_which_goals_are_reached() -> None:
    sections = {
        "photos": {"box AP50": 0.2},
        "absent": {"alarms": 0.01},
        "videos": {"mask: J&F": 0.1},
    }
    report = Report(model="some", settings={"extent": "all"}, sections=sections, seconds={})

    lines = report.to_markdown().splitlines()

    assert [goal.state(report.value(goal.key)) for goal in GOALS] == [
        "floor", "below floor", "below floor", "below floor", "below floor", "below floor",
        "below floor", "below floor", "aim",
    ]  # fmt: skip
    assert any("box AP50 | 0.200 | 0.15 | 0.4 | floor |" in line for line in lines)
    assert any("name alone: J&F | - |" in line for line in lines)


def test_a_folder_without_packs_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"instances_eval\.json is missing.*--data"):
        read_photos(tmp_path, "instances_eval.json")


def test_the_command_writes_the_table_and_the_pictures(
    root: Path, tmp_path: Path, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, out = tmp_path / "tiny.safetensors", tmp_path / "out"
    save_model(weights, predictor.model)
    command = ["nano_quality.py", "--model", str(weights), "--data", str(root)]
    module = runpy.run_path(str(BENCHMARKS / "nano_quality.py"))
    for name, value in (("QUICK_SCENES", 2), ("QUICK_FRAMES", 1)):
        monkeypatch.setitem(module["read_all"].__globals__, name, value)
    monkeypatch.setattr(sys, "argv", [*command, "--out", str(out), "--quick"])

    module["main"]()

    values = json.loads((out / "quality.json").read_text())
    assert set(values["sections"]) == {
        "photos", "marks", "people", "absent", "unseen", "expressions", "videos",
    }  # fmt: skip
    assert (out / "quality.md").read_text().startswith("# Quality of tiny.safetensors")
    assert (out / "sheet.png").is_file()
    assert len(list((out / "pictures").glob("*.jpg"))) >= 6
