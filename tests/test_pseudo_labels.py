import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from glee.data.readers.pseudo_labels import read_pseudo_labels
from glee.results import Instances
from glee.training.nanodet import COCO_NAMES
from make_pseudo_labels import measure, photos_of, to_coco

PHOTO = {"id": 7, "file_name": "street.jpg", "height": 60, "width": 100, "split": "train"}
DOG, CAT = COCO_NAMES.index("dog"), COCO_NAMES.index("cat")


def found(*rows: tuple[int, float, tuple[float, float, float, float]]) -> Instances:
    """Return what a teacher found: label, score and box xyxy of each, best first."""
    return Instances(
        boxes=torch.tensor([box for _, _, box in rows], dtype=torch.float32).reshape(-1, 4),
        scores=torch.tensor([score for _, score, _ in rows], dtype=torch.float32),
        labels=torch.tensor([label for label, _, _ in rows], dtype=torch.int64),
        names=COCO_NAMES,
        image_size=(60, 100),
    )


def entry(name: str, xywh: list[float], *, crowd: int = 0) -> dict[str, Any]:
    number = COCO_NAMES.index(name) + 1
    return {"image_id": 7, "category_id": number, "bbox": xywh, "iscrowd": crowd}


def truth(*entries: dict[str, Any]) -> dict[str, Any]:
    categories = [{"id": n, "name": name} for n, name in enumerate(COCO_NAMES, 1)]
    return {"annotations": list(entries), "categories": categories}


def test_sure_boxes_become_objects_and_teach_no_absence(tmp_path: Path) -> None:
    labels = found(
        (DOG, 0.9, (10, 10, 40, 50)), (CAT, 0.2, (50, 10, 80, 50)), (DOG, 0.1, (60, 0, 90, 9))
    )
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(to_coco([(PHOTO, labels)], least=0.05)))

    (sample,) = read_pseudo_labels(path, tmp_path, least_score=0.35)

    covered = sample.supervision
    assert sample.frames[0].names == ("dog",)
    assert sample.frames[0].boxes.tolist() == [[10, 10, 40, 50]]
    assert covered.machine_made
    assert not covered.masks
    assert {name for name in COCO_NAMES if not covered.teaches_absence(name)} == {"dog", "cat"}
    assert covered.partial == {"dog", "cat"}
    assert not covered.teaches_absence("okapi")


def test_photos_with_unsure_boxes_only_are_no_samples(tmp_path: Path) -> None:
    other = {**PHOTO, "id": 8, "file_name": "sky.jpg"}
    labelled = [(PHOTO, found((CAT, 0.2, (50, 10, 80, 50)))), (other, found())]
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(to_coco(labelled, least=0.05)))

    (sample,) = read_pseudo_labels(path, tmp_path, least_score=0.35)

    assert sample.key == str(tmp_path / "sky.jpg")
    assert sample.supervision.absent == set(COCO_NAMES)


def test_a_box_is_right_if_it_is_the_best_of_its_name_on_an_object() -> None:
    labels = found(
        (DOG, 0.9, (10, 10, 40, 50)),
        (DOG, 0.8, (11, 10, 40, 50)),  # on the same dog
        (CAT, 0.7, (50, 10, 80, 50)),  # on a dog
        (DOG, 0.6, (85, 10, 95, 30)),  # in a crowd of dogs: does not count
    )
    annotated = truth(
        entry("dog", [10, 10, 30, 40]),
        entry("dog", [50, 10, 30, 40]),
        entry("dog", [82, 0, 18, 60], crowd=1),
    )

    tally = measure([(PHOTO, labels)], annotated)

    rows = sorted(zip(tally.scores, tally.right, strict=True))
    assert [round(score, 1) for score, _ in rows] == [0.7, 0.8, 0.9]
    assert [right for _, right in rows] == [False, False, True]
    assert tally.objects == 2
    assert len(tally.best) == len(tally.shown) == 80
    assert (tally.shown[DOG], tally.shown[CAT]) == (True, False)


def test_the_tables_count_what_is_kept_and_what_is_wrongly_absent() -> None:
    labels = found((DOG, 0.42, (10, 10, 40, 50)), (CAT, 0.31, (0, 0, 9, 9)))
    annotated = truth(entry("dog", [10, 10, 30, 40]), entry("bench", [50, 10, 30, 40]))

    lines = list(measure([(PHOTO, labels)], annotated).lines())

    assert lines[3].split() == ["0.30", "2", "0.500", "0.500"]
    assert lines[5].split() == ["0.40", "1", "1.000", "0.500"]
    # Of 78 names without a box one is shown, the bench; two names are shown in all.
    assert lines[10].split() == ["0.05", "78", "0.0128", "0.500"]


def test_photos_come_from_a_folder_or_a_file_without_those_of_another(tmp_path: Path) -> None:
    for name in ("b.png", "a.jpg"):
        Image.fromarray(np.zeros((20, 30, 3), dtype=np.uint8)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no photo")
    images = [{**PHOTO, "id": n, "split": split} for n, split in ((1, "train"), (2, "train"))]
    images.append({**PHOTO, "id": 3, "split": "eval"})
    listed, known = tmp_path / "photos.json", tmp_path / "known.json"
    listed.write_text(json.dumps({"images": images}))
    known.write_text(json.dumps({"images": images[:1]}))

    folder = photos_of(tmp_path, split=None, without=None)
    file = photos_of(listed, split="train", without=known)

    assert [(one["file_name"], one["height"]) for one in folder] == [("a.jpg", 20), ("b.png", 20)]
    assert [one["id"] for one in file] == [2]


def test_entries_without_a_score_are_no_objects(tmp_path: Path) -> None:
    labels = to_coco([(PHOTO, found((DOG, 0.9, (10, 10, 40, 50))))], least=0.05)
    del labels["annotations"][0]["score"]
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(labels))

    assert len(read_pseudo_labels(path, tmp_path, least_score=0.35)) == 0


@pytest.mark.parametrize("least_score", [0.0, 1.0])
def test_the_score_that_is_asked_for_decides(tmp_path: Path, least_score: float) -> None:
    path = tmp_path / "labels.json"
    labels = found((DOG, 0.9, (10, 10, 40, 50)))
    path.write_text(json.dumps(to_coco([(PHOTO, labels)], least=0.05)))

    samples = read_pseudo_labels(path, tmp_path, least_score=least_score)

    assert len(samples) == (1 if least_score == 0 else 0)
