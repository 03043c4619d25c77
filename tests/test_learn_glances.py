"""The tools that teach the second look, on a miniature of the packs and on made-up boxes."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from glance_store import Collector, Record, read_store
from glee import Predictor
from glee.config import ConceptsConfig, GlanceConfig, GleeConfig, MiniLmConfig, PairConfig, nano
from glee.model.build import build_glee
from glee.model.glee import GLEE
from learn_glances import Phrase, Texts, embed_definitions, learn, names_of, share_right
from mini_packs import make_packs

SEEN = 16


def small(seen: int = 1280, num_names: int = 3) -> GleeConfig:
    concepts = ConceptsConfig(num_classes=5, head_width=seen)
    return replace(
        nano(),
        backbone=PairConfig(concepts=concepts),
        text=MiniLmConfig(num_layers=1, mlp_width=64),
        visual_prompts=None,
        object_decoder=replace(nano().object_decoder, num_layers=1, num_queries=20),
        glances=GlanceConfig(count=4, side=32, num_names=num_names),
    )


@pytest.fixture(scope="module")
def network() -> GLEE:
    torch.manual_seed(0)
    return build_glee(small(SEEN)).eval()


def made_up(number: int) -> Record:
    """Two boxes of which each shows what one of two words means, in any order."""
    random = torch.Generator().manual_seed(number)
    order = torch.randperm(2, generator=random)
    noise = 0.1 * torch.randn(2, SEEN, generator=random)
    boxes = torch.tensor([[0.3, 0.5, 0.2, 0.2], [0.7, 0.5, 0.2, 0.2]])
    return {
        "texts": ["a dog", "the tall tower"],
        "targets": [0, 1],
        "overlaps": torch.eye(2)[order].half(),
        "before": torch.zeros(2, 2).half(),
        "boxes": boxes,
        "seen": (3 * torch.eye(SEEN)[order] + noise).half(),
        "color": torch.zeros(2, 3),
    }


NAMED = {"names": ["dog", "tower"], "seen": 3 * torch.eye(SEEN)[:2].half()}


def test_what_is_taught_is_learned_and_held_for_new_boxes(network: GLEE) -> None:
    torch.manual_seed(0)
    texts = Texts(network)
    records = [*(made_up(number) for number in range(60)), NAMED]
    new = [Phrase(made_up(number), text) for number in range(100, 120) for text in (0, 1)]

    glances = learn(network, records, steps=40, texts=texts)

    assert share_right(glances, new, texts) > 0.95


def test_names_are_those_of_objects_and_of_photos() -> None:
    names = names_of([made_up(0), NAMED])

    assert {"tower", "dog", "person"} <= set(names)
    assert names == sorted(set(names))


def test_definitions_of_words_held_out_say_nothing(network: GLEE) -> None:
    lines = ["okapi: like a giraffe", "cup: to drink of", "dog: barks", "tree: high", "sea: blue"]

    embedded = embed_definitions(lines, Texts(network))

    assert not embedded[0].any()
    assert embedded[1:].any(dim=1).all()
    with pytest.raises(ValueError, match="each of 5 classes, got 4"):
        embed_definitions(lines[1:], Texts(network))


def test_a_store_without_named_objects_is_refused(network: GLEE) -> None:
    with pytest.raises(ValueError, match="and named ones"):
        learn(network, [made_up(number) for number in range(20)], steps=1, texts=Texts(network))


def test_a_part_holds_what_is_seen_of_scenes_photos_and_named_objects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ("DESCRIBED", "PHOTOS", "NAMED"):
        monkeypatch.setattr(f"glance_store.{kind}", 2)
    torch.manual_seed(0)
    collector = Collector(Predictor(build_glee(small())), make_packs(tmp_path))

    part = collector.part(1)
    torch.save(part, tmp_path / "part-00000.pt")

    described = [record for record in part if "texts" in record]
    named = [record for record in part if "names" in record]
    assert 2 <= len(described) <= 4
    assert len(named) == 2
    for record in described:
        count = len(record["boxes"])
        assert 1 <= count <= 4
        assert len(record["seen"]) == len(record["color"]) == len(record["before"]) == count
        assert record["before"].shape[1] == len(record["texts"]) == len(record["targets"])
        assert len(record["overlaps"]) == count
        assert max(record["targets"]) < record["overlaps"].shape[1]
    for record in named:
        assert len(record["names"]) == len(record["seen"])
    assert len(list(read_store([tmp_path]))) == len(part)


def test_boxes_of_objects_are_placed_in_the_input_of_the_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    collector = Collector(Predictor(build_glee(small())), make_packs(tmp_path))
    frame = collector.named[0].frames[0]
    geometry = collector.predictor.encode(frame.image).geometry

    boxes = collector._shaken(frame, geometry, 0)

    back = geometry.boxes_to_original(boxes, clip=False)
    sides = torch.from_numpy(frame.boxes)[:, 2:] - torch.from_numpy(frame.boxes)[:, :2]
    moved = (back - torch.from_numpy(frame.boxes)).abs()
    assert (moved <= 0.2 * sides.repeat(1, 2) + 1).all()


def test_a_folder_without_parts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"holds no part-\*\.pt"):
        list(read_store([tmp_path]))
