"""Readers of single data sets, each on a small invented example in the official layout."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glee.data.readers.bdd100k import (
    read_bdd100k,
    read_bdd100k_instances,
    read_bdd100k_outlines,
)
from glee.data.readers.burst import read_burst
from glee.data.readers.coco import read_coco
from glee.data.readers.objects365 import read_objects365
from glee.data.readers.odinw import read_odinw
from glee.data.readers.open_images import read_open_images_json
from glee.data.readers.outlines import trace_outline
from glee.data.readers.tao import read_tao
from glee.data.readers.videos import VideoIndex
from glee.data.readers.ytvis import read_ytvis
from glee.data.schema import BadSampleError


def put(path: Path, data: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))
    return path


def test_objects365_finds_both_versions_of_images_in_their_patches(tmp_path: Path) -> None:
    about = {"height": 512, "width": 769, "license": 5, "url": ""}
    files = ["images/v1/patch8/objects365_v1_00420917.jpg"]
    files += ["images/v2/patch16/objects365_v2_00908726.jpg"]
    images = [about | {"id": n, "file_name": file} for n, file in enumerate(files)]
    mark = {"iscrowd": 0, "isfake": 0, "isreflected": 0, "category_id": 5, "area": 1486.7}
    box = [219.9, 53.9, 30.2, 49.2]
    marks = [mark | {"id": n, "image_id": n, "bbox": box} for n in range(2)]
    names = [{"id": 5, "name": "Cabinet/shelf"}, {"id": 1, "name": "Person"}]
    data = {"images": images, "annotations": marks, "categories": names, "licenses": []}
    path = put(tmp_path / "zhiyuan_objv2_train.json", data)

    samples = read_objects365(path, tmp_path / "images")

    assert [samples[n].frames[0].image for n in range(2)] == [
        tmp_path / "images" / "patch8" / "objects365_v1_00420917.jpg",
        tmp_path / "images" / "patch16" / "objects365_v2_00908726.jpg",
    ]
    assert samples[0].frames[0].names == ("Cabinet/shelf",)
    np.testing.assert_allclose(samples[0].frames[0].boxes, [[219.9, 53.9, 250.1, 103.1]], rtol=1e-6)


@pytest.mark.parametrize(("federated", "absent"), [(True, {"Dog"}), (False, {"Dog", "Tree"})])
def test_open_images_in_cocos_format_knows_what_was_found_absent(
    federated: bool, absent: set[str], tmp_path: Path
) -> None:
    image = {"id": 1, "file_name": "0/000002b66c9c498e.jpg", "height": 683, "width": 1024}
    image |= {"neg_category_ids": [2], "pos_category_ids": [1]}
    mark = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [12.5, 148.5, 187.5, 439.3]}
    marks = [mark | {"IsGroupOf": 0}, mark | {"id": 2, "IsGroupOf": 1}]
    names = [
        {"id": n, "name": name, "freebase_id": f"/m/{n}"}
        for n, name in enumerate(("Cat", "Dog", "Tree"), 1)
    ]
    path = put(tmp_path / "i.json", {"images": [image], "annotations": marks, "categories": names})

    sample = read_open_images_json(path, tmp_path, federated=federated)[0]

    assert sample.frames[0].names == ("Cat",)  # a group is no object
    assert sample.frames[0].image == tmp_path / "0" / "000002b66c9c498e.jpg"
    taught = {name for name in ("Cat", "Dog", "Tree") if sample.supervision.teaches_absence(name)}
    assert taught == absent


def scalabel(*labels: dict[str, Any]) -> list[dict[str, Any]]:
    attributes = {"weather": "clear", "scene": "city street", "timeofday": "daytime"}
    frame = {"name": "0000f77c-6257be58.jpg", "attributes": attributes, "timestamp": 10000}
    return [frame | {"labels": list(labels)}, frame | {"name": "empty.jpg"}]


def box_label(category: str, **attributes: Any) -> dict[str, Any]:
    own = {"occluded": False, "truncated": False, "trafficLightColor": "NA"} | attributes
    box = {"x1": 10, "y1": 20.5, "x2": 109, "y2": 219.5}
    return {"id": "1", "attributes": own, "category": category, "box2d": box}


def test_bdd100k_reads_boxes_with_their_last_pixels(tmp_path: Path) -> None:
    lane = {"category": "lane", "poly2d": [{"vertices": [[1, 2], [3, 4]], "closed": False}]}
    labels = [box_label("traffic light"), box_label("motor"), lane]
    path = put(tmp_path / "det_train.json", scalabel(*labels))

    samples = read_bdd100k(path, tmp_path)

    frame = samples[0].frames[0]
    assert (len(samples), frame.size) == (1, (720, 1280))
    assert frame.names == ("traffic light", "motorcycle")
    np.testing.assert_array_equal(frame.boxes[0], [10, 20.5, 110, 220.5])


def test_bdd100k_leaves_out_what_its_evaluation_ignores(tmp_path: Path) -> None:
    labels = [box_label("car"), box_label("other vehicle"), box_label("car", crowd=True)]
    path = put(tmp_path / "det_train.json", scalabel(*labels))

    sample = read_bdd100k(path, tmp_path)[0]

    assert sample.frames[0].names == ("car",)
    assert not sample.supervision.teaches_absence("car")
    assert sample.supervision.teaches_absence("bus")


def outline_label(category: str, *parts: tuple[list[list[float]], str]) -> dict[str, Any]:
    outlines = [{"vertices": points, "types": types, "closed": True} for points, types in parts]
    return {"id": "1", "category": category, "attributes": {}, "poly2d": outlines}


def test_bdd100k_reads_the_outlines_of_all_parts_of_an_instance(tmp_path: Path) -> None:
    first = [[10.0, 20.0], [14.0, 20.0], [14.0, 26.0], [10.0, 26.0]]
    second = [[30.0, 20.0], [33.0, 20.0], [33.0, 22.0], [30.0, 22.0]]
    labels = [outline_label("car", (first, "LLLL"), (second, "LLLL"))]
    labels += [outline_label("lane", (first, "LLLL"))]
    path = put(tmp_path / "ins_seg_train.json", scalabel(*labels))

    samples = read_bdd100k_outlines(path, tmp_path)

    frame = samples[0].frames[0]
    masks = frame.decode_masks()
    assert (len(samples), frame.names, frame.size) == (1, ("car",), (720, 1280))
    np.testing.assert_array_equal(frame.boxes, [[10, 20, 33, 26]])
    assert masks is not None
    assert masks[0].sum() == 4 * 6 + 3 * 2
    assert masks[0, 20:26, 10:14].all()
    assert samples[0].supervision.masks
    assert not samples[0].supervision.teaches_absence("traffic light")  # not annotated here


def test_three_curve_points_are_a_bezier_curve_of_the_last_point() -> None:
    # At a half of a cubic Bezier curve: (start + 3 first + 3 second + end) / 8.
    part = {"vertices": [[0, 0], [0, 8], [8, 8], [8, 0], [4, -4]], "types": "LCCCL"}

    polygon = np.array(trace_outline(part)).reshape(-1, 2)

    assert polygon[0].tolist() == [0, 0]
    assert polygon[4].tolist() == [4, 6]
    assert polygon[-2:].tolist() == [[8, 0], [4, -4]]


@pytest.mark.parametrize(
    "part",
    [
        ([[10, 20], [14, 20], [14, 26]], "LCC"),
        ([[10, 20], [14, 20], [14, 26]], "LL"),
        ([[10, 20], [14, 20], [14, 26]], "LLX"),
        ([[10, 20], [14, 20]], "LL"),
        ([], ""),
    ],
)
def test_an_outline_that_is_none_is_left_out_and_named(part: Any, tmp_path: Path) -> None:
    path = put(tmp_path / "ins_seg_train.json", scalabel(outline_label("car", part)))

    samples = read_bdd100k_outlines(path, tmp_path)

    assert len(samples) == 0
    assert sum(samples.report.counts.values()) == 1


def bitmask(folder: Path) -> Path:
    """Two cars and a rider, of which the second car is a crowd."""
    pixels = np.zeros((4, 6, 4), np.uint8)
    pixels[0:2, 0:2] = (3, 0b1000, 0, 7)  # a truncated car
    pixels[0:1, 4:6] = (3, 0b0010, 0, 9)
    pixels[3, 1:5] = (2, 0b0100, 1, 7)  # an occluded rider, number 263
    path = folder / "bitmasks" / "7d2f7975-e0c1c5a7.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(pixels).save(path)
    return path


def test_bdd100k_reads_instances_from_four_channels(tmp_path: Path) -> None:
    bitmask(tmp_path)

    sample = read_bdd100k_instances(tmp_path / "bitmasks", tmp_path / "10k")[0]

    frame = sample.frames[0]
    masks = frame.decode_masks()
    assert (frame.names, frame.size) == (("car", "rider"), (4, 6))
    assert frame.image == tmp_path / "10k" / "7d2f7975-e0c1c5a7.jpg"
    np.testing.assert_array_equal(frame.boxes, [[0, 0, 2, 2], [1, 3, 5, 4]])
    assert masks is not None
    assert masks.flatten(1).sum(1).tolist() == [4, 4]
    assert sample.supervision.masks
    assert not sample.supervision.teaches_absence("car")  # a crowd of them was left out
    assert sample.supervision.teaches_absence("bus")


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((4, 6, 4), np.uint8), "shows no usable object"),
        (np.zeros((4, 6), np.uint8), "must have four channels"),
    ],
)
def test_a_picture_of_instances_that_cannot_be_used_is_a_bad_sample(
    pixels: Any, message: str, tmp_path: Path
) -> None:
    Image.fromarray(pixels).save(bitmask(tmp_path))

    with pytest.raises(BadSampleError, match=message):
        read_bdd100k_instances(tmp_path / "bitmasks", tmp_path)[0]


def test_uvo_frames_are_of_one_class(tmp_path: Path) -> None:
    image = {"id": 0, "file_name": "N4Wc5ZQ9kSU/12.png", "height": 4, "width": 3}
    mask = {"size": [4, 3], "counts": "444"}
    mark = {"id": 0, "image_id": 0, "category_id": 1, "bbox": [1, 0, 1, 4], "segmentation": mask}
    names = [{"id": 1, "name": "object", "supercategory": "object"}]
    data = {"images": [image], "annotations": [mark | {"area": 4.0, "iscrowd": 0}]}
    path = put(tmp_path / "UVO_frame_train.json", data | {"categories": names})

    sample = read_coco(path, tmp_path, one_name="object")[0]

    assert sample.frames[0].names == ("object",)
    assert sample.supervision.masks
    assert sample.supervision.teaches_absence("object")  # everything is annotated


def test_uvo_videos_are_read_as_one_class_whatever_the_file_names(tmp_path: Path) -> None:
    files = [f"-1ttOKnYLsk/{n}.png" for n in range(2)]
    video = {"id": 5, "width": 3, "height": 4, "length": 2, "file_names": files, "ytid": "-1tt"}
    mask = {"size": [4, 3], "counts": "444"}
    track = {"id": 8, "video_id": 5, "category_id": 1, "iscrowd": 0, "width": 3, "height": 4}
    track |= {"length": 1, "occluded": [], "areas": [4, None], "segmentations": [mask, None]}
    track |= {"bboxes": [[1, 0, 1, 4], None]}
    data = {"videos": [video], "annotations": [track]}
    data |= {"categories": [{"id": 1, "name": "person"}]}
    path = put(tmp_path / "UVO_video_train_dense.json", data)

    sample = read_ytvis(path, tmp_path, one_name="object")[0]

    assert [sample.frames[n].names for n in range(2)] == [("object",), ()]


def tao(folder: Path, **changes: Any) -> Path:
    name = "train/YFCC100M/v_f69ebe5b731d3e87c1a3992ee39c3b7e"
    video = {"id": 2, "name": name, "width": 640, "height": 480, "neg_category_ids": [9]}
    video |= {"not_exhaustive_category_ids": [4], "metadata": {"dataset": "YFCC100M"}}
    image = {"video_id": 2, "width": 640, "height": 480, "video": name, "license": 0}
    images = [
        image | {"id": n, "frame_index": n * 30, "file_name": f"{name}/frame{n * 30:04}.jpg"}
        for n in (1, 0)  # not in time
    ]
    mark = {"track_id": 31, "category_id": 4, "bbox": [10, 20, 30, 40], "iscrowd": 0, "video_id": 2}
    mark |= {"area": 1200, "segmentation": [[10, 20, 40, 20, 40, 60, 10, 60]], "_scale_uuid": "x"}
    marks = [mark | {"id": n, "image_id": n} for n in range(2)]
    marks.append(mark | {"id": 2, "image_id": 1, "track_id": 32, "category_id": 7})
    names = [{"id": n, "name": f"name {n}", "synset": f"n{n}.n.01"} for n in (4, 7, 9)]
    tracks = [{"id": 31, "category_id": 4, "video_id": 2}]
    data = {"videos": [video | changes], "images": images, "tracks": tracks}
    return put(folder / "train.json", data | {"annotations": marks, "categories": names})


def ids_of(samples: VideoIndex) -> list[tuple[int, ...] | None]:
    frames = samples[0].frames
    return [frames[n].track_ids for n in range(len(frames))]


def test_tao_puts_frames_in_time_and_objects_on_their_tracks(tmp_path: Path) -> None:
    samples = read_tao(tao(tmp_path), tmp_path)

    first, second = ids_of(samples)
    assert first is not None
    assert second is not None
    assert (len(first), len(set(second)), second[0]) == (1, 2, first[0])
    image = samples[0].frames[0].image
    assert isinstance(image, Path)
    assert image.name == "frame0000.jpg"
    np.testing.assert_array_equal(samples[0].frames[0].boxes, [[10, 20, 40, 60]])
    assert not samples[0].supervision.masks


def test_tao_knows_what_is_absent_and_what_is_annotated_in_part(tmp_path: Path) -> None:
    supervision = read_tao(tao(tmp_path), tmp_path)[0].supervision

    taught = [n for n in (4, 7, 9) if supervision.teaches_absence(f"name {n}")]
    assert taught == [7, 9]
    assert not supervision.teaches_absence("anything else")


def test_frames_and_objects_of_a_missing_clip_are_left_out_and_named(tmp_path: Path) -> None:
    samples = read_tao(tao(tmp_path, id=3), tmp_path)

    assert len(samples) == 0
    assert samples.report.counts == {
        "clip without frames or size": 1,
        "frame of a missing clip": 1,
        "annotation of a missing image": 3,
    }


def burst(folder: Path, **changes: Any) -> Path:
    mask = {"rle": "444", "is_gt": True}
    sequence = {"id": 0, "seq_name": "rear_1", "dataset": "ArgoVerse", "width": 3, "height": 4}
    sequence |= {"fps": 30, "all_image_paths": ["a.jpg", "b.jpg", "c.jpg"]}
    sequence |= {"annotated_image_paths": ["a.jpg", "c.jpg"], "neg_category_ids": [805]}
    sequence |= {"not_exhaustive_category_ids": [], "track_category_ids": {"1": 95, "2": 95}}
    sequence |= {"segmentations": [{"1": mask, "2": mask}, {"2": mask}]}
    names = [{"id": 95, "name": "car"}, {"id": 805, "name": "person"}, {"id": 7, "name": "bus"}]
    data = {"sequences": [sequence | changes], "categories": names, "split": "train"}
    return put(folder / "train.json", data)


def test_burst_takes_the_annotated_frames_with_masks_and_tracks(tmp_path: Path) -> None:
    samples = read_burst(burst(tmp_path), tmp_path / "frames" / "train")

    sample = samples[0]
    first, second = ids_of(samples)
    assert first is not None
    assert second == first[1:]
    assert sample.frames[1].image == tmp_path.joinpath(
        "frames", "train", "ArgoVerse", "rear_1", "c.jpg"
    )
    np.testing.assert_array_equal(sample.frames[1].boxes, [[1, 0, 2, 4]])
    assert sample.supervision.masks
    taught = [n for n in ("car", "person", "bus") if sample.supervision.teaches_absence(n)]
    assert taught == ["car", "person"]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"segmentations": [{}]}, "clip without frames or size"),
        ({"annotated_image_paths": [], "segmentations": []}, "clip without frames or size"),
        ({"segmentations": [{"1": {"rle": None}}, {}]}, "segmentation that is neither"),
        ({"segmentations": [{"5": {"rle": "444"}}, {}]}, "unknown category id"),
    ],
)
def test_what_is_wrong_in_burst_is_left_out_and_named(
    changes: Any, fault: str, tmp_path: Path
) -> None:
    samples = read_burst(burst(tmp_path, **changes), tmp_path)

    assert len(samples) == 0
    (found,) = samples.report.counts
    assert found.startswith(fault)


def odinw(folder: Path) -> Path:
    image = {"id": 1, "file_name": "a_jpg.rf.8c1.jpg", "height": 20, "width": 40}
    mark = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "iscrowd": 0}
    names = [{"id": 1, "name": "Cottontail-Rabbit", "supercategory": "Cottontail-Rabbit"}]
    data = {"images": [image, image | {"id": 2}], "annotations": [mark], "categories": names}
    put(folder / "annotations_without_background.json", data)
    return folder


def test_odinw_keeps_images_without_objects_and_may_call_names_otherwise(tmp_path: Path) -> None:
    samples = read_odinw(odinw(tmp_path), prompts={"Cottontail-Rabbit": "rabbit"})

    assert (len(samples), samples.names) == (2, ("rabbit",))
    assert samples[0].frames[0].names == ("rabbit",)
    assert samples[1].supervision.teaches_absence("rabbit")


def test_odinw_reads_a_file_beside_its_images(tmp_path: Path) -> None:
    path = odinw(tmp_path) / "annotations_without_background.json"
    path = path.rename(tmp_path / "val_annotations_without_background.json")

    samples = read_odinw(path)

    assert samples[0].frames[0].image == tmp_path / "a_jpg.rf.8c1.jpg"


def test_a_prompt_for_a_name_that_odinw_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"prompts has 'hare'.*Cottontail-Rabbit"):
        read_odinw(odinw(tmp_path), prompts={"hare": "rabbit"})
