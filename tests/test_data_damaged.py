"""Files of annotation damaged in every place: entries are left out, nothing crashes."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from glee.data.readers.bdd100k import read_bdd100k
from glee.data.readers.burst import read_burst
from glee.data.readers.coco import read_coco
from glee.data.readers.lvis import read_lvis
from glee.data.readers.phrases import read_phrases
from glee.data.readers.refcoco import read_refcoco
from glee.data.readers.sa1b import read_sample
from glee.data.readers.tao import read_tao
from glee.data.readers.visual_genome import read_visual_genome
from glee.data.readers.ytvis import read_ytvis
from glee.data.readers.ytvos import read_ref_ytvos
from glee.data.report import Report
from glee.data.schema import Samples

Read = Callable[[Path, Path], Samples]

DAMAGES = (None, [], [[1]], "x", -1, 0, float("inf"), 2**70, {"a": 1})

NAMES = [{"id": 1, "name": "dog"}]
RLE = {"size": [4, 3], "counts": "444"}
BOX = {"category_id": 1, "bbox": [0, 0, 2, 2]}
IMAGE = {"id": 7, "file_name": "7.jpg", "height": 4, "width": 3, "expressions": ["a dog"]}
IMAGE |= {"neg_category_ids": [1], "coco_url": "http://x.org/train2017/7.jpg"}
COCO = {
    "images": [IMAGE],
    "annotations": [
        BOX | {"id": 1, "image_id": 7, "segmentation": RLE, "caption": "a dog"},
        BOX | {"id": 2, "image_id": 7, "segmentation": [[0, 0, 2, 0, 2, 2]]},
    ],
    "categories": NAMES,
}
VIDEO = {"id": 1, "height": 4, "width": 3, "file_names": ["a/0.jpg"], "neg_category_ids": [1]}
TRACK = {"id": 1, "video_id": 1, "category_id": 1, "bboxes": [None], "segmentations": [RLE]}
YTVIS = {"videos": [VIDEO], "annotations": [TRACK], "categories": NAMES}
TAO = {
    "videos": [{"id": 1, "neg_category_ids": [1]}],
    "images": [IMAGE | {"video_id": 1, "frame_index": 0}],
    "annotations": [BOX | {"id": 1, "image_id": 7, "track_id": 1}],
    "categories": NAMES,
}
SEQUENCE = {"seq_name": "a", "dataset": "b", "height": 4, "width": 3}
SEQUENCE |= {"annotated_image_paths": ["0.jpg"], "segmentations": [{"1": {"rle": "444"}}]}
BURST = {"sequences": [SEQUENCE | {"track_category_ids": {"1": 1}}], "categories": NAMES}
LABEL = {"category": "car", "attributes": {}, "box2d": {"x1": 0, "y1": 0, "x2": 1, "y2": 1}}
GENOME = [{"image_id": 5, "objects": [{"x": 1, "y": 2, "w": 3, "h": 4, "names": ["tree"]}]}]
ABOUT = [{"image_id": 5, "url": "http://x.org/VG_100K/5.jpg", "width": 8, "height": 6}]
REF = {"videos": {"a": {"expressions": {"0": {"exp": "a dog", "obj_id": "1"}}}}}


def genome(path: Path, folder: Path) -> Samples:
    about = folder / "about.json"
    about.write_text(json.dumps(ABOUT))
    return read_visual_genome(path, about, folder)


def read_beside(path: Path, folder: Path) -> Samples:
    read_sample(path.with_suffix(".jpg"), Report())
    return ()  # type: ignore[return-value]  # nothing more to be opened


CASES: dict[str, tuple[Any, Read]] = {
    "coco": (COCO, read_coco),
    "lvis": (COCO, read_lvis),
    "refcoco": (COCO, read_refcoco),
    "phrases": (COCO, read_phrases),
    "ytvis": (YTVIS, read_ytvis),
    "tao": (TAO, read_tao),
    "burst": (BURST, read_burst),
    "bdd100k": ([{"name": "a.jpg", "labels": [LABEL]}], read_bdd100k),
    "visual genome": (GENOME, genome),
    "sa1b": ({"image": IMAGE, "annotations": [BOX | {"segmentation": RLE}]}, read_beside),
    "ref-youtube-vos": (REF, lambda path, folder: read_ref_ytvos(folder, path)),
}


def places(data: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value inside some JSON."""
    entries = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in entries:
        yield (*before, key)
        if isinstance(value, dict | list):
            yield from places(value, (*before, key))


def damaged(data: Any) -> Iterator[Any]:
    """Yield copies of some JSON, each with one value replaced or missing."""
    for *way, last in places(data):
        for damage in (*DAMAGES, KeyError):
            changed = copy.deepcopy(data)
            inner = changed
            for key in way:
                inner = inner[key]
            if damage is KeyError:
                del inner[last]
            else:
                inner[last] = damage
            yield changed


@pytest.mark.parametrize("case", CASES)
def test_damaged_entries_are_left_out_or_the_file_is_refused(case: str, tmp_path: Path) -> None:
    data, read = CASES[case]
    path = tmp_path / "damaged.json"

    for changed in damaged(data):
        path.write_text(json.dumps(changed))
        try:
            samples = read(path, tmp_path)
            for sample in (samples[n] for n in range(len(samples))):
                if isinstance(sample.frames[0].image, Path):
                    sample.frames[0].decode_masks()
        except ValueError:  # which commands show as a message, and training as a bad sample
            pass
        except Exception as error:
            raise AssertionError(f"{changed} raises {error!r}") from error


def test_an_entry_of_another_layout_is_named(tmp_path: Path) -> None:
    data = COCO | {
        "images": [IMAGE, IMAGE | {"id": {}}],
        "annotations": [*COCO["annotations"], BOX | {"image_id": []}],
    }
    path = tmp_path / "a.json"
    path.write_text(json.dumps(data))

    report = read_coco(path, tmp_path).report

    assert report.counts == {"entry of another layout": 2}
    assert report.examples["entry of another layout"][0].startswith("{'id': {}")


def test_a_polygon_with_corners_far_away_is_left_out(tmp_path: Path) -> None:
    far = BOX | {"id": 3, "image_id": 7, "segmentation": [[0, 0, 1e30, 0, 2, 2]]}
    path = tmp_path / "a.json"
    path.write_text(json.dumps(COCO | {"annotations": [far]}))

    report = read_coco(path, tmp_path).report

    assert report.counts == {"polygon with an outline longer than any object's": 1}
