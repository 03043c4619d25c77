"""Data sets by their names: all files are looked for at the start, and read from their places."""

import json
from pathlib import Path

import pytest
from PIL import Image

from glee.data.catalog import CATALOG, read_listed, require_files


def coco(root: Path) -> None:
    folder = root / "coco"
    (folder / "annotations").mkdir(parents=True)
    (folder / "train2017").mkdir()
    Image.new("RGB", (4, 4)).save(folder / "train2017" / "1.jpg")
    image = {"id": 1, "file_name": "1.jpg", "height": 4, "width": 4}
    mark = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 2, 2]}
    names = [{"id": 1, "name": "dog"}]
    data = {"images": [image], "annotations": [mark], "categories": names}
    (folder / "annotations" / "instances_train2017.json").write_text(json.dumps(data))


def test_a_data_set_is_read_from_its_place(tmp_path: Path) -> None:
    coco(tmp_path)

    samples = read_listed("coco", tmp_path)

    assert samples[0].frames[0].image == tmp_path / "coco" / "train2017" / "1.jpg"


def test_all_missing_files_are_named_with_their_origin_at_once(tmp_path: Path) -> None:
    coco(tmp_path)
    (tmp_path / "objects365" / "train").mkdir(parents=True)  # an empty folder counts as missing

    with pytest.raises(FileNotFoundError) as raised:
        require_files(tmp_path, [("coco", "train"), ("lvis", "val"), ("objects365", "train")])

    message = str(raised.value)
    assert message.startswith(f"the data root {str(tmp_path)!r} lacks these files")
    assert "lvis/lvis_v1_val.json\n    of lvis, from https://www.lvisdataset.org" in message
    assert "objects365/zhiyuan_objv2_train.json\n" in message
    assert "objects365/train\n    of objects365, from https://www.objects365.org" in message
    assert "coco/" not in message


@pytest.mark.parametrize(
    ("name", "split", "message"),
    [("cocoa", "train", "unknown data set 'cocoa'"), ("coco", "test", "coco has no split 'test'")],
)
def test_an_unknown_data_set_is_refused(
    name: str, split: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        read_listed(name, tmp_path, split=split)


@pytest.mark.parametrize("name", CATALOG)
def test_every_data_set_says_what_is_missing(name: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"(?s){CATALOG[name].files[0].split('{')[0]}"):
        read_listed(name, tmp_path, split=CATALOG[name].splits[0])
