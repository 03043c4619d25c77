"""A data set is checked before it is trained on: what it holds, what is wrong, and a picture."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glee.cli.main import main

NAMES = [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}, {"id": 3, "name": "cow"}]


def draw(path: Path, size: tuple[int, int] = (60, 40), seed: int = 0) -> None:
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)


def mark(number: int, image: int, **changes: Any) -> dict[str, Any]:
    box = [5 + number, 5, 30, 20]
    polygon = [[5, 5, 35, 5, 35, 25, 5, 25]]
    own = {"id": number, "image_id": image, "category_id": 1, "bbox": box, "iscrowd": 0}
    return own | {"segmentation": polygon} | changes


def write(folder: Path, marks: list[dict[str, Any]], split: str = "train", images: int = 3) -> Path:
    folder.mkdir(exist_ok=True)
    entries = []
    for n in range(1, images + 1):
        draw(folder / f"{split}{n}.png", seed=n)
        entries.append({"id": n, "file_name": f"{split}{n}.png", "height": 40, "width": 60})
    data = {"images": entries, "annotations": marks, "categories": NAMES}
    (folder / f"{split}.json").write_text(json.dumps(data))
    return folder


def check(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, Any]:
    code = main(["data", "check", *map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


GOOD = [mark(1, 1), mark(2, 2), mark(3, 2, category_id=2)]


def test_counts_and_names_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path / "data", GOOD)

    code = main(["data", "check", str(folder)])

    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert lines[:3] == [
        "train: 3 samples",
        "3 images, 1 of them without objects",
        "3 objects, 3 with a mask, 0 below 2 pixels",
    ]
    assert "dog        2 ########################################" in lines
    assert "cat        1 ####################" in lines
    assert "1 names without an object" in lines
    assert lines[-1] == "0 of 9 entries left out"  # 3 images and 3 objects, and 3 files


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"bbox": [100, 5, 10, 10]}, "box outside its image"),
        ({"bbox": [5, 5, 0, 10]}, "box of zero area"),
        ({"segmentation": [[1, 1, 5, 5]]}, "polygon with fewer than three points"),
        ({"segmentation": {"size": [9, 9], "counts": "444"}}, "mask of another size"),
        ({"category_id": 9}, "unknown category id"),
        ({"image_id": 9}, "annotation of a missing image"),
    ],
)
def test_bad_objects_are_counted_and_fail_the_check(
    changes: dict[str, Any], fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "data", [*GOOD, mark(4, 3, **changes)])

    code, facts = check(capsys, folder)

    assert (code, facts["good"]) == (1, False)
    (found,) = facts["splits"]["train"]["faults"]
    assert found.startswith(fault)
    assert check(capsys, folder, "--bad-share", 0.2)[0] == 0


def missing(folder: Path) -> None:
    (folder / "train1.png").unlink()


def damaged(folder: Path) -> None:
    (folder / "train1.png").write_bytes(b"no image")


def resized(folder: Path) -> None:
    draw(folder / "train1.png", (50, 50))


def copied(folder: Path) -> None:
    (folder / "train1.png").write_bytes((folder / "train2.png").read_bytes())


@pytest.mark.parametrize(
    ("harm", "fault"),
    [
        (damaged, "image file that is no image"),
        (resized, "image of another size than its annotation"),
        (copied, "image that occurs twice"),
    ],
)
def test_bad_image_files_are_counted(
    harm: Any, fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "data", GOOD)
    harm(folder)

    code, facts = check(capsys, folder)

    assert code == 1
    assert list(facts["splits"]["train"]["faults"]) == [fault]


def test_a_missing_image_and_an_object_twice_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "data", [*GOOD, mark(3, 2, category_id=2)])
    (folder / "train3.png").unlink()

    code, facts = check(capsys, folder)

    assert code == 1
    train = facts["splits"]["train"]
    assert train["faults"] == {"object annotated twice": 1, "missing image file": 1}
    assert train["examples"]["missing image file"] == [str(folder / "train3.png")]


def test_a_truncated_image_is_found_by_decoding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "data", GOOD)
    path = folder / "train1.png"
    with Image.open(path) as picture:
        picture.save(path, format="JPEG")  # of a PNG file even the header would not be read
    path.write_bytes(path.read_bytes()[:-200])

    assert check(capsys, folder)[0] == 0
    code, facts = check(capsys, folder, "--decode")

    assert code == 1
    assert list(facts["splits"]["train"]["faults"]) == ["image or mask that cannot be decoded"]


def test_an_image_of_both_splits_is_a_leak(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "data", GOOD)
    write(folder, [mark(1, 1)], split="val", images=1)  # of the same seed

    code, facts = check(capsys, folder)

    assert code == 0
    (example,) = facts["leaks"]["image that another split has too"]
    assert "val1.png" in example
    assert "train1.png" in example


def test_the_contact_sheet_shows_samples_and_leaves_out_bad_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "data", GOOD)
    (folder / "train3.png").unlink()
    sheet = tmp_path / "sheet.png"

    main(["data", "check", str(folder), "--sheet", str(sheet)])

    with Image.open(sheet) as picture:
        pixels = np.array(picture)
    places = [pixels[50:200, 6 + 326 * n : 326 + 326 * n] for n in range(4)]
    assert [bool((place != 250).any()) for place in places] == [True, True, False, False]
    capsys.readouterr()
    assert main(["data", "check", str(folder), "--sheet", str(sheet)]) == 2
    assert "sheet.png exists already; give --force" in capsys.readouterr().err


def test_a_data_set_by_its_name_is_found_in_the_data_root(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "check", str(tmp_path), "--set", "coco", "--split", "val"]) == 1
    assert "coco/annotations/instances_val2017.json" in capsys.readouterr().err
    assert main(["data", "check", str(tmp_path), "--set", "cocoa"]) == 2
    assert "unknown data set 'cocoa'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--limit", "0"], "--limit must be at least 1"),
        (["--bad-share", "2"], "--bad-share must lie in 0..1"),
        (["--split", "test"], "there is no split 'test'; choose from train"),
    ],
)
def test_options_that_make_no_sense_are_wrong_usage(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "data", GOOD)

    assert main(["data", "check", str(folder), *words]) == 2
    assert message in capsys.readouterr().err


def test_a_limit_opens_some_of_the_samples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, facts = check(capsys, write(tmp_path / "data", GOOD), "--limit", 2)

    assert (facts["splits"]["train"]["samples"], facts["splits"]["train"]["looked_at"]) == (3, 2)
