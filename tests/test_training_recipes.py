import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from glee.config import lite, tiny
from glee.data.drawn import DrawnSamples, drawn_images
from glee.data.feed import Feed
from glee.data.few_shot import choose_shots
from glee.data.joined import Joined
from glee.data.mixture import Mixture, Source
from glee.data.schema import Samples
from glee.data.transforms import MultiScale, ScaleJitter
from glee.data.without import WithoutNames
from glee.inference.preprocess import normalise
from glee.model.glee import GLEE
from glee.training.launch import Launch, launch, stretch
from glee.training.recipe import SIZES, Share, open_shares
from glee.training.recipes import RECIPES, find_recipe
from glee.training.recipes_video import CLIPS
from glee.training.stages import stage1_shares, stage2_shares, stage3_shares

# GLEE's released configurations; refcoco is RefCOCO, RefCOCO+ and RefCOCOg together.
LITE_STAGE2 = {
    "openimages": 1.5,
    "objects365": 1.5,
    "lvis": 1.5,
    "visual-genome": 1.5,
    "visual-genome-regions": 1.5,
    "coco": 1.5,
    "refcoco": 2.5,
    "sa1b": 2.0,
    "uvo-frames": 0.2,
    "bdd100k": 0.1,
    "bdd100k-instances": 0.05,
    "ytvis19": 0.3,
    "ytvis21": 0.3,
    "ovis": 0.3,
}
PRO_STAGE2 = LITE_STAGE2 | {
    "visual-genome": 1.0,
    "visual-genome-regions": 1.0,
    "sa1b": 2.5,
    "ref-youtube-vos": 0.3,
}


def ratios(shares: Sequence[Share]) -> dict[str, float]:
    return {share.name: share.ratio for share in shares}


def test_stage_1_takes_two_data_sets_in_equal_shares() -> None:
    for size in SIZES:
        assert ratios(stage1_shares(size)) == {"objects365": 1.0, "openimages": 1.0}


def test_stage_2_has_the_shares_of_the_released_configurations() -> None:
    assert ratios(stage2_shares("lite")) == LITE_STAGE2
    assert ratios(stage2_shares("plus")) == LITE_STAGE2
    assert ratios(stage2_shares("pro")) == PRO_STAGE2


def test_stage_3_adds_grit_and_more_of_sa1b() -> None:
    more = {"grit": 5.0, "sa1b": 5.0}

    assert ratios(stage3_shares("lite")) == LITE_STAGE2 | more
    assert ratios(stage3_shares("pro")) == PRO_STAGE2 | more | {"ref-youtube-vos": 0.2}


def test_marks_batches_and_names_are_those_of_the_released_configurations() -> None:
    shares = {share.name: share for share in stage3_shares("pro")}

    marked = {name for name, share in shares.items() if share.marks is not None}
    assert marked == {"coco", "sa1b", "uvo-frames", "ytvis19", "ytvis21", "ovis"}
    assert all(share.marks.chance == 0.2 for share in shares.values() if share.marks is not None)
    many = {name for name, share in shares.items() if share.num_names == 200}
    assert many == {"visual-genome", "visual-genome-regions"}
    assert {share.num_names for share in shares.values()} == {100, 200}
    assert {share.batch_size for share in shares.values()} == {2}
    assert {share.batch_size for share in stage1_shares("pro")} == {1}


@pytest.mark.parametrize(
    ("name", "steps", "drops", "warmup", "first"),
    [
        ("lite-stage1", 500_000, (400_000,), 1000, 1e-4),
        ("plus-stage1", 500_000, (400_000,), 1000, 1e-4),
        ("pro-stage1", 500_000, (400_000,), 1000, 0.01),
        ("lite-stage2", 400_000, (300_000, 380_000), 100, 0.01),
        ("plus-stage3", 450_000, (360_000, 420_000), 100, 0.01),
        ("pro-stage2", 500_000, (400_000,), 1000, 0.01),
        ("lite-ytvis19", 8000, (6000,), 100, 0.01),
        ("plus-ovis", 18000, (12000,), 100, 0.01),
        ("lite-lvvis", 8000, (6000,), 100, 0.01),
        ("lite-vos", 40_000, (), 100, 0.01),
    ],
)
def test_schedules_are_those_of_the_released_configurations(
    name: str, steps: int, drops: tuple[int, ...], warmup: int, first: float
) -> None:
    schedule = find_recipe(name).config.schedule

    assert (schedule.steps, schedule.drops) == (steps, drops)
    assert (schedule.warmup, schedule.warmup_start, schedule.drop) == (warmup, first, 0.1)


def test_rates_are_those_of_the_released_configurations() -> None:
    first, joint = (find_recipe(f"lite-stage{n}").config.optimizer for n in (1, 2))
    large = find_recipe("pro-stage2").config.optimizer

    assert (first.rate, first.weight_decay, first.backbone, first.text) == (1e-4, 0.05, 0.1, 0.0)
    assert (joint.backbone, joint.text, joint.layer_decay, joint.clip_norm) == (0.1, 0.1, 1.0, 0.01)
    assert (large.weight_decay, large.backbone, large.text, large.layer_decay) == (0.1, 1, 1, 0.8)
    assert joint.decay_vectors
    assert large.decay_vectors


def test_few_shot_recipes_take_the_steps_of_the_paper() -> None:
    steps = [
        find_recipe(f"lite-odinw-{shots}").config.schedule.steps
        for shots in ("1", "3", "5", "10", "all")
    ]
    assert steps == [200, 300, 400, 600, 2000]


def test_clips_are_resized_and_spread_as_in_the_released_configurations() -> None:
    assert CLIPS["ytvis19"].augment.shortest == tuple(range(320, 641, 32))
    assert CLIPS["ovis"].augment.shortest == tuple(range(480, 801, 32))
    assert [CLIPS[name].reach for name in ("ytvis19", "ytvis21", "ovis", "lvvis")] == [5, 5, 10, 5]
    assert (CLIPS["burst"].reach, CLIPS["burst"].augment.longest) == (12, 768)


def test_the_shares_of_stage_2_are_within_a_hundredth_over_100_000_samples() -> None:
    shares = stage2_shares("lite")
    mixture = Mixture(
        [Source(num_samples=1000, ratio=s.ratio, batch_size=s.batch_size) for s in shares], seed=0
    )
    drawn = [0] * len(shares)
    for number in range(50_000):
        draw = mixture.draw(number)
        drawn[draw.source] += len(draw.rows)

    whole = sum(LITE_STAGE2.values())
    for share, count in zip(shares, drawn, strict=True):
        assert count / 100_000 == pytest.approx(share.ratio / whole, rel=0.01)


def test_every_recipe_can_be_made_and_says_what_it_starts_from() -> None:
    assert all(find_recipe(name).start for name in RECIPES)


def test_an_unknown_recipe_is_named_with_the_nearest_one() -> None:
    with pytest.raises(ValueError, match=r"unknown recipe 'lite-stage4' \(did you mean 'lite-st"):
        find_recipe("lite-stage4")


@pytest.mark.parametrize("name", ["lite-stage1", "pro-stage3", "lite-vos", "plus-ytvis21"])
def test_a_recipe_names_all_files_that_are_missing_and_where_they_come_from(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match=r"lacks these files(.|\n)*from http") as caught:
        find_recipe(name).open(tmp_path)

    wanted = {"lite-stage1": ("objects365/zhiyuan_objv2_train.json", "openimages/")}
    assert all(file in str(caught.value) for file in wanted.get(name, ()))


def test_an_odinw_recipe_without_data_says_where_it_comes_from(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"lacks train/annotations(.|\n)*from https"):
        find_recipe("lite-odinw-1").open(tmp_path)


def write_odinw(file: Path) -> None:
    """A split with one image of a rabbit and one of nothing."""
    image = {"id": 1, "file_name": "a.jpg", "height": 20, "width": 40}
    mark = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "iscrowd": 0}
    names = [{"id": 1, "name": "Cottontail-Rabbit"}, {"id": 2, "name": "fox"}]
    data = {"images": [image, image | {"id": 2}], "annotations": [mark], "categories": names}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(data))


@pytest.mark.parametrize(
    ("train", "val"),
    [
        ("train/{}", "valid/{}"),
        ("train/{}", "mini_val/{}"),
        ("export/train_{}", "export/val_{}"),
    ],
)
def test_an_odinw_recipe_keeps_what_is_best_on_the_val_split_and_asks_with_the_papers_words(
    train: str, val: str, tmp_path: Path
) -> None:
    for place in (train, val):
        write_odinw(tmp_path / place.format("annotations_without_background.json"))
    recipe = replace(find_recipe("lite-odinw-1"), model=tiny())
    asked = []

    def judge(_model: GLEE, samples: Samples, names: Sequence[str]) -> dict[str, float]:
        asked.append((len(samples), tuple(names)))
        return {"AP boxes": 0.5}

    run = launch(recipe, tmp_path, tmp_path / "out", Launch(steps=50), judge)

    assert run.sources[0].samples.names[0] == "rabbit"
    assert len(run.sources[0].samples) == 1  # one shot
    assert run.best_by == "AP boxes"
    assert (recipe.config.validate_every, run.config.validate_every) == (20, 5)
    assert run.evaluate is not None
    assert run.evaluate(run.model) == {"AP boxes": 0.5}
    assert asked == [(2, ("rabbit", "fox"))]


def test_an_odinw_recipe_names_a_val_split_that_is_missing(tmp_path: Path) -> None:
    write_odinw(tmp_path / "train" / "annotations_without_background.json")
    recipe = replace(find_recipe("lite-odinw-all"), model=tiny())

    with pytest.raises(FileNotFoundError, match="lacks valid/annotations_without"):
        launch(recipe, tmp_path, tmp_path / "out", Launch(), lambda *_: {"AP boxes": 0.0})


def write_burst(root: Path) -> None:
    """One clip of five annotated frames, with one tracked object."""
    mask = {"rle": "444"}  # four of 12 pixels, see COCO's run lengths
    sequence = {
        "id": 1,
        "seq_name": "clip",
        "dataset": "YFCC100M",
        "height": 4,
        "width": 3,
        "fps": 6,
        "annotated_image_paths": [f"{n}.jpg" for n in range(5)],
        "all_image_paths": [f"{n}.jpg" for n in range(5)],
        "segmentations": [{"1": mask}] * 5,
        "track_category_ids": {"1": 7},
        "neg_category_ids": [],
        "not_exhaustive_category_ids": [],
    }
    data = {"sequences": [sequence], "categories": [{"id": 7, "name": "dog"}], "split": "train"}
    (root / "burst" / "train").mkdir(parents=True)
    (root / "burst" / "train" / "train.json").write_text(json.dumps(data))
    frames = root / "tao" / "frames" / "train" / "YFCC100M" / "clip"
    frames.mkdir(parents=True)
    for n in range(5):
        Image.new("RGB", (3, 4)).save(frames / f"{n}.jpg")


def test_the_recipe_of_burst_trains_on_four_frames_of_each_of_two_clips(tmp_path: Path) -> None:
    write_burst(tmp_path)
    recipe = find_recipe("lite-burst")

    (source,) = recipe.open(tmp_path)
    batch = Feed([source], recipe.model.resize, normalise, seed=0)[0].batch

    assert (recipe.config.schedule.steps, recipe.config.schedule.drops) == (8000, (6000,))
    assert batch.frames == 4
    assert batch.pixels.shape[0] == 8
    assert [truth.follows for truth in batch.truth] == 2 * [False, True, True, True]


def write_objects365(root: Path) -> None:
    """Two data sets of stage 1's kind, one image each, in their places."""
    (root / "coco" / "annotations").mkdir(parents=True)
    (root / "coco" / "train2017").mkdir()
    content = {
        "images": [
            {"id": n, "file_name": f"{n}.jpg", "height": 80 + 40 * n, "width": 100}
            for n in range(2)
        ],
        "annotations": [
            {"id": n + 1, "image_id": n, "category_id": 1, "bbox": [1, 1, 20, 20], "area": 400}
            for n in range(2)
        ],
        "categories": [{"id": 1, "name": "cat"}],
    }
    (root / "coco" / "annotations" / "instances_train2017.json").write_text(json.dumps(content))
    (root / "coco" / "train2017" / "0.jpg").write_bytes(b"")


def test_sources_of_a_recipe_keep_portraits_and_landscapes_apart(tmp_path: Path) -> None:
    write_objects365(tmp_path)
    share = Share(name="coco", datasets=("coco",), ratio=2.0, batch_size=3, num_names=80)

    (source,) = open_shares([share], MultiScale(), tmp_path)

    assert (len(source.samples), source.mix.ratio, source.mix.batch_size) == (2, 2.0, 3)
    assert source.mix.groups is not None
    assert source.mix.groups.tolist() == [False, True]


def test_a_stretched_schedule_falls_at_the_same_shares() -> None:
    short = stretch(find_recipe("lite-stage2").config.schedule, 400)

    assert (short.steps, short.drops, short.warmup) == (400, (300, 380), 40)


def test_a_launch_on_a_cpu_computes_in_full_precision(tmp_path: Path) -> None:
    recipe = find_recipe("lite-stage2")
    assert recipe.config.precision == "float16"
    assert recipe.model == lite()

    with pytest.raises(FileNotFoundError, match="lacks these files"):
        launch(recipe, tmp_path, tmp_path / "out", Launch())


def test_pro_learns_from_squares() -> None:
    for name, kind in (("lite-stage2", MultiScale), ("pro-stage2", ScaleJitter)):
        augment = find_recipe(name).open.args[1]  # type: ignore[attr-defined]
        assert isinstance(augment, kind)


def test_joined_sources_follow_each_other() -> None:
    first, second = drawn_images(2, seed=1), drawn_images(3, seed=2)

    joined = Joined((first, second))

    assert len(joined) == 5
    assert [joined[n] for n in range(5)] == [*first.samples, *second.samples]
    with pytest.raises(IndexError):
        joined[5]


def test_sources_with_different_names_are_not_joined() -> None:
    with pytest.raises(ValueError, match="different names"):
        Joined((drawn_images(1), DrawnSamples(("cat",), ())))


def test_shots_are_counted_by_object_and_differ_by_seed() -> None:
    samples = drawn_images(20)  # each image shows one object of each of three names

    assert len(choose_shots(samples, 3, seed=0)) == 3
    assert list(choose_shots(samples, 3, seed=0).rows) != list(
        choose_shots(samples, 3, seed=1).rows
    )
    with pytest.raises(ValueError, match="at least 1"):
        choose_shots(samples, 0, seed=0)


def test_hidden_names_are_neither_asked_for_nor_annotated() -> None:
    hidden = WithoutNames(drawn_images(2), frozenset({"disc"}))

    assert hidden.names == ("square", "triangle")
    frame = hidden[1].frames[0]
    assert set(frame.names) == {"square", "triangle"}
    assert frame.masks is not None
    assert len(frame.boxes) == len(frame.masks) == 2
    with pytest.raises(ValueError, match="'cat', which is no name"):
        WithoutNames(drawn_images(1), frozenset({"cat"}))
