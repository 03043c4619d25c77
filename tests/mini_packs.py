"""A miniature of the corpus' packs: drawn cut-outs in tar files, in the layout of the real ones."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

COLORS = {"red": (210, 30, 30), "green": (30, 160, 40), "blue": (30, 60, 210)}

SOURCES = {
    "caltech101": ("photo", "caltech101-00.tar"),
    "coco": ("photo", "coco-00.tar"),
    "tuxpaint": ("photo", "tuxpaint-00.tar"),
    "grocery": ("photo", "grocery-00.tar"),
    "sweethome3d": ("render", "sweethome3d-00.tar"),
    "fluent3d": ("emoji", "fluent3d-00.tar"),
}

NAMES: dict[str, list[dict[str, Any]]] = {
    "caltech101": [
        {"name": "leopard", "parent": "animal"},
        {"name": "dalmatian", "parent": "dog"},
        {"name": "okapi", "parent": "animal", "heldout": True},
        {"name": "windsor chair", "parent": "furniture", "synonyms": ["chair"]},
    ],
    "coco": [
        {"name": "dog", "parent": "animal"},
        {"name": "cup", "synonyms": ["mug"]},
        {"name": "person"},
    ],
    "tuxpaint": [{"name": "rose"}, {"name": "old wheelchair"}],
    "grocery": [{"name": "apple", "parent": "fruit", "synonyms": ["pagoda apple"]}],
    "sweethome3d": [{"name": "chair", "parent": "furniture"}, {"name": "desk lamp"}],
    "fluent3d": [{"name": "robot"}],
}

YAWS = range(0, 360, 45)


def make_packs(root: Path) -> Path:
    """Write cut-outs, backgrounds and photos under a folder, and return it."""
    _make_cutouts(root / "cutouts")
    _make_backgrounds(root / "backgrounds")
    _make_photos(root / "coco_photos")
    return root


def draw_cutout(color: tuple[int, int, int], size: tuple[int, int] = (90, 60)) -> Image.Image:
    """Return a filled ellipse, RGBA."""
    picture = Image.new("RGBA", size)
    ImageDraw.Draw(picture).ellipse((1, 1, size[0] - 2, size[1] - 2), fill=(*color, 255))
    return picture


def _make_cutouts(folder: Path) -> None:
    folder.mkdir(parents=True)
    lines = []
    for source, (kind, shard) in SOURCES.items():
        with tarfile.open(folder / shard, "w") as tar:
            for given in NAMES[source]:
                lines += [_add(tar, source, kind, given, n) for n in range(len(YAWS))]
    with tarfile.open(folder / "caltech101-01.tar", "w"):
        pass
    (folder / "index.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")


def _add(
    tar: tarfile.TarFile, source: str, kind: str, given: dict[str, Any], number: int
) -> dict[str, Any]:
    stream = io.BytesIO()
    color = list(COLORS.values())[number % len(COLORS)]
    picture = draw_cutout(color, (90, 60) if number % 2 else (60, 80))
    picture.save(stream, "WEBP", lossless=True)
    member = tarfile.TarInfo(f"{source}_{given['name']}_{number}.webp")
    member.size = len(stream.getvalue())
    offset = tar.offset + 512
    tar.addfile(member, io.BytesIO(stream.getvalue()))
    turned = {"model": given["name"], "yaw": YAWS[number], "pitch": 10} if kind == "render" else {}
    return {
        "file": member.name,
        "shard": Path(str(tar.name)).name,
        "offset": offset,
        "bytes": member.size,
        "source": source,
        "kind": kind,
        "licence": "CC0",
        "width": picture.width,
        "height": picture.height,
        "heldout": False,
        **turned,
        **given,
    }


def _make_backgrounds(folder: Path) -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(3)
    lines = []
    for n in range(3):
        pixels = rng.integers(90, 150, (40, 60, 3)).astype(np.uint8)
        Image.fromarray(pixels).resize((480, 320)).save(folder / f"{n}.jpg")
        lines.append({"file": f"{n}.jpg", "source": "coco", "kind": "photo"})
    (folder / "index.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")


def _make_photos(folder: Path) -> None:
    (folder / "images").mkdir(parents=True)
    categories = [{"id": 1, "name": "person"}, {"id": 3, "name": "dog"}]
    images = []
    for number, split in ((1, "train"), (2, "eval"), (3, "train")):
        Image.new("RGB", (64, 48), (9 * number, 80, 90)).save(folder / "images" / f"{number}.jpg")
        size = {"height": 48, "width": 64, "split": split}
        images.append({"id": number, "file_name": f"{number}.jpg", **size})
    marks = [
        {
            "id": number,
            "image_id": image,
            "category_id": category,
            "bbox": [left, 10, 20, 30],
            "segmentation": [[left, 10, left + 20, 10, left + 20, 40, left, 40]],
            "score": score,
        }
        for number, (image, category, left, score) in enumerate(
            [(1, 3, 2, 0.9), (1, 1, 40, 0.3), (2, 1, 5, 0.9), (3, 3, 4, 0.2)], 1
        )
    ]
    boxes = [{k: v for k, v in mark.items() if k != "segmentation"} for mark in marks]
    people = [mark for mark in boxes if mark["category_id"] == 1]
    train, held_back = images[:1], images[1:2]
    contents = {
        "instances_train.json": (train, marks[:2], categories),
        "instances_eval.json": (held_back, marks[2:3], categories),
        "persons.json": (images, people, categories[:1]),
        "machine_boxes.json": (images, boxes, categories),
    }
    for file, (shown, own, names) in contents.items():
        text = json.dumps({"images": shown, "annotations": own, "categories": names})
        (folder / file).write_text(text)
