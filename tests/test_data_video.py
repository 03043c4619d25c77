"""Readers of annotated clips, each on a small example in its official layout."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glee.data.readers.builder import IndexOptions
from glee.data.readers.davis import read_davis, read_mose
from glee.data.readers.ytvis import read_ytvis
from glee.data.readers.ytvos import read_ref_ytvos, read_ytvos
from glee.data.schema import BadSampleError

MIDDLE = {"size": [4, 3], "counts": [4, 4, 4]}
FILES = ["v/00.jpg", "v/05.jpg", "v/10.jpg"]
VIDEO = {"id": 1, "height": 4, "width": 3, "length": 3, "file_names": FILES}
NAMES = [{"id": 4, "name": "parrot"}, {"id": 9, "name": "ape"}]


def track(**changes: Any) -> dict[str, Any]:
    own = {"id": 9, "video_id": 1, "category_id": 4, "iscrowd": 0, "areas": [4, None, 4]}
    own |= {"bboxes": [[1, 0, 1, 4], None, [1, 0, 1, 4]], "segmentations": [MIDDLE, None, MIDDLE]}
    return own | changes


def write(folder: Path, tracks: list[Any], **changes: Any) -> Path:
    path = folder / "instances.json"
    data = {"annotations": tracks, "videos": [VIDEO | changes], "categories": NAMES}
    path.write_text(json.dumps(data))
    return path


def test_an_object_keeps_its_id_through_the_frames_that_show_it(tmp_path: Path) -> None:
    other = track(id=10, category_id=9, bboxes=[None, None, [0, 0, 1, 1]])
    other["segmentations"] = [None, None, {"size": [4, 3], "counts": [0, 1, 11]}]

    sample = read_ytvis(write(tmp_path, [track(), other]), tmp_path)[0]

    frames = [sample.frames[n] for n in range(len(sample.frames))]
    assert [frame.names for frame in frames] == [("parrot",), (), ("parrot", "ape")]
    first, last = frames[0].track_ids, frames[2].track_ids
    assert first is not None
    assert last is not None
    assert (last[0], len(set(last))) == (first[0], 2)
    assert frames[1].image == tmp_path / "v" / "05.jpg"
    assert sample.supervision.masks
    assert sample.key == str(tmp_path / "v")


def test_the_frames_of_clips_are_images_where_they_show_something(tmp_path: Path) -> None:
    frames = read_ytvis(write(tmp_path, [track()]), tmp_path).frames

    assert [Path(frames[n].key).name for n in range(len(frames))] == ["00.jpg", "10.jpg"]
    assert frames[0].frames[0].track_ids is None


def test_a_box_that_is_missing_is_taken_around_the_mask(tmp_path: Path) -> None:
    sample = read_ytvis(write(tmp_path, [track(bboxes=None)]), tmp_path)[0]

    assert sample.frames[0].boxes.tolist() == [[1, 0, 2, 4]]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"segmentations": [MIDDLE]}, "track of another length than its clip"),
        ({"video_id": 2}, "annotation of a missing image"),
        ({"category_id": 5}, "unknown category id"),
        (
            {"segmentations": [MIDDLE, None, {"size": [3, 4], "counts": [12]}]},
            "mask of another size than its image",
        ),
    ],
)
def test_a_bad_track_is_left_out_and_named(
    changes: dict[str, Any], fault: str, tmp_path: Path
) -> None:
    samples = read_ytvis(write(tmp_path, [track(), track(**changes)]), tmp_path)

    assert len(samples[0].frames[2]) == 1
    assert list(samples.report.counts) == [fault]


def test_a_crowd_in_one_frame_makes_its_name_partial_in_the_clip(tmp_path: Path) -> None:
    crowd = track(category_id=9, iscrowd=1)

    supervision = read_ytvis(write(tmp_path, [track(), crowd]), tmp_path)[0].supervision

    assert supervision.teaches_absence("parrot")
    assert not supervision.teaches_absence("ape")


def test_burst_knows_what_is_absent_and_expressions_describe_a_clip(tmp_path: Path) -> None:
    path = write(tmp_path, [track()], neg_category_ids=[9], expressions=["the green one"])

    sample = read_ytvis(path, tmp_path, options=IndexOptions(coverage="present"))[0]

    assert sample.supervision.absent == {"ape"}
    assert not sample.supervision.teaches_absence("dog")
    assert sample.expressions == ("the green one",)


@pytest.mark.parametrize("changes", [{"file_names": []}, {"height": None}])
def test_a_clip_without_frames_or_size_is_left_out_and_named(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    samples = read_ytvis(write(tmp_path, [], **changes), tmp_path)

    assert samples.report.examples == {"clip without frames or size": ["video 1"]}


def test_clips_and_their_frames_say_which_are_higher_than_wide(tmp_path: Path) -> None:
    samples = read_ytvis(write(tmp_path, [track()]), tmp_path)

    assert (samples.portrait().tolist(), samples.frames.portrait().tolist()) == ([True], [True] * 2)


def test_a_clip_without_objects_is_no_sample(tmp_path: Path) -> None:
    assert len(read_ytvis(write(tmp_path, []), tmp_path)) == 0


def paint(path: Path, rows: list[list[int]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(np.array(rows, dtype=np.uint8)).convert("P")
    picture.putdata([value for row in rows for value in row])
    picture.save(path)


def davis(root: Path) -> Path:
    lists = root / "ImageSets" / "2017"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("bear\n")
    paint(root / "Annotations" / "480p" / "bear" / "00000.png", [[0, 1, 1], [2, 0, 1]])
    paint(root / "Annotations" / "480p" / "bear" / "00001.png", [[0, 0, 2], [0, 0, 2]])
    return root


def test_davis_has_a_mask_and_a_box_for_each_number(tmp_path: Path) -> None:
    sample = read_davis(davis(tmp_path))[0]

    first, second = sample.frames[0], sample.frames[1]

    masks = first.decode_masks()
    assert masks is not None
    assert masks.tolist() == [
        [[False, True, True], [False, False, True]],
        [[False, False, False], [True, False, False]],
    ]
    assert first.boxes.tolist() == [[1, 0, 3, 2], [0, 1, 1, 2]]
    assert (first.track_ids, second.track_ids) == ((1, 2), (2,))
    assert first.image == tmp_path / "JPEGImages" / "480p" / "bear" / "00000.jpg"
    assert not sample.supervision.teaches_absence("object")


def test_mose_takes_all_folders(tmp_path: Path) -> None:
    paint(tmp_path / "Annotations" / "b" / "00000.png", [[0, 1]])
    paint(tmp_path / "Annotations" / "a" / "00000.png", [[0, 0]])

    samples = read_mose(tmp_path)

    assert [Path(samples[n].key).name for n in range(len(samples))] == ["a", "b"]
    assert len(samples[0].frames[0]) == 0


@pytest.mark.parametrize(("one_name", "names"), [("object", ("object",)), (None, ("ape",))])
def test_youtube_vos_takes_the_objects_of_its_list(
    one_name: str | None, names: tuple[str, ...], tmp_path: Path
) -> None:
    paint(tmp_path / "Annotations" / "0a" / "00005.png", [[0, 1, 3]])
    meta = {"videos": {"0a": {"objects": {"1": {"category": "ape", "frames": ["00005"]}}}}}
    (tmp_path / "meta.json").write_text(json.dumps(meta))

    samples = read_ytvos(tmp_path, one_name=one_name)

    assert samples.names == names
    assert samples[0].frames[0].names == names
    assert samples[0].frames[0].track_ids == (1,)


def test_ref_youtube_vos_has_a_sample_for_each_object(tmp_path: Path) -> None:
    paint(tmp_path / "Annotations" / "0a" / "00005.png", [[0, 1, 2]])
    about = {"0": {"exp": "a man", "obj_id": "2"}, "1": {"exp": "a dog", "obj_id": "1"}}
    about["2"] = {"exp": "he", "obj_id": "2"}
    path = tmp_path / "meta_expressions.json"
    path.write_text(json.dumps({"videos": {"0a": {"expressions": about, "frames": ["00005"]}}}))

    samples = read_ref_ytvos(tmp_path, path)

    assert [samples[n].expressions for n in range(2)] == [("a dog",), ("a man", "he")]
    assert samples[1].frames[0].boxes.tolist() == [[2, 0, 3, 1]]


@pytest.mark.parametrize("content", [None, b"no image"])
def test_a_damaged_picture_is_a_bad_sample(content: bytes | None, tmp_path: Path) -> None:
    path = davis(tmp_path) / "Annotations" / "480p" / "bear" / "00001.png"
    sample = read_davis(tmp_path)[0]
    path.unlink() if content is None else path.write_bytes(content)

    with pytest.raises(BadSampleError, match="00001"):
        sample.frames[1]


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"train\.txt"):
        read_davis(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"meta\.json"):
        read_ytvos(tmp_path)
    with pytest.raises(FileNotFoundError, match="Annotations"):
        read_mose(tmp_path)
