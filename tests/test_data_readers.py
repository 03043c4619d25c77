"""Readers of other formats for images, each on a small example in its official layout."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glee.data.readers import json_stream
from glee.data.readers.columns import Lists, Packed, Texts
from glee.data.readers.grit import read_grit
from glee.data.readers.json_stream import iterate_entries
from glee.data.readers.open_images import read_open_images
from glee.data.readers.phrases import read_phrases
from glee.data.readers.sa1b import read_sa1b
from glee.data.readers.visual_genome import read_visual_genome
from glee.data.schema import BadSampleError, Subset


def put(path: Path, data: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def draw(path: Path, size: tuple[int, int] = (40, 20)) -> Path:
    """Make an image file of (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)
    return path


@pytest.mark.parametrize("chunk", range(1, 12))
def test_json_is_read_the_same_whatever_comes_in_one_piece(
    chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_stream, "CHUNK", chunk)
    data = {"info": 123, "images": [{"a": "x,]}"}, -1.5e3, [], "é"], "empty": [], "last": {"b": 2}}
    path = put(tmp_path / "a.json", json.dumps(data, indent=1, ensure_ascii=False))

    entries = list(iterate_entries(path))

    expected = [("info", 123), *(("images", one) for one in data["images"])]
    assert entries == [*expected, ("last", {"b": 2})]


def test_a_large_file_is_read_in_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_stream, "CHUNK", 2**14)
    path = put(tmp_path / "a.json", [{"id": n, "phrase": "x" * 100} for n in range(5_000)])

    tracemalloc.start()
    count = sum(1 for _ in iterate_entries(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert count == 5_000
    assert peak < path.stat().st_size / 4


def test_columns_give_back_what_was_put_in() -> None:
    packed, texts, lists = Packed(), Texts(["é", ""]), Lists()
    packed.append(b"ab")
    lists.append([3, 1])
    lists.append([])

    assert (packed[0], packed[-1], texts[0], texts[1]) == (b"ab", b"ab", "é", "")
    assert (lists[0], lists[1], lists.counts().tolist()) == ([3, 1], [], [2, 0])
    with pytest.raises(IndexError):
        texts[2]


def test_phrases_are_names_of_an_open_vocabulary(tmp_path: Path) -> None:
    image = {"id": 3, "file_name": "3.jpg", "height": 600, "width": 800}
    box = {"image_id": 3, "bbox": [0, 0, 20, 20], "category_id": 1, "area": 400}
    phrases: list[dict[str, Any]] = [
        {"object_name": "wooden bench"},
        {"caption": "no", "caption_with_token": "a tree"},
        {"caption": "wooden bench"},
        {"caption": " "},
    ]
    marks = [box | {"id": n} | phrase for n, phrase in enumerate(phrases)]
    path = put(tmp_path / "vg.json", {"images": [image], "annotations": marks, "categories": []})

    samples = read_phrases(path, tmp_path, boxes=False)

    assert [samples.names[n] for n in range(len(samples.names))] == ["wooden bench", "a tree"]
    assert samples[0].frames[0].names == ("wooden bench", "a tree", "wooden bench")
    assert samples[0].supervision.teaches_absence("anything else")
    assert not samples[0].supervision.boxes
    assert samples.report.counts == {"object without a name": 1}


@pytest.mark.parametrize(
    "entry",
    [
        {
            "image_id": 5,
            "image_url": "https://cs.stanford.edu/people/rak248/VG_100K_2/5.jpg",
            "objects": [{"object_id": 1, "x": 1, "y": 2, "w": 3, "h": 4, "names": ["tree"]}],
        },
        {
            "id": 5,
            "regions": [
                {"region_id": 1, "image_id": 5, "x": 1, "y": 2, "width": 3, "height": 4}
                | {"phrase": "tree"}
            ],
        },
    ],
    ids=["objects", "regions"],
)
def test_visual_genome_is_read_from_its_own_files(entry: dict[str, Any], tmp_path: Path) -> None:
    url = "https://cs.stanford.edu/people/rak248/VG_100K_2/5.jpg"
    about = {"image_id": 5, "url": url, "width": 80, "height": 60, "coco_id": None}
    image_data = put(tmp_path / "image_data.json", [about])

    sample = read_visual_genome(put(tmp_path / "objects.json", [entry]), image_data, tmp_path)[0]

    frame = sample.frames[0]
    assert (frame.image, frame.size) == (tmp_path / "VG_100K_2" / "5.jpg", (60, 80))
    assert (frame.names, frame.boxes.tolist()) == (("tree",), [[1, 2, 4, 6]])


BOX_HEADER = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,"
BOX_HEADER += "IsGroupOf,IsDepiction,IsInside\n"


def open_images(folder: Path) -> tuple[Path, Path, Path]:
    draw(folder / "0a1b.jpg")
    boxes = BOX_HEADER + "0a1b,xclick,/m/01,1,0.25,0.75,0,0.5,0,0,0,0,0\n"
    boxes += "0a1b,xclick,/m/02,1,0,1,0,1,0,0,1,0,0\n"  # a group
    boxes += "0a1b,xclick,/m/02,1,0.1,0.2,0.1,0.2,0,0,0,0,0\n"
    boxes += "0a1b,xclick,/m/99,1,0.1,0.2,0.1,0.2,0,0,0,0,0\n"
    labels = "ImageID,Source,LabelName,Confidence\n0a1b,verification,/m/03,0\n"
    labels += "0a1b,verification,/m/01,1\n"
    classes = "/m/01,Tortoise\n/m/02,Container\n/m/03,Magpie\n/m/04,Axe\n"
    return (
        put(folder / "train-annotations-bbox.csv", boxes),
        put(folder / "class-descriptions-boxable.csv", classes),
        put(folder / "train-annotations-human-imagelabels-boxable.csv", labels),
    )


def test_open_images_takes_the_size_from_the_image(tmp_path: Path) -> None:
    boxes, classes, _ = open_images(tmp_path)

    samples = read_open_images(boxes, classes, tmp_path)

    frame = samples[0].frames[0]
    assert (frame.size, frame.names) == ((20, 40), ("Tortoise", "Container"))
    np.testing.assert_allclose(frame.boxes, [[10, 0, 30, 10], [4, 2, 8, 4]], rtol=1e-6)
    assert samples.report.counts == {"unknown category id": 1}


@pytest.mark.parametrize(
    ("verified", "known"), [(True, ["Tortoise", "Magpie"]), (False, ["Tortoise", "Magpie", "Axe"])]
)
def test_open_images_knows_what_people_found_absent(
    verified: bool, known: list[str], tmp_path: Path
) -> None:
    boxes, classes, labels = open_images(tmp_path)

    samples = read_open_images(boxes, classes, tmp_path, image_labels=labels if verified else None)

    supervision = samples[0].supervision
    names = ("Tortoise", "Container", "Magpie", "Axe")  # of Container a group was left out
    assert [name for name in names if supervision.teaches_absence(name)] == known


def test_a_row_of_open_images_that_is_cut_short_is_a_bad_entry(tmp_path: Path) -> None:
    boxes, classes, _ = open_images(tmp_path)
    boxes.write_text(boxes.read_text() + "0a1b,xclick,/m/01,1,0.25\n0a1b,xcl")

    samples = read_open_images(boxes, classes, tmp_path)

    assert len(samples[0].frames[0].names) == 2
    assert samples.report.counts.total() == 3  # an unknown category beside the two


def test_open_images_of_another_version_are_refused_by_the_column(tmp_path: Path) -> None:
    boxes, classes, _ = open_images(tmp_path)
    boxes.write_text(boxes.read_text().replace("XMin", "Left"))

    with pytest.raises(ValueError, match=r"bbox\.csv' has no column XMin"):
        read_open_images(boxes, classes, tmp_path)


def test_a_missing_image_of_unknown_size_is_a_bad_sample(tmp_path: Path) -> None:
    boxes, classes, _ = open_images(tmp_path)
    (tmp_path / "0a1b.jpg").unlink()

    samples = read_open_images(boxes, classes, tmp_path)

    with pytest.raises(BadSampleError, match="0a1b"):
        samples[0]


def sa1b(folder: Path) -> Path:
    draw(folder / "sa_000000" / "sa_1.jpg", (3, 4))
    mask = {"size": [4, 3], "counts": "444"}
    entry = {"id": 9, "bbox": [1, 0, 1, 4], "area": 4, "segmentation": mask, "predicted_iou": 0.9}
    bad = entry | {"segmentation": {"size": [5, 3], "counts": "444"}}
    image = {"image_id": 1, "width": 3, "height": 4, "file_name": "sa_1.jpg"}
    put(folder / "sa_000000" / "sa_1.json", {"image": image, "annotations": [entry, bad]})
    return folder


def test_sa1b_reads_masks_from_beside_the_image(tmp_path: Path) -> None:
    samples = read_sa1b(sa1b(tmp_path))

    sample = samples[0]

    masks = sample.frames[0].decode_masks()
    assert masks is not None
    assert masks.tolist() == [[[False, True, False]] * 4]
    assert (sample.frames[0].names, sample.supervision.masks) == (("object",), True)
    assert samples.report.counts == {"mask of another size than its image": 1}
    assert not sample.supervision.teaches_absence("object")  # one is missing


def test_sa1b_takes_the_images_of_an_index(tmp_path: Path) -> None:
    entry = {"id": 1, "file_name": "sa_000000/sa_1.jpg", "width": 3, "height": 4}
    index = put(tmp_path / "i.json", {"images": [entry], "annotations": [{"id": 1, "image_id": 1}]})

    samples = read_sa1b(sa1b(tmp_path), index=index)

    assert (len(samples), len(samples[0].frames[0])) == (1, 1)


@pytest.mark.parametrize("content", [None, "{", '{"image": {}}'])
def test_a_damaged_file_beside_an_image_is_a_bad_sample(
    content: str | None, tmp_path: Path
) -> None:
    path = sa1b(tmp_path) / "sa_000000" / "sa_1.json"
    path.unlink() if content is None else path.write_text(content)

    samples = read_sa1b(tmp_path)

    with pytest.raises(BadSampleError, match="sa_1"):
        samples[0]


@pytest.mark.parametrize(("part", "phrase"), [("noun_chunks", "dog"), ("ref_exps", "a big dog")])
def test_grit_takes_phrases_out_of_the_caption(part: Any, phrase: str, tmp_path: Path) -> None:
    draw(tmp_path / "00000" / "000000001.jpg")
    data = {"caption": "here a big dog", "width": 40, "height": 20, "key": "000000001"}
    data |= {"noun_chunks": [[11, 14, 0.25, 0, 0.5, 1, 0.9], [0, 4, 0.5, 0, 0.5, 1, 0.7]]}
    data |= {"ref_exps": [[5, 14, 0.25, 0.0, 0.5, 1.0, 0.9]]}
    put(tmp_path / "00000" / "000000001.json", data)

    sample = read_grit(tmp_path, ("cat",), part=part)[0]

    assert sample.frames[0].names == (phrase,)
    assert sample.frames[0].boxes.tolist() == [[10, 0, 20, 20]]
    assert not sample.supervision.boxes
    assert sample.supervision.teaches_absence("cat")


def test_a_subset_has_the_samples_asked_for(tmp_path: Path) -> None:
    samples = read_sa1b(sa1b(tmp_path))

    some = Subset(samples, [0, 0])

    assert (len(some), some[1].key, some.names) == (2, samples[0].key, ("object",))


@pytest.mark.parametrize("text", ['[{"a": 1}][{"b": 2}]', '{"a": 1}\n{"b": 2}\n'])
def test_a_file_that_goes_on_behind_its_end_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "two.json"
    path.write_text(text)

    with pytest.raises(ValueError, match="goes on behind the end of its JSON"):
        list(iterate_entries(path))
