import io
import json
import tarfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from glee.data.corpus.packs import Cutout, read_cutouts
from glee.data.corpus.photos import read_masks
from glee.data.corpus.pictures import Pictures
from glee.data.readers.pseudo_labels import read_pseudo_labels
from glee.training.nano import LABELS, TEACHER, complete, nano_sources
from mini_packs import make_packs
from pack_nano_data import FOLDER, MIB, choose, pack, shorten

PHOTO = Cutout(
    **{"shard": "coco-00.tar", "offset": 512, "size": 100, "name": "dog", "synonyms": ()},
    **{"parent": None, "source": "coco", "kind": "photo", "width": 9, "height": 9},
    **{"model": None, "yaw": 0.0, "pitch": 0.0, "held_out": False, "truncated": False},
)


def box(number: int, image: int, name: int, score: float) -> dict[str, Any]:
    bbox = [number, number, 10, 10]
    return {"id": number, "image_id": image, "category_id": name, "bbox": bbox, "score": score}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a data root with all that the recipes read, and more boxes than they need."""
    packs = make_packs(tmp_path / "packs")
    (packs / TEACHER).parent.mkdir(parents=True)
    (packs / TEACHER).write_bytes(b"weights")
    scores = [(1, 3, 0.9), (1, 3, 0.2), (1, 3, 0.1), (1, 1, 0.1), (1, 1, 0.3), (3, 1, 0.5)]
    sizes = {"height": 48, "width": 64}
    names = [{"id": 1, "name": "person"}, {"id": 3, "name": "dog"}, {"id": 4, "name": "cat"}]
    content = {
        "images": [
            {"id": n, "file_name": f"{n}.jpg", **sizes, "neg_category_ids": [4]} for n in (1, 3)
        ],
        "annotations": [box(n, *one) for n, one in enumerate(scores, 1)],
        "categories": names,
    }
    (packs / LABELS).write_text(json.dumps(content))
    (packs / "ATTRIBUTIONS.tsv").write_text("who made what\n")
    return packs


def unpack(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / FOLDER


def test_all_that_training_reads_is_in_the_archive_and_nothing_held_out(
    root: Path, tmp_path: Path
) -> None:
    count = pack(root, tmp_path / "data.tar.gz", most=4 * MIB)
    there = unpack(tmp_path / "data.tar.gz", tmp_path / "there")

    ours, theirs = nano_sources(root, root / LABELS), nano_sources(complete(there), there / LABELS)
    assert [len(source.samples) for source in theirs] == [len(source.samples) for source in ours]
    assert (there / "ATTRIBUTIONS.tsv").read_text() == "who made what\n"
    assert {path.name for path in (there / "coco_photos" / "images").iterdir()} == {
        "1.jpg",
        "3.jpg",
    }
    assert (
        read_masks(there)[0].frames[0].boxes.tolist()
        == read_masks(root)[0].frames[0].boxes.tolist()
    )
    rows = [row for row in read_cutouts(root) if not row.held_out]
    assert [replace(row, offset=0) for row in read_cutouts(there)] == [
        replace(row, offset=0) for row in rows
    ]
    assert count == len(rows)


def test_the_cut_outs_of_an_archive_are_the_same_pictures(root: Path, tmp_path: Path) -> None:
    pack(root, tmp_path / "data.tar.gz", most=4 * MIB)
    there = unpack(tmp_path / "data.tar.gz", tmp_path / "there")

    rows = [row for row in read_cutouts(root) if not row.held_out]
    before, after = Pictures(root), Pictures(there)
    for row, packed in zip(rows, read_cutouts(there), strict=True):
        assert before.cutout(row).tobytes() == after.cutout(packed).tobytes()
    with tarfile.open(there / "cutouts" / "coco-00.tar") as shard:  # it can be unpacked, too
        member = shard.getmembers()[0]
        content = shard.extractfile(member)
        assert content is not None
        assert Image.open(io.BytesIO(content.read())).format == "WEBP"


def test_an_archive_takes_no_more_than_it_may_and_fewer_cut_outs_for_it(
    root: Path, tmp_path: Path
) -> None:
    out = tmp_path / "data.tar.gz"
    whole = pack(root, out, most=4 * MIB)
    packed = []

    for most in range(2**16, 2**17, 1000):
        with suppress(ValueError):  # too little room for one of each name
            packed.append(pack(root, out, most=most))
            assert out.stat().st_size <= most
            break

    assert 0 < packed[0] < whole
    there = read_cutouts(unpack(out, tmp_path / "there"))
    rows = [row for row in read_cutouts(root) if not row.held_out]
    assert {(row.source, row.name) for row in there} == {(row.source, row.name) for row in rows}


def test_what_does_not_fit_leaves_no_archive(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one cut-out of each name does not fit"):
        pack(root, tmp_path / "data.tar.gz", most=2**16)

    (root / LABELS).unlink()
    with pytest.raises(FileNotFoundError, match=LABELS):
        pack(root, tmp_path / "data.tar.gz", most=MIB)
    assert [path.name for path in tmp_path.iterdir()] == ["packs"]


def test_names_get_equal_numbers_spread_over_all_and_renders_whole_turns() -> None:
    photos = [replace(PHOTO, offset=n) for n in range(40)]
    others = [replace(PHOTO, name="cat"), replace(PHOTO, held_out=True)]
    views = [
        replace(PHOTO, source="sweethome3d", model=model, yaw=float(yaw), pitch=pitch)
        for model in ("a", "b")
        for pitch in (10.0, 30.0)
        for yaw in range(8)
    ]

    chosen = choose([*photos, *others, *views], 20)

    own = [n for n in chosen if n < 40]
    assert len(own) == 20
    assert max(b - a for a, b in zip([-1, *own], [*own, 40], strict=True)) <= 4
    assert 40 in chosen
    assert 41 not in chosen
    turns = [n - 42 for n in chosen if n >= 42]
    assert len(turns) == 16  # a third turn would be four too many
    assert all(turns[n : n + 8] == list(range(turns[n], turns[n] + 8)) for n in (0, 8))


def test_boxes_left_out_change_no_sample(root: Path, tmp_path: Path) -> None:
    labels = json.loads((root / LABELS).read_text())

    shorter = shorten(labels, 0.35)

    assert [entry["id"] for entry in shorter["annotations"]] == [1, 2, 4, 6]
    (tmp_path / LABELS).write_text(json.dumps(shorter))
    images = root / "coco_photos" / "images"
    ours = read_pseudo_labels(root / LABELS, images, least_score=0.35)
    theirs = read_pseudo_labels(tmp_path / LABELS, images, least_score=0.35)
    assert len(ours) == len(theirs) == 2
    for one, other in zip(ours, theirs, strict=True):
        assert one.supervision == other.supervision
        assert one.frames[0].names == other.frames[0].names
        assert one.frames[0].boxes.tolist() == other.frames[0].boxes.tolist()
