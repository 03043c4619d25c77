"""Readers of COCO's JSON and of its relatives: LVIS and referring expressions."""

import json
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glee.data.readers.builder import IndexOptions
from glee.data.readers.coco import last_two_parts, read_coco
from glee.data.readers.lvis import read_lvis
from glee.data.readers.refcoco import leave_out_images, read_refcoco

CATEGORIES = [{"id": 3, "name": "dog"}, {"id": 1, "name": "person"}]
SQUARE = [[10, 20, 60, 20, 60, 100, 10, 100]]


def image(number: int = 7, **changes: Any) -> dict[str, Any]:
    return {"id": number, "file_name": f"{number}.jpg", "height": 480, "width": 640} | changes


def mark(number: int = 1, image_id: int = 7, **changes: Any) -> dict[str, Any]:
    own = {"id": number, "image_id": image_id, "category_id": 3, "bbox": [10, 20, 50, 80]}
    return own | {"area": 4000, "iscrowd": 0, "segmentation": SQUARE} | changes


def write(
    folder: Path, images: list[Any], annotations: list[Any], categories: Any = CATEGORIES
) -> Path:
    path = folder / "annotations.json"
    # LVIS has its annotations before its images; so have these.
    data = {"info": {"year": 2017}, "annotations": annotations, "images": images}
    path.write_text(json.dumps(data | {"categories": categories}))
    return path


def test_boxes_become_corners_and_names_follow_the_ids(tmp_path: Path) -> None:
    samples = read_coco(write(tmp_path, [image()], [mark()]), tmp_path)

    frame = samples[0].frames[0]

    assert (len(samples), samples.names) == (1, ("person", "dog"))
    assert (frame.image, frame.size, frame.names) == (tmp_path / "7.jpg", (480, 640), ("dog",))
    np.testing.assert_array_equal(frame.boxes, [[10, 20, 60, 100]])


def test_polygons_and_both_forms_of_run_lengths_become_masks(tmp_path: Path) -> None:
    small = image(height=4, width=3)
    whole = {"size": [4, 3], "counts": [4, 4, 4]}  # the middle column
    packed = {"size": [4, 3], "counts": "444"}
    drawn = [[1, 0, 2, 0, 2, 4, 1, 4]]
    marks = [
        mark(n, bbox=[1, 0, 1, 4], segmentation=one) for n, one in enumerate((whole, packed, drawn))
    ]

    sample = read_coco(write(tmp_path, [small], marks), tmp_path)[0]

    masks = sample.frames[0].decode_masks()
    assert sample.supervision.masks
    assert masks is not None
    assert masks.tolist() == [[[False, True, False]] * 4] * 3


def test_an_image_where_one_object_lacks_its_mask_teaches_no_masks(tmp_path: Path) -> None:
    path = write(tmp_path, [image()], [mark(), mark(2, segmentation=[])])

    sample = read_coco(path, tmp_path)[0]

    assert (len(sample.frames[0]), sample.frames[0].masks) == (2, None)
    assert not sample.supervision.masks


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"bbox": [10, 20, 0, 80]}, "box of zero area"),
        ({"bbox": [10, 20, -5, 80]}, "box of zero area"),
        ({"bbox": [700, 20, 50, 80]}, "box outside its image"),
        ({"bbox": [10, 20, 50]}, "box that is not four numbers"),
        ({"bbox": [10, 20, float("nan"), 5]}, "box that is not four numbers"),
        ({"segmentation": [[1, 2, 3, 4]]}, "polygon with fewer than three points"),
        ({"segmentation": [[1, 2, 3, 4, 5, 6, 7]]}, "polygon with an odd number of coordinates"),
        ({"segmentation": [[1, 2, 3, 4, 5, "x"]]}, "polygon with a coordinate that is no number"),
        (
            {"segmentation": {"size": [4, 3], "counts": "444"}},
            "mask of another size than its image",
        ),
        (
            {"segmentation": {"size": [4, 3], "counts": [5]}},
            "run lengths that do not fill their size",
        ),
        ({"segmentation": 5}, "segmentation that is neither polygons nor run lengths"),
        ({"category_id": 2}, "unknown category id"),
        ({"image_id": 8}, "annotation of a missing image"),
    ],
)
def test_a_bad_object_is_left_out_and_named(
    changes: dict[str, Any], fault: str, tmp_path: Path
) -> None:
    path = write(tmp_path, [image()], [mark(), mark(2, **changes)])

    samples = read_coco(path, tmp_path)

    assert len(samples[0].frames[0]) == 1
    assert samples.report.counts == {fault: 1}
    assert samples.report.examples == {fault: ["annotation 1"]}
    with pytest.raises(ValueError, match=fault):
        read_coco(path, tmp_path, fail_fast=True)


def test_too_many_bad_objects_stop_the_run_with_the_report(tmp_path: Path) -> None:
    path = write(tmp_path, [image()], [mark(), mark(2, bbox=[0, 0, 0, 0])])

    report = read_coco(path, tmp_path).report

    report.require_share(0.5)
    with pytest.raises(ValueError, match=r"(?s)33.3% of the entries.*zero area: annotation 1"):
        report.require_share(0.1)


def test_boxes_are_cut_at_the_borders(tmp_path: Path) -> None:
    path = write(tmp_path, [image()], [mark(bbox=[-10, 400, 700, 100])])

    np.testing.assert_array_equal(
        read_coco(path, tmp_path)[0].frames[0].boxes, [[0, 400, 640, 480]]
    )


@pytest.mark.parametrize("changes", [{"iscrowd": 1}, {"ignore": 1}, {"bbox": [0, 0, 0, 0]}])
def test_a_name_with_an_object_left_out_is_annotated_in_part(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    path = write(tmp_path, [image()], [mark(), mark(2, **changes)])

    sample = read_coco(path, tmp_path)[0]

    assert sample.frames[0].names == ("dog",)
    assert not sample.supervision.teaches_absence("dog")
    assert sample.supervision.teaches_absence("person")
    assert not sample.supervision.teaches_absence("cat")  # not in the file: unknown


@pytest.mark.parametrize(("keep_empty", "files"), [(False, []), (True, ["8.jpg"])])
def test_images_without_objects_are_kept_on_request_unless_they_lost_some(
    keep_empty: bool, files: list[str], tmp_path: Path
) -> None:
    path = write(tmp_path, [image(7), image(8)], [mark(bbox=[0, 0, 0, 0])])

    samples = read_coco(path, tmp_path, options=IndexOptions(keep_empty=keep_empty))

    assert [Path(samples[n].key).name for n in range(len(samples))] == files


def test_of_two_images_with_one_id_the_last_counts(tmp_path: Path) -> None:
    path = write(tmp_path, [image(), image(file_name="b.jpg")], [mark()])

    samples = read_coco(path, tmp_path, options=IndexOptions(keep_empty=True))

    assert [Path(samples[n].key).name for n in range(len(samples))] == ["b.jpg"]
    assert samples.report.counts == {"image whose id occurs twice": 1}


def test_an_image_without_its_size_is_opened_for_it(tmp_path: Path) -> None:
    Image.new("RGB", (640, 480)).save(tmp_path / "7.jpg")
    path = write(tmp_path, [image(width=None), image(8, height=0)], [mark()])

    samples = read_coco(path, tmp_path)

    assert samples[0].frames[0].size == (480, 640)
    assert samples.report.examples == {"image without a size": ["8.jpg"]}


def test_options_say_what_the_annotation_is_good_for(tmp_path: Path) -> None:
    options = IndexOptions(coverage=frozenset(), boxes=False, machine_made=True, use_masks=False)

    sample = read_coco(write(tmp_path, [image()], [mark()]), tmp_path, options=options)[0]

    assert sample.supervision.machine_made
    assert not sample.supervision.boxes
    assert not sample.supervision.masks
    assert not sample.supervision.teaches_absence("person")


def test_one_name_may_stand_for_all_objects(tmp_path: Path) -> None:
    samples = read_coco(write(tmp_path, [image()], [mark()]), tmp_path, one_name="object")

    assert (samples.names, samples[0].frames[0].names) == (("object",), ("object",))


def test_the_end_of_a_file_name_may_be_all_that_counts(tmp_path: Path) -> None:
    path = write(tmp_path, [image(file_name="images/v1/patch8/1.jpg")], [mark()])

    samples = read_coco(path, tmp_path, file_of=last_two_parts)

    assert samples[0].frames[0].image == tmp_path / "patch8" / "1.jpg"


def test_an_index_past_the_end_raises(tmp_path: Path) -> None:
    samples = read_coco(write(tmp_path, [image()], [mark()]), tmp_path)

    with pytest.raises(IndexError):
        samples[1]


@pytest.mark.parametrize("text", ['{"images": [', "", '{"images": [{}] x', "[1, 2"])
def test_a_broken_file_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text)

    with pytest.raises(ValueError, match=r"broken\.json"):
        read_coco(path, tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        read_coco(tmp_path / "none.json", tmp_path)


def lvis(folder: Path) -> Path:
    url = "http://images.cocodataset.org/train2017/000000000007.jpg"
    own = image(coco_url=url, neg_category_ids=[1], not_exhaustive_category_ids=[3])
    names = [*CATEGORIES, {"id": 4, "name": "cat"}, {"id": 5, "name": "sheep"}]
    return write(folder, [own], [mark(), mark(2, category_id=4)], names)


def test_lvis_knows_what_is_absent_and_what_is_annotated_in_part(tmp_path: Path) -> None:
    sample = read_lvis(lvis(tmp_path), tmp_path)[0]

    known = {
        name: sample.supervision.teaches_absence(name) for name in ("person", "dog", "cat", "sheep")
    }

    assert known == {"person": True, "dog": False, "cat": True, "sheep": False}
    assert sample.frames[0].image == tmp_path / "train2017" / "000000000007.jpg"


def test_lvis_may_be_read_as_if_it_were_exhaustive(tmp_path: Path) -> None:
    supervision = read_lvis(lvis(tmp_path), tmp_path, federated=False)[0].supervision

    assert supervision.teaches_absence("sheep")
    assert not supervision.teaches_absence("dog")


def test_an_expression_keeps_all_objects_that_it_describes(tmp_path: Path) -> None:
    entries = [image(expressions=["two dogs", " ", "the dogs"]), image(8, expressions=["a cat"])]
    path = write(tmp_path, entries, [mark(), mark(2, bbox=[0, 0, 5, 5])])

    samples = read_refcoco(path, tmp_path)

    both, nothing = samples[0], samples[1]

    assert both.expressions == ("two dogs", "the dogs")
    assert len(both.frames[0]) == 2
    assert nothing.expressions == ("a cat",)
    assert len(nothing.frames[0]) == 0


def test_an_image_without_expression_is_left_out_and_named(tmp_path: Path) -> None:
    path = write(tmp_path, [image(expressions=[""]), image(8)], [mark(), mark(2, 8)])

    samples = read_refcoco(path, tmp_path)

    assert len(samples) == 0
    assert samples.report.counts == {"empty expression": 1, "image without an expression": 2}


def test_images_of_an_evaluation_can_be_left_out(tmp_path: Path) -> None:
    entries = [image(n, expressions=["a dog"]) for n in (7, 8)]
    train = read_refcoco(write(tmp_path, entries, [mark(), mark(2, 8)]), tmp_path)
    val = read_refcoco(write(tmp_path, entries[:1], [mark()]), tmp_path)

    kept = leave_out_images(train, [val])

    assert [Path(kept[n].key).name for n in range(len(kept))] == ["8.jpg"]


@pytest.mark.parametrize("part", ["images", "categories"])
@pytest.mark.parametrize("entry", [{"name": "x"}, 5])
def test_an_entry_without_id_is_left_out_and_named(part: str, entry: Any, tmp_path: Path) -> None:
    path = write(tmp_path, [image()], [mark()])
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | {part: [*data[part], entry]}))

    samples = read_coco(path, tmp_path)

    assert len(samples) == 1
    assert samples.report.counts == {f"entry of {part} without an id": 1}


def test_samples_can_be_handed_to_another_process(tmp_path: Path) -> None:
    samples = read_lvis(lvis(tmp_path), tmp_path)

    there = pickle.loads(pickle.dumps(samples))

    assert there[0].supervision == samples[0].supervision
    assert there[0].frames[0].masks == samples[0].frames[0].masks


def test_samples_of_millions_of_objects_are_a_few_arrays(tmp_path: Path) -> None:
    images = [image(n) for n in range(200)]
    marks = [mark(10 * n + m, n) for n in range(200) for m in range(10)]
    path = write(tmp_path, images, marks)
    read_coco(path, tmp_path)  # what is imported on the way does not count

    tracemalloc.start()
    samples = read_coco(path, tmp_path)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    assert len(samples) == 200
    assert held < 300_000  # 100 bytes for each object and 200 for each image, with room
