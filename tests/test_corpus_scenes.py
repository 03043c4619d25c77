"""Scenes composed of cut-outs: exact masks, honest absences, names kept out of training."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from glee.data.corpus.kinship import Kinship
from glee.data.corpus.packs import MissingPackError, is_held_out, read_cutouts
from glee.data.corpus.photos import read_machine_boxes, read_masks, read_people
from glee.data.corpus.scenes import SceneSamples
from glee.data.schema import Sample
from glee.ops.masks import decode_rle
from mini_packs import make_packs


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_packs(tmp_path_factory.mktemp("packs"))


@pytest.fixture(scope="module")
def samples(root: Path) -> list[Sample]:
    scenes = SceneSamples(root, seed=5)
    return [scenes[n] for n in range(40)]


def test_a_scene_depends_on_seed_and_index_only(root: Path) -> None:
    scenes = SceneSamples(root, seed=2)
    fresh = pickle.loads(pickle.dumps(scenes))

    before = [scenes[n].frames[0] for n in (7, 3)]
    again = [fresh[n].frames[0] for n in (7, 3)]
    other = SceneSamples(root, seed=3)[7].frames[0]

    for one, two in zip(before, again, strict=True):
        np.testing.assert_array_equal(one.image, two.image)
        assert (one.names, one.masks) == (two.names, two.masks)
    assert before[0].masks != other.masks


def test_no_pixel_belongs_to_two_objects(samples: list[Sample]) -> None:
    for sample in samples:
        masks = sample.frames[0].decode_masks()
        assert masks is not None
        assert masks.sum(0).max() <= 1


def test_boxes_are_tight_around_the_masks(samples: list[Sample]) -> None:
    for sample in samples:
        frame = sample.frames[0]
        for box, rle in zip(frame.boxes.tolist(), frame.masks or (), strict=True):
            rows, columns = decode_rle([rle], frame.size)[0].nonzero().unbind(1)
            edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert box == [int(edge) for edge in edges]


def test_scenes_show_one_to_eight_objects_on_canvases_of_the_promised_size(
    samples: list[Sample],
) -> None:
    counts = [len(sample.frames[0]) for sample in samples]
    sides = [side for sample in samples for side in sample.frames[0].size]

    assert max(counts) <= 8
    assert np.mean(np.array(counts) >= 1) > 0.95
    assert 256 <= min(sides) <= max(sides) <= 416


def test_held_out_words_never_enter_a_training_source(root: Path) -> None:
    scenes = SceneSamples(root)
    shown = [name for n in range(40) for name in scenes[n].frames[0].names]
    taught = [scenes[n].supervision for n in range(40)]

    spoken = {*shown, *scenes.names}.union(*(one.exhaustive or () for one in taught))
    spoken = spoken.union(*(one.absent for one in taught))

    assert not [name for name in spoken if is_held_out(name)]


def test_scenes_for_evaluation_show_a_held_out_object_each(root: Path) -> None:
    scenes = SceneSamples(root, held_out=True)

    shown = [scenes[n].frames[0].names for n in range(20)]

    assert np.mean([any(map(is_held_out, names)) for names in shown]) > 0.8
    assert "okapi" in scenes.names


def test_what_a_shown_object_may_be_called_too_is_not_taught_absent(root: Path) -> None:
    kinship = Kinship(read_cutouts(root))

    known = kinship.coverage(["dalmatian", "windsor chair"], ["dalmatian", "chair"], scenery=False)

    assert {"dalmatian", "chair", "leopard", "cup", "person"} <= known
    assert not known & {"dog", "animal", "furniture", "windsor chair"}


def test_a_wider_word_is_known_where_all_that_it_fits_carry_it(root: Path) -> None:
    kinship = Kinship(read_cutouts(root))

    both = kinship.coverage(["dalmatian", "leopard"], ["animal", "animal"], scenery=False)
    one = kinship.coverage(["dalmatian", "leopard"], ["dalmatian", "animal"], scenery=False)

    assert "animal" in both
    assert "animal" not in one


def test_things_that_pictures_show_are_not_taught_absent_on_them(root: Path) -> None:
    kinship = Kinship(read_cutouts(root))

    on_picture = kinship.coverage(["dog"], ["dog"], scenery=True)
    on_texture = kinship.coverage(["dog"], ["dog"], scenery=False)

    assert {"tree", "chair"}.isdisjoint(on_picture)
    assert "chair" in on_texture


def test_absent_names_are_never_shown(samples: list[Sample]) -> None:
    for sample in samples:
        absent = sample.supervision.absent
        assert absent.isdisjoint(sample.frames[0].names)
        assert absent <= (sample.supervision.exhaustive or frozenset())


def test_a_missing_pack_is_named_with_origin_and_licence(root: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingPackError, match=r"index\.jsonl.*from objects.*licence"):
        SceneSamples(tmp_path)


def test_a_missing_source_is_gone_without_only_when_allowed(tmp_path: Path) -> None:
    root = make_packs(tmp_path)
    (root / "cutouts" / "coco-00.tar").unlink()

    with pytest.raises(MissingPackError, match=r"coco-00\.tar.*CC BY 2\.0"):
        read_cutouts(root)
    rows = read_cutouts(root, allow_missing=True)

    assert {row.source for row in rows} == {
        "caltech101",
        "tuxpaint",
        "grocery",
        "sweethome3d",
        "fluent3d",
    }


def test_photos_of_the_other_split_never_come(root: Path) -> None:
    sources = (read_masks(root), read_people(root), read_machine_boxes(root, least_score=0.1))

    files = [{Path(one[n].key).name for n in range(len(one))} for one in sources]

    assert files == [{"1.jpg"}, {"1.jpg", "3.jpg"}, {"1.jpg", "3.jpg"}]


def test_photos_of_people_teach_nothing_of_other_names(root: Path) -> None:
    supervision = read_people(root)[0].supervision

    assert supervision.teaches_absence("person")
    assert not supervision.teaches_absence("dog")


def test_photos_with_masks_cover_all_their_names(root: Path) -> None:
    sample = read_masks(root)[0]

    assert sample.supervision.masks
    assert sample.supervision.exhaustive == {"person", "dog"}


def test_machine_boxes_below_the_score_are_left_out(root: Path) -> None:
    sample = read_machine_boxes(root, least_score=0.5)[0]

    assert sample.frames[0].names == ("dog",)
    assert sample.supervision.machine_made
    assert not sample.supervision.teaches_absence("person")
