"""A user's folder, recognised and read."""

import json
from pathlib import Path

import pytest
from PIL import Image

from glee.data.drawn import drawn_images, write_coco
from glee.data.readers.folder import detect_format, read_folder
from glee.data.readers.index import ImageIndex


def draw(path: Path) -> None:
    """Make an image of 40 x 20 pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 20)).save(path)


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def found(samples: ImageIndex) -> list[tuple[str, tuple[str, ...], list[list[float]]]]:
    frames = [samples[n].frames[0] for n in range(len(samples))]
    return [(Path(str(one.image)).name, one.names, one.boxes.tolist()) for one in frames]


def coco(path: Path, file: str) -> None:
    image = {"id": 1, "file_name": file, "height": 20, "width": 40}
    mark = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 5, 20, 10]}
    data = {"images": [image], "annotations": [mark], "categories": [{"id": 1, "name": "cup"}]}
    put(path, json.dumps(data))


CUP = ("cup",), [[10, 5, 30, 15]]


@pytest.mark.parametrize(
    ("annotations", "image"),
    [
        ("train/_annotations.coco.json", "train/a.jpg"),
        ("annotations/instances_train2017.json", "train2017/a.jpg"),
        ("annotations/instances_train2017.json", "images/train2017/a.jpg"),
        ("train.json", "images/a.jpg"),
    ],
)
def test_coco_is_found_in_its_usual_places(annotations: str, image: str, tmp_path: Path) -> None:
    coco(tmp_path / annotations, "a.jpg")
    draw(tmp_path / image)

    assert detect_format(tmp_path) == "coco"
    splits = read_folder(tmp_path)

    assert list(splits) == ["train"]
    assert found(splits["train"]) == [("a.jpg", *CUP)]
    assert splits["train"][0].frames[0].image == tmp_path / image


def test_a_folder_without_splits_is_one(tmp_path: Path) -> None:
    coco(tmp_path / "labels.json", "a.jpg")
    draw(tmp_path / "a.jpg")

    assert list(read_folder(tmp_path)) == ["all"]


def test_coco_without_its_images_says_what_it_looked_for(tmp_path: Path) -> None:
    coco(tmp_path / "labels.json", "a.jpg")

    with pytest.raises(FileNotFoundError, match=r"'a\.jpg' .* was not found"):
        read_folder(tmp_path)


def test_coco_may_lack_its_first_images(tmp_path: Path) -> None:
    write_coco(drawn_images(3), tmp_path)
    (tmp_path / "images" / "0000.png").unlink()

    samples = read_folder(tmp_path)["all"]

    assert samples.folder == tmp_path / "images"


def test_images_of_two_splits_may_have_the_same_names(tmp_path: Path) -> None:
    for split in ("train", "val"):
        coco(tmp_path / "annotations" / f"{split}.json", "a.jpg")
        draw(tmp_path / "images" / split / "a.jpg")

    splits = read_folder(tmp_path)

    assert splits["train"].folder == tmp_path / "images" / "train"
    assert splits["val"].folder == tmp_path / "images" / "val"


def test_two_files_for_one_split_are_refused(tmp_path: Path) -> None:
    coco(tmp_path / "train_a.json", "a.jpg")
    coco(tmp_path / "train_b.json", "a.jpg")
    draw(tmp_path / "a.jpg")

    with pytest.raises(ValueError, match=r"train_b\.json.*keep one"):
        read_folder(tmp_path)


def yolo(root: Path) -> None:
    for name in ("a", "b", "c"):
        draw(root / "train" / "images" / f"{name}.jpg")
    put(root / "train" / "labels" / "a.txt", "1 0.5 0.5 0.5 0.5\n")
    put(root / "train" / "labels" / "b.txt", "0 0.25 0.25 0.75 0.25 0.75 0.75 0.25 0.75\n")
    put(root / "data.yaml", "names: [saucer, cup]\nnc: 2\ntrain: ../train/images\n")


def test_yolo_boxes_and_polygons_become_pixels(tmp_path: Path) -> None:
    yolo(tmp_path)

    splits = read_folder(tmp_path)

    box = [[10, 5, 30, 15]]
    assert detect_format(tmp_path) == "yolo"
    assert list(splits) == ["train"]
    assert splits["train"].names == ("saucer", "cup")
    assert found(splits["train"]) == [
        ("a.jpg", ("cup",), box),
        ("b.jpg", ("saucer",), box),
        ("c.jpg", (), []),
    ]
    masks = splits["train"][1].frames[0].decode_masks()
    assert masks is not None
    assert masks.sum() == 200


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("7 0.5 0.5 0.5 0.5", "unknown category id"),
        ("0 0.5 0.5 0.5", "box that is not four numbers"),
        ("cup 0.5 0.5 0.5 0.5", "object without a name"),
        ("0 0.5 0.5 0 0.5", "box of zero area"),
        ("0 0.1 0.1 0.2 0.2 0.3", "polygon with fewer than three points"),
    ],
)
def test_a_bad_line_is_left_out_and_named(line: str, fault: str, tmp_path: Path) -> None:
    yolo(tmp_path)
    put(tmp_path / "train" / "labels" / "a.txt", f"{line}\n1 0.5 0.5 0.5 0.5\n")

    samples = read_folder(tmp_path)["train"]

    assert len(samples[0].frames[0]) == 1
    assert samples.report.counts == {fault: 1}


def test_a_label_file_that_is_no_text_is_left_out_and_named(tmp_path: Path) -> None:
    yolo(tmp_path)
    (tmp_path / "train" / "labels" / "a.txt").write_bytes(b"\xff\xfe1 0.5")

    samples = read_folder(tmp_path)["train"]

    assert samples.report.counts == {"label file that is no text": 1}


@pytest.mark.parametrize(
    "names", ["5", "{1000000000: cup}", "{-1: cup}", "{a: cup}", "[[cup]]", "[{a: b}]", "cup"]
)
def test_yolo_names_of_another_form_are_refused(names: str, tmp_path: Path) -> None:
    yolo(tmp_path)
    put(tmp_path / "data.yaml", f"names: {names}\ntrain: train/images\n")

    with pytest.raises(ValueError, match=r"names in .*data\.yaml' must be a list of names"):
        read_folder(tmp_path)


def test_a_json_file_nested_without_end_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "train.json", '{"images": ' + "[" * 100_000)

    with pytest.raises(ValueError, match="train"):
        read_folder(tmp_path)


def test_yolo_names_may_be_numbered_and_splits_folders(tmp_path: Path) -> None:
    draw(tmp_path / "images" / "val" / "a.jpg")
    put(tmp_path / "labels" / "val" / "a.txt", "1 0.5 0.5 0.5 0.5")
    put(tmp_path / "my.yaml", "names: {0: saucer, 1: cup}\nval: images/val\n")

    assert found(read_folder(tmp_path)["val"]) == [("a.jpg", *CUP)]


def test_yolo_names_may_stand_in_a_text_file(tmp_path: Path) -> None:
    draw(tmp_path / "images" / "a.jpg")
    put(tmp_path / "labels" / "a.txt", "0 0.5 0.5 0.5 0.5")
    put(tmp_path / "classes.txt", "cup\n")

    assert found(read_folder(tmp_path)["all"]) == [("a.jpg", *CUP)]


def test_a_damaged_image_is_left_out_and_named(tmp_path: Path) -> None:
    yolo(tmp_path)
    (tmp_path / "train" / "images" / "b.jpg").write_bytes(b"no image")

    samples = read_folder(tmp_path)["train"]

    assert [name for name, *_ in found(samples)] == ["a.jpg", "c.jpg"]
    assert samples.report.counts == {"image that cannot be opened": 1}


def voc_object(name: str, *, difficult: int = 0) -> str:
    box = "<xmin>11</xmin><ymin>6</ymin><xmax>30</xmax><ymax>15</ymax>"
    return (
        f"<object><name>{name}</name><difficult>{difficult}</difficult>"
        f"<bndbox>{box}</bndbox></object>"
    )


def voc(root: Path) -> None:
    marks = voc_object("cup") + voc_object("plate", difficult=1)
    head = "<filename>2007_1.jpg</filename><size><width>0</width></size>"
    put(root / "Annotations" / "2007_1.xml", f"<annotation>{head}{marks}</annotation>")
    draw(root / "JPEGImages" / "2007_1.jpg")
    put(root / "ImageSets" / "Main" / "train.txt", "2007_1\n")


def test_voc_is_read_by_its_lists(tmp_path: Path) -> None:
    voc(tmp_path)

    splits = read_folder(tmp_path)

    assert detect_format(tmp_path) == "voc"
    assert list(splits) == ["train"]
    assert splits["train"].names == ("cup", "plate")
    assert found(splits["train"]) == [("2007_1.jpg", *CUP)]
    assert not splits["train"][0].supervision.teaches_absence("plate")


def test_voc_may_have_images_beside_its_files_in_folders_of_splits(tmp_path: Path) -> None:
    put(tmp_path / "valid" / "a.xml", f"<annotation>{voc_object('cup')}</annotation>")
    draw(tmp_path / "valid" / "a.jpg")

    assert found(read_folder(tmp_path)["val"]) == [("a.jpg", *CUP)]


def test_damaged_and_lonely_xml_files_are_left_out_and_named(tmp_path: Path) -> None:
    voc(tmp_path)
    put(tmp_path / "Annotations" / "2007_2.xml", "<annotation>")
    put(tmp_path / "Annotations" / "2007_3.xml", "<annotation></annotation>")
    put(tmp_path / "ImageSets" / "Main" / "train.txt", "2007_2\n2007_3\n2007_1\n")

    samples = read_folder(tmp_path)["train"]

    assert len(samples) == 1
    assert samples.report.counts == {
        "XML file that cannot be read": 1,
        "XML file without image": 1,
    }


def test_an_unknown_folder_says_what_is_known(tmp_path: Path) -> None:
    draw(tmp_path / "a.jpg")

    with pytest.raises(ValueError, match=r"no known format; expected COCO.*YOLO.*Pascal VOC"):
        read_folder(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_folder(tmp_path / "nowhere")
