"""The tools that teach the second look, on a miniature of the packs and on made-up boxes."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from glance_store import Collector, Record, join_boxes, read_store
from glee import Predictor
from glee.config import ConceptsConfig, GlanceConfig, GleeConfig, MiniLmConfig, PairConfig, nano
from glee.model.build import build_glee
from glee.model.glances import PARTS, Glances
from glee.model.glee import GLEE
from learn_glances import (
    Boxes,
    Texts,
    embed_definitions,
    join_records,
    learn,
    learned_names,
    read_views,
    share_right,
)
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
    looks, before = torch.arange(2), torch.zeros(2).half()
    return {
        "names": ["dog", "tower"],
        "boxes": torch.tensor([[0.3, 0.5, 0.2, 0.2], [0.7, 0.5, 0.2, 0.2]]),
        "seen": (3 * torch.eye(SEEN)[order] + noise).half(),
        "color": torch.zeros(2, 3 * PARTS**2),
        "overlaps": torch.eye(2)[order].half(),
        "views": [
            {"looks": looks, "before": before, "target": 0, "texts": ["a dog", "the dog"]},
            {"looks": looks[:1], "before": before[:1], "target": 1, "texts": ["the tall tower"]},
        ],
    }


def test_what_is_taught_is_learned_and_held_for_new_boxes(network: GLEE) -> None:
    torch.manual_seed(0)
    texts = Texts(network)
    taught = join_records((made_up(number) for number in range(60)), 4)
    # Only dogs, since of the towers the only box is the wrong one for half of them.
    new = [made_up(number) for number in range(100, 120)]
    dogs = join_records(({**one, "views": one["views"][:1]} for one in new), 4)

    glances = learn(network, taught, None, steps=40, texts=texts)

    assert share_right(glances, dogs, texts) > 0.95


def test_boxes_are_joined_by_what_they_show_and_padded_to_one_number() -> None:
    boxes = join_records([made_up(0), made_up(1)], 3)

    assert boxes.names == ["dog", "tower"]
    assert len(boxes) == 4
    assert boxes.real.tolist() == [[True, True, False], [True, False, False]] * 2
    assert boxes.looks[:, 0].tolist() == [0, 0, 2, 2]
    assert (boxes.labels == boxes.seen[:, :2].argmax(dim=1)).all()
    assert (boxes.overlaps[~boxes.real] == 0).all()
    with pytest.raises(ValueError, match="must hold described pictures"):
        join_records([], 3)


def test_a_mirrored_description_sees_its_boxes_mirrored(network: GLEE) -> None:
    torch.manual_seed(0)
    boxes, texts = join_records([made_up(3)], 4), Texts(network)
    config = network.config
    assert config.glances is not None
    assert isinstance(config.backbone, PairConfig)
    glances = Glances(config.glances, config.backbone.concepts, config.width).eval()
    torch.nn.init.normal_(glances.out.weight)
    colored = replace(boxes, color=torch.rand(boxes.color.shape))
    across = 1 - colored.boxes[:, :1]
    parts = colored.color.unflatten(1, (PARTS, PARTS, 3)).flip(2).flatten(1)
    by_hand = replace(colored, boxes=torch.cat([across, colored.boxes[:, 1:]], 1), color=parts)

    def fits(of: Boxes, said: str, mirrored: bool) -> Tensor:
        flips = torch.tensor([mirrored])
        return read_views(glances, of, torch.tensor([0]), [said], texts, mirrored=flips)

    with torch.no_grad():
        torch.testing.assert_close(
            fits(colored, "the dog on the left", True), fits(by_hand, "the dog on the right", False)
        )
        assert not torch.allclose(
            fits(colored, "the dog on the left", True), fits(colored, "the dog on the left", False)
        )


def test_names_seen_in_few_pictures_do_not_count_as_learned() -> None:
    often = [made_up(number) for number in range(5)]
    once = {**made_up(9), "names": ["dog", "lighthouse"]}
    unnamed = {**made_up(10), "names": ["", ""]}

    assert learned_names([*often, once, unnamed]) == ["dog", "tower"]


def test_definitions_of_words_held_out_say_nothing(network: GLEE) -> None:
    lines = ["okapi: like a giraffe", "cup: to drink of", "dog: barks", "tree: high", "sea: blue"]

    embedded = embed_definitions(lines, Texts(network))

    assert not embedded[0].any()
    assert embedded[1:].any(dim=1).all()
    with pytest.raises(ValueError, match="each of 5 classes, got 4"):
        embed_definitions(lines[1:], Texts(network))


def test_a_store_of_wrong_boxes_is_refused(network: GLEE) -> None:
    wrong = [{**made_up(n), "overlaps": torch.zeros(2, 2).half()} for n in range(20)]

    with pytest.raises(ValueError, match="boxes that are right"):
        learn(network, join_records(wrong, 4), None, steps=1, texts=Texts(network))


def test_a_part_holds_what_is_seen_of_scenes_and_photos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ("SCENES", "PHOTOS"):
        monkeypatch.setattr(f"glance_store.{kind}", 2)
    monkeypatch.setattr("glance_store.BOXES", 4)
    torch.manual_seed(0)
    collector = Collector(Predictor(build_glee(small())), make_packs(tmp_path))

    part = collector.part(1)
    torch.save(part, tmp_path / "part-00000.pt")

    assert 2 <= len(part) <= 4
    for record in part:
        count, objects = record["overlaps"].shape
        assert objects == len(record["names"])
        assert count == len(record["boxes"]) == len(record["seen"]) == len(record["color"])
        assert 1 <= len(record["views"]) <= 4
        for view in record["views"]:
            assert 1 <= len(view["looks"]) == len(view["before"]) <= 4
            assert 0 <= view["target"] < objects
            assert view["texts"]
            assert int(view["looks"].max()) < count
        targets = [view["target"] for view in record["views"]]
        assert len(set(targets)) == len(targets)
    assert len(list(read_store([tmp_path]))) == len(part)


def test_boxes_that_are_nearly_the_same_are_looked_at_once() -> None:
    first = torch.tensor([[0.2, 0.2, 0.2, 0.2], [0.6, 0.6, 0.3, 0.3]])
    second = torch.tensor([[0.4, 0.4, 0.1, 0.1], [0.601, 0.6, 0.3, 0.3], [0.8, 0.2, 0.1, 0.1]])

    every, looks = join_boxes(first[:0], first)
    joined, others = join_boxes(every, second)

    assert looks.tolist() == [0, 1]
    assert others.tolist() == [2, 1, 3]
    assert torch.equal(joined, torch.cat([first, second[[0, 2]]]))


def test_a_folder_without_parts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"holds no part-\*\.pt"):
        list(read_store([tmp_path]))
