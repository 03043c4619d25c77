import json
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from glee.coco_file import CocoFile
from glee.ops.masks import encode_rle
from glee.results import Instances


@pytest.fixture
def found() -> Instances:
    """Three objects with all that an object can have."""
    masks = torch.zeros(3, 6, 8, dtype=torch.bool)
    masks[0, 1:3, 2:5] = masks[2, 5, 7] = True
    return Instances(
        boxes=torch.tensor([[2.0, 1.0, 5.1, 3.0], [0.0, 0.0, 1 / 3, 6.0], [7.0, 5.0, 8.0, 6.0]]),
        scores=torch.tensor([0.9, 0.7, 0.1]),
        labels=torch.tensor([1, 0, 1]),
        names=("car", "dog"),
        image_size=(6, 8),
        masks=masks,
        embeddings=torch.randn(3, 4, generator=torch.Generator().manual_seed(0)),
        prompt_ids=torch.tensor([0, 0, 1]),
        track_ids=torch.tensor([12, 3, 5]),
    )


def assert_same(one: Instances, other: Instances) -> None:
    assert (one.names, one.image_size) == (other.names, other.image_size)
    for name in ("boxes", "scores", "labels", "masks", "prompt_ids", "track_ids"):
        a, b = getattr(one, name), getattr(other, name)
        assert (a is None) == (b is None)
        assert a is None or (torch.equal(a, b) and a.dtype == b.dtype)


def test_a_mask_selects_rows_of_every_tensor(found: Instances) -> None:
    good = found[found.scores > 0.5]

    assert good.scores.tolist() == pytest.approx([0.9, 0.7])
    assert good.masks is not None
    assert good.embeddings is not None
    assert len(good) == len(good.masks) == len(good.embeddings) == 2
    assert good.track_ids is not None
    assert good.track_ids.tolist() == [12, 3]


def test_indices_slices_and_numbers_select_rows(found: Instances) -> None:
    assert found[torch.tensor([2, 0])].labels.tolist() == [1, 1]
    assert found[:2].labels.tolist() == [1, 0]
    assert found[1].labels.tolist() == [0]
    assert found[-1].scores.tolist() == pytest.approx([0.1])


@pytest.mark.parametrize("row", [torch.tensor(2), np.int64(2), np.array(2), torch.tensor([2])])
def test_numbers_of_numpy_and_torch_select_one_row(found: Instances, row: Any) -> None:
    one = found[row]

    assert one.boxes.tolist() == [[7.0, 5.0, 8.0, 6.0]]
    assert one.masks is not None
    assert one.masks.shape == (1, 6, 8)


@pytest.mark.parametrize(
    "rows",
    [
        [2, 0],
        np.array([2, 0], dtype=np.uint8),
        np.array([0, 2])[::-1],
        torch.tensor([2, 0]),
    ],
)
def test_lists_and_arrays_of_indices_select_rows(found: Instances, rows: Any) -> None:
    assert found[rows].boxes[:, 0].tolist() == [7.0, 2.0]


@pytest.mark.parametrize("rows", [[True, False, True], np.array([True, False, True])])
def test_lists_and_arrays_of_truth_select_rows(found: Instances, rows: Any) -> None:
    assert found[rows].boxes[:, 0].tolist() == [2.0, 7.0]


def test_an_empty_list_selects_nothing(found: Instances) -> None:
    assert len(found[[]]) == 0
    assert len(found[:0][[]]) == 0


def test_selecting_by_name_says_how(found: Instances) -> None:
    with pytest.raises(TypeError, match=r"not selected by name, got 'dog'; use found\[\["):
        found["dog"]  # type: ignore[index]
    assert len(found[[name == "dog" for name in found.label_names()]]) == 2


def test_fractions_are_no_indices(found: Instances) -> None:
    with pytest.raises(IndexError):
        found[[0.5, 1.0]]  # type: ignore[list-item]


def test_a_number_past_the_end_is_an_index_error(found: Instances) -> None:
    for row in (3, -4):
        with pytest.raises(IndexError):
            found[row]


def test_objects_can_be_looped_over_one_by_one(found: Instances) -> None:
    assert [one.label_names() for one in found] == [["dog"], ["car"], ["dog"]]


def test_moving_to_a_device_moves_every_tensor(found: Instances) -> None:
    moved = found.to("meta")

    assert moved.boxes.device == moved.embeddings.device == torch.device("meta")  # type: ignore[union-attr]
    assert moved.names == found.names


def test_the_device_is_that_of_the_tensors(found: Instances) -> None:
    assert found.to("meta").device == torch.device("meta")
    assert found.cpu().device == found.device == torch.device("cpu")


def test_a_summary_counts_the_names(found: Instances) -> None:
    assert repr(found) == "<Instances: 2 dog, 1 car in 6x8 pixels>"
    assert repr(found[:0]) == "<Instances: nothing in 6x8 pixels>"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"boxes": torch.zeros(3, 5)}, r"boxes must be \[N, 4\] float, got \[3, 5\] float32"),
        ({"boxes": torch.zeros(4)}, r"boxes must be \[N, 4\] float, got \[4\] float32"),
        ({"scores": torch.zeros(3, 1)}, r"scores must be \[N\] float, got \[3, 1\] float32"),
        ({"scores": torch.zeros(2)}, r"scores has 2 rows for 3 boxes"),
        ({"labels": torch.zeros(3)}, r"labels must be \[N\] int64, got \[3\] float32"),
        ({"masks": torch.zeros(3, 6, 8)}, r"masks must be \[N, H, W\] bool, got .* float32"),
        (
            {"masks": torch.zeros(3, 8, 6, dtype=torch.bool)},
            r"masks have \(height, width\) \(8, 6\) but image_size is \(6, 8\)",
        ),
        (
            {"scores": torch.zeros(3, device="meta")},
            r"scores is on meta but boxes are on cpu; move all of them to one device",
        ),
    ],
)
def test_tensors_that_disagree_are_refused(
    found: Instances, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        replace(found, **change)


def test_names_and_size_must_be_tuples(found: Instances) -> None:
    with pytest.raises(TypeError, match="names must be a tuple of strings, got 'car'"):
        replace(found, names="car")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"image_size must be a tuple \(height, width\), got 6"):
        replace(found, image_size=6)  # type: ignore[arg-type]


def test_an_empty_result_has_the_shapes_of_a_full_one() -> None:
    empty = Instances.empty(["car"], (6, 8), masks=True)

    assert len(empty) == 0
    assert empty.label_names() == []
    assert empty.masks is not None
    assert empty.masks.shape == (0, 6, 8)
    assert Instances.empty(["car"], (6, 8)).masks is None


def test_json_text_restores_all_but_the_embeddings(found: Instances) -> None:
    restored = Instances.from_json(json.loads(json.dumps(found.to_json())))

    assert_same(restored, found)
    assert restored.embeddings is None


def test_json_restores_which_parts_there_are(found: Instances) -> None:
    boxes_only = replace(found, masks=None, prompt_ids=None, track_ids=None)

    for instances in (boxes_only, boxes_only[:0], found[:0], Instances.empty(["a"], (3, 4))):
        assert_same(Instances.from_json(instances.to_json()), instances)


def test_json_holds_a_plain_object_per_row(found: Instances) -> None:
    values = found.to_json()

    assert values["image_size"] == [6, 8]
    assert values["names"] == ["car", "dog"]
    assert values["objects"][2] == {
        "box": [7.0, 5.0, 8.0, 6.0],
        "score": pytest.approx(0.1),
        "label": 1,
        "name": "dog",
        "mask": encode_rle(found.masks[2:])[0],  # type: ignore[index]
        "prompt_id": 1,
        "track_id": 5,
    }


def test_json_without_a_part_names_it(found: Instances) -> None:
    values = found.to_json()
    del values["objects"]

    with pytest.raises(ValueError, match="objects of stored instances must be a list, got None"):
        Instances.from_json(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": 2}, r"objects\[1\] has label 2, but names has 2 entries"),
        ({"label": -1}, r"objects\[1\] has label -1, but names has 2 entries"),
        ({"box": [1, 2, 3]}, r"objects\[1\] must have a box of 4 numbers, got \[1, 2, 3\]"),
        ({"colour": "red"}, r"objects\[1\] must have box, .*, track_id, got box, .*, colour"),
        ({"mask": {"size": [8, 6], "counts": "`1"}}, r"mask has size \[8, 6\], its image \[6, 8\]"),
    ],
)
def test_json_that_does_not_fit_is_refused(
    found: Instances, change: dict[str, Any], message: str
) -> None:
    values = found.to_json()
    values["objects"][1] |= change

    with pytest.raises(ValueError, match=message):
        Instances.from_json(values)


def test_json_with_an_unknown_field_is_refused(found: Instances) -> None:
    values = found.to_json() | {"fields": ["box", "score", "colour"]}

    with pytest.raises(ValueError, match="fields must be box, score, label, name and any of"):
        Instances.from_json(values)


def test_coco_results_have_boxes_as_xywh_and_mapped_categories(found: Instances) -> None:
    results = found.to_coco(42, category_ids=[3, 18])

    assert [one["category_id"] for one in results] == [18, 3, 18]
    assert results[2] == {
        "image_id": 42,
        "category_id": 18,
        "bbox": [7.0, 5.0, 1.0, 1.0],
        "score": pytest.approx(0.1),
        "segmentation": encode_rle(found.masks[2:])[0],  # type: ignore[index]
        "prompt_id": 1,
    }


def test_coco_results_without_a_mapping_use_the_labels(found: Instances) -> None:
    results = replace(found, masks=None).to_coco("a.jpg")

    assert [one["category_id"] for one in results] == [1, 0, 1]
    assert "segmentation" not in results[0]
    assert "prompt_id" not in replace(found, prompt_ids=None).to_coco(1)[0]


def test_coco_results_need_a_category_for_every_name(found: Instances) -> None:
    with pytest.raises(ValueError, match="category_ids has 1 entries for 2 names"):
        found.to_coco(42, category_ids=[3])


def test_the_area_in_a_coco_file_is_that_of_the_mask_or_else_of_the_box(found: Instances) -> None:
    file = CocoFile()
    file.add("a.jpg", found)
    file.add("b.jpg", replace(found, masks=None))

    areas = [one["area"] for one in file.to_json()["annotations"]]

    assert areas == pytest.approx([6, 0, 1, 3.1 * 2, 6 / 3, 1])


def test_a_coco_file_joins_images_with_different_names(found: Instances) -> None:
    file = CocoFile(["bus"], description="mine")
    file.add("x/a.jpg", found)
    file.add("y/a.jpg", replace(found, names=("dog", "cat")))

    content = json.loads(json.dumps(file.to_json()))

    assert content["info"] == {"description": "mine"}
    assert [image["file_name"] for image in content["images"]] == ["x/a.jpg", "y/a.jpg"]
    names = {one["id"]: one["name"] for one in content["categories"]}
    annotations = content["annotations"]
    found_names = [names[one["category_id"]] for one in annotations]
    assert found_names == ["dog", "car", "dog", "cat", "dog", "cat"]
    assert [one["id"] for one in annotations] == [1, 2, 3, 4, 5, 6]
    assert [one["image_id"] for one in annotations] == [0, 0, 0, 1, 1, 1]
    assert set(names.values()) == {"bus", "car", "dog", "cat"}


@pytest.mark.filterwarnings("ignore:OpenCV")
def test_supervision_gets_names_masks_and_tracks(found: Instances) -> None:
    pytest.importorskip("supervision")

    detections = found.to_supervision()

    assert detections.xyxy.tolist() == found.boxes.tolist()
    assert list(detections.data["class_name"]) == ["dog", "car", "dog"]
    assert list(detections.data["prompt_id"]) == [0, 0, 1]
    assert detections.mask is not None
    assert detections.mask.sum((1, 2)).tolist() == [6, 0, 1]
    assert detections.tracker_id is not None
    assert detections.tracker_id.tolist() == [12, 3, 5]


@pytest.mark.filterwarnings("ignore:OpenCV")
def test_an_empty_result_converts_to_supervision() -> None:
    pytest.importorskip("supervision")

    assert len(Instances.empty(["car"], (6, 8), masks=True).to_supervision()) == 0


def test_missing_supervision_is_reported_with_its_install_line(
    found: Instances, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)

    with pytest.raises(ImportError) as error:
        found.to_supervision()

    assert str(error.value) == 'converting to supervision needs it: pip install "glee-vision[viz]"'
