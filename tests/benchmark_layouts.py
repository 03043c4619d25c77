"""Small data sets in the official layouts of all benchmarks: a few pictures with boxes in them."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glee.evaluation.benchmarks.odinw import ODINW13, ODINW35

HEIGHT, WIDTH = 48, 64
Box = tuple[int, int, int, int]

# Two objects in each of three pictures, xywh.
BOXES: tuple[tuple[Box, Box], ...] = (
    ((4, 6, 20, 16), (34, 20, 24, 22)),
    ((10, 8, 30, 30), (44, 4, 16, 12)),
    ((2, 24, 18, 20), (30, 6, 28, 34)),
)


def write_json(path: Path, values: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))


def write_picture(path: Path, number: int = 0, shift: int = 0) -> None:
    """Write a picture with the boxes of a number, moved to the right by so many pixels."""
    picture = np.random.default_rng(number).integers(0, 90, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    for place, (left, top, width, height) in enumerate(BOXES[number % 3]):
        picture[top : top + height, left + shift : left + shift + width, place] = 230
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, quality=95)


def polygon(box: Box) -> list[list[int]]:
    left, top, width, height = box
    right, bottom = left + width, top + height
    return [[left, top, right, top, right, bottom, left, bottom]]


def coco_file(names: Mapping[int, str], file_name: str = "{:012}.jpg") -> dict[str, Any]:
    """Return an annotation file: three images, two objects each, of the first two categories."""
    ids = sorted(names)
    pairs = [(n, place, box) for n, two in enumerate(BOXES) for place, box in enumerate(two)]
    return {
        "images": [
            {"id": 7 + n, "file_name": file_name.format(7 + n), "height": HEIGHT, "width": WIDTH}
            for n in range(len(BOXES))
        ],
        "annotations": [
            {
                "id": row + 1,
                "image_id": 7 + n,
                "category_id": ids[min(place, len(ids) - 1)],
                "bbox": list(box),
                "area": box[2] * box[3],
                "iscrowd": 0,
                "segmentation": polygon(box),
            }
            for row, (n, place, box) in enumerate(pairs)
        ],
        "categories": [{"id": key, "name": names[key]} for key in ids],
    }


def write_pictures(folder: Path, data: Mapping[str, Any]) -> None:
    for number, one in enumerate(data["images"]):
        write_picture(folder / one["file_name"], number)


def make_coco(root: Path) -> None:
    data = coco_file({1: "person", 3: "car", 17: "cat"})
    write_json(root / "coco/annotations/instances_val2017.json", data)
    write_pictures(root / "coco/val2017", data)


def make_lvis(root: Path) -> None:
    data = coco_file({1: "aerosol_can", 2: "bat_(animal)", 3: "zebra"})
    for number, one in enumerate(data["images"]):
        file = f"val2017/{one.pop('file_name')}"
        write_picture(root / "coco" / file, number)
        one["coco_url"] = f"http://images.cocodataset.org/{file}"
        one |= {"neg_category_ids": [3], "not_exhaustive_category_ids": []}
    for one, frequency in zip(data["categories"], "rcf", strict=True):
        one["frequency"] = frequency
    for name in ("lvis_v1_val.json", "lvis_v1_minival_inserted_image_name.json"):
        write_json(root / "lvis" / name, data)


def make_objects365(root: Path) -> None:
    data = coco_file({1: "Person", 2: "Table Tennis "}, "images/v2/patch16/objects365_v2_{:08}.jpg")
    write_json(root / "Objects365v2/annotations/zhiyuan_objv2_val.json", data)
    write_pictures(root / "Objects365v2/images", data)


def make_uvo(root: Path) -> None:
    data = coco_file({1: "object"}, "video_{}/0.png")
    name = "UVO/annotations/FrameSet/UVO_frame_val_onecategory.json"
    write_json(root / name, data)
    write_pictures(root / "UVO/uvo_videos_frames", data)


ODINW_NAMES = {
    "CottontailRabbits": {1: "Cottontail-Rabbit"},
    "EgoHands": {1: "hand"},
    "Packages": {1: "package"},
    "ChessPieces": {0: "  ", 1: "black bishop"},
    "boggleBoards": {0: "o", 1: "o "},
}


def make_odinw(root: Path) -> None:
    for name, file in ODINW35.items():
        data = coco_file(ODINW_NAMES.get(name, {1: "thing", 2: "other thing"}), "{}_jpg.rf.jpg")
        kept = 1 if name in ODINW13 else 0  # so that all together stay fast
        data["images"] = data["images"][kept : kept + 1]
        shown = {one["id"] for one in data["images"]}
        data["annotations"] = [one for one in data["annotations"] if one["image_id"] in shown]
        path = root / "odinw/dataset" / file
        write_json(path, data)
        write_pictures(path.parent, data)


def make_refcoco(root: Path) -> None:
    data = coco_file({1: "object"}, "COCO_train2014_{:012}.jpg")
    data["annotations"] = data["annotations"][::2]
    for one, text in zip(data["images"], ("The red box.", "box on the left", "big"), strict=True):
        one["expressions"] = [text]
    write_pictures(root / "coco/train2014", data)
    for folder, splits in (
        ("refcoco-unc", ("val", "testA", "testB")),
        ("refcocoplus-unc", ("val", "testA", "testB")),
        ("refcocog-umd", ("val", "test")),
    ):
        for split in splits:
            write_json(root / f"annotations/{folder}/instances_{split}.json", data)


def make_omnilabel(root: Path) -> None:
    data = coco_file({1: "object"}, "coco/val2017/{}.jpg")
    write_pictures(root / "omnilabel/images", data)
    long = "the red box that stands beside the green one"
    texts = {"person": "category", "car": "category", "red box": "description"}
    texts |= {"the box on the left": "description", long: "description"}
    descriptions = [
        {"id": row, "text": text, "image_ids": [7, 8, 9], "anno_info": {"type": f"object_{kind}"}}
        for row, (text, kind) in enumerate(texts.items(), start=1)
    ]
    boxes = [
        {
            "id": one["id"],
            "image_id": one["image_id"],
            "bbox": one["bbox"],
            "description_ids": [1 + one["id"] % 2, 3, 4, 5],
        }
        for one in data["annotations"]
    ]
    images = [{"id": one["id"], "file_name": one["file_name"]} for one in data["images"]]
    write_json(
        root / "omnilabel/dataset_all_val_v0.1.3.json",
        {"images": images, "annotations": boxes, "descriptions": descriptions},
    )


def make_saco(root: Path) -> None:
    data = coco_file({1: "object"}, "{}.jpeg")
    write_pictures(root / "saco/images/metaclip", data)
    for one, phrase in zip(data["images"], ("red box", "green box", "zebra"), strict=True):
        one |= {"text_input": phrase, "is_instance_exhaustive": True}
    data["annotations"] = data["annotations"][:4]
    for who in "abc":
        name = f"gold_crowded_merged_{who}_release_test.json"
        write_json(root / "saco/annotations" / name, data)


def make_clicks(root: Path) -> None:
    for folder, pictures, masks, ending in (
        ("GrabCut", "data_GT", "boundary_GT", "bmp"),
        ("Berkeley", "images", "masks", "png"),
        ("DAVIS_clicks", "img", "gt", "png"),
    ):
        for number in range(2):
            write_picture(root / folder / pictures / f"{number}.jpg", number)
            mask = label_map(number) == 1
            path = root / folder / masks / f"{number}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask.astype(np.uint8) * 255).save(path)


def label_map(number: int, shift: int = 0) -> NDArray[np.uint8]:
    """Return the pixels of the two objects of a picture, 1 and 2."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    for place, (left, top, width, height) in enumerate(BOXES[number % 3], start=1):
        labels[top : top + height, left + shift : left + shift + width] = place
    return labels


IMAGE_LAYOUTS: Mapping[str, Callable[[Path], None]] = {
    "coco": make_coco,
    "lvis": make_lvis,
    "lvis-minival": make_lvis,
    "objects365": make_objects365,
    "uvo": make_uvo,
    "odinw13": make_odinw,
    "odinw35": make_odinw,
    "refcoco-val": make_refcoco,
    "refcoco+-testA": make_refcoco,
    "refcocog-test": make_refcoco,
    "omnilabel": make_omnilabel,
    "saco-crowded": make_saco,
    "clicks-grabcut": make_clicks,
    "clicks-berkeley": make_clicks,
    "clicks-davis": make_clicks,
}
"""What writes the data of each benchmark below a root; splits of the same layout stand for all."""
