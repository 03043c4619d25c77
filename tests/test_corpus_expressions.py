"""Expressions: true of what they mean, of nothing else, and said in words that parse back."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from glee.data.corpus.claims import (
    AtSide,
    Beside,
    Central,
    Counted,
    Description,
    Most,
    Thing,
    judge,
)
from glee.data.corpus.colors import PALETTE, has_color, measure_colors, tint
from glee.data.corpus.expressions import ExpressionSamples, PhotoExpressions, PhraseSamples
from glee.data.corpus.grammar import say
from glee.data.corpus.packs import is_held_out
from glee.data.corpus.referring import mislead, refer
from mini_packs import COLORS, draw_cutout, make_packs

Box = tuple[float, float, float, float]

NOTHING: frozenset[str] = frozenset()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_packs(tmp_path_factory.mktemp("packs"))


def thing(word: str, x: float, y: float, side: float = 0.1, color: str = "red") -> Thing:
    return Thing(
        words=(word,),
        maybe=frozenset({word, "thing"}),
        box=(x - side / 2, y - side / 2, x + side / 2, y + side / 2),
        area=side * side,
        colors={color: 1.0},
    )


def random_things(rng: np.random.Generator) -> list[Thing]:
    words, colors = ("cup", "dog", "box"), ("red", "green", "white")
    return [
        thing(
            words[int(rng.integers(3))],
            float(rng.uniform(0.1, 0.9)),
            float(rng.uniform(0.1, 0.9)),
            float(rng.uniform(0.05, 0.3)),
            colors[int(rng.integers(3))],
        )
        for _ in range(int(rng.integers(2, 7)))
    ]


DOGS = [thing("dog", 0.2, 0.5), thing("dog", 0.5, 0.2, 0.3), thing("dog", 0.8, 0.8, color="white")]
CUP = thing("cup", 0.2, 0.8)


@pytest.mark.parametrize(
    ("description", "truths"),
    [
        (Description(word="dog"), [True, True, True, False]),
        (Description(word="thing"), [None, None, None, None]),
        (Description(word="dog", color="white"), [False, False, True, False]),
        (Description(word="dog", color="grey"), [False, False, None, False]),
        (Description(word="dog", place=AtSide("left")), [True, False, False, False]),
        (Description(word="cup", place=AtSide("bottom")), [False, False, False, True]),
        (Description(word="dog", place=Central()), [False, False, False, False]),
        (Description(word="dog", place=Most("biggest")), [False, True, False, False]),
        (Description(word="dog", place=Most("smallest")), [None, False, None, False]),
        (Description(word="cup", place=Most("biggest")), [False, False, False, None]),
        (Description(word="dog", place=Counted(2, "right")), [False, True, False, False]),
        (Description(word="dog", place=Beside("above", "cup")), [True, True, False, False]),
        (Description(word="dog", place=Beside("right of", "cup")), [False, None, True, False]),
        (Description(word="cup", place=Beside("above", "dog")), [False, False, False, None]),
    ],
    ids=str,
)
def test_a_claim_is_true_false_or_unclear(
    description: Description, truths: list[bool | None]
) -> None:
    assert judge(description, [*DOGS, CUP]) == truths


def test_nothing_is_counted_where_two_are_as_far_to_the_left() -> None:
    things = [thing("dog", 0.2, 0.2), thing("dog", 0.22, 0.7), thing("dog", 0.8, 0.5)]

    assert judge(Description(word="dog", place=Counted(3, "left")), things) == [None] * 3


def read(text: str, things: list[Thing]) -> list[int]:
    """Return the things that a text means, by a second reading of the words."""
    words = [word for word in ("cup", "dog", "box") if re.search(rf"\b{word}\b", text)]
    name = min(words, key=text.index)
    rows = [n for n, one in enumerate(things) if name in one.words]
    colors = "|".join(PALETTE)
    if color := re.search(rf"\b({colors})\b", text):
        rows = [n for n in rows if color[1] in things[n].colors]
    for pattern, better in BEST.items():
        if re.search(pattern, text):
            return [max(rows, key=lambda n: better(things[n]))]
    if counted := re.search(r"(first|second|third|fourth) .* from the (left|right|top)", text):
        number = ("first", "second", "third", "fourth").index(counted[1])
        order = sorted(rows, key=lambda n: -TOWARDS[counted[2]](things[n]))
        return [order[number]]
    if "middle" in text or "cent" in text:
        return [n for n in rows if max(abs(np.subtract(things[n].center, 0.5))) < 0.2]
    if len(words) == 2:
        other = max(words, key=text.index)
        anchor = next(one for one in things if other in one.words)
        return [n for n in rows if lies(text, things[n], anchor)]
    return rows


TOWARDS: dict[str, Callable[[Thing], float]] = {
    "left": lambda one: -one.center[0],
    "right": lambda one: one.center[0],
    "top": lambda one: -one.center[1],
    "bottom": lambda one: one.center[1],
}
BEST: dict[str, Callable[[Thing], float]] = {
    r"leftmost|farthest to the left|^left|(on|at) the left( side)?$": TOWARDS["left"],
    r"rightmost|farthest to the right|^right|(on|at) the right( side)?$": TOWARDS["right"],
    r"on the left side$": TOWARDS["left"],
    r"on the right side$": TOWARDS["right"],
    r"topmost|highest|uppermost|upper|^top|at the top": TOWARDS["top"],
    r"lowest|lower|closest to the bottom|bottommost|^bottom|at the bottom": TOWARDS["bottom"],
    r"biggest|largest|\bbig\b|\blarge\b": lambda one: one.area,
    r"smallest|\bsmall\b|\blittle\b": lambda one: -one.area,
}


def lies(text: str, one: Thing, anchor: Thing) -> bool:
    (x, y), (ax, ay) = one.center, anchor.center
    if "left" in text:
        return x < ax and abs(y - ay) < ax - x
    if "right" in text:
        return x > ax and abs(y - ay) < x - ax
    if re.search("above|over", text):
        return y < ay and abs(x - ax) < ay - y
    if re.search("below|under", text):
        return y > ay and abs(x - ax) < y - ay
    gaps = [max(one.box[n], anchor.box[n]) - min(one.box[n + 2], anchor.box[n + 2]) for n in (0, 1)]
    return max(gaps) < 0.1


def test_expressions_mean_their_object_and_no_other() -> None:
    counted = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        things = random_things(rng)
        referred = refer(things, range(len(things)), NOTHING, rng)
        for text in referred.expressions if referred else ():
            assert sorted(read(text, things)) == sorted(referred.rows if referred else ()), text
            counted += 1
    assert counted > 1000


def test_misleading_expressions_fit_nothing() -> None:
    counted = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        things = random_things(rng)
        referred = mislead(things, ["cat"], NOTHING, rng)
        for text in referred.expressions if referred else ():
            assert "cat" in text or not read(text, things), text
            counted += 1
    assert counted > 300


def test_names_that_a_background_may_show_are_not_used() -> None:
    things = [thing("tree", 0.2, 0.5), thing("cup", 0.7, 0.5)]

    assert refer(things, [0], frozenset({"tree"}), np.random.default_rng(0)) is None
    for seed in range(20):
        referred = refer(things, [1], frozenset({"tree"}), np.random.default_rng(seed))
        assert referred is not None
        assert not any("tree" in text for text in referred.expressions)


def test_what_may_be_called_the_same_forbids_the_bare_name() -> None:
    armchair = Thing(
        words=("armchair",),
        maybe=frozenset({"armchair", "chair"}),
        box=(0.1, 0.1, 0.3, 0.3),
        area=0.04,
        colors={},
    )
    things = [thing("chair", 0.7, 0.7), armchair]

    assert judge(Description(word="chair"), things) == [True, None]


@pytest.mark.parametrize("color", COLORS)
def test_plain_colours_are_measured(color: str) -> None:
    picture = np.array(draw_cutout(COLORS[color]))

    shares = measure_colors(picture[picture[..., 3] > 0][:, :3])

    assert has_color(shares, color) is True
    assert all(has_color(shares, other) is False for other in COLORS if other != color)


@pytest.mark.parametrize("color", PALETTE)
def test_what_is_given_a_colour_has_it(color: str) -> None:
    picture = tint(np.array(draw_cutout((150, 140, 120))), color)

    assert has_color(measure_colors(picture[picture[..., 3] > 0][:, :3]), color) is True


def test_between_two_colours_nothing_is_said() -> None:
    blue_green = measure_colors(np.full((50, 3), (20, 150, 160), dtype=np.uint8))

    assert [has_color(blue_green, color) for color in ("blue", "green")] == [None, None]


def test_vowels_take_an() -> None:
    assert "an apple" in say(Description(word="apple"))
    assert "a cup" in say(Description(word="cup"))


def test_samples_show_what_is_meant_and_repeat_exactly(root: Path) -> None:
    samples, again = ExpressionSamples(root, seed=1), ExpressionSamples(root, seed=1)

    for n in (11, 3, 4, 9):
        one, two = samples[n], again[n]
        assert one.expressions == two.expressions
        np.testing.assert_array_equal(one.frames[0].image, two.frames[0].image)
        assert len(one.frames[0]) >= 1
        assert one.supervision.masks
        assert not any(map(is_held_out, one.expressions))


def test_samples_that_mislead_have_no_objects(root: Path) -> None:
    for n in range(8):
        sample = ExpressionSamples(root, misleading=1.0)[n]

        assert sample.expressions
        assert not len(sample.frames[0])
        assert sample.frames[0].decode_masks() is not None


def test_photos_are_described_by_what_they_show(root: Path) -> None:
    sample = PhotoExpressions(root)[0]

    assert Path(sample.key.split(",")[0]).name == "1.jpg"
    assert all(re.search("dog|person", text) for text in sample.expressions)
    assert len(sample.frames[0]) == 1


def test_each_object_of_a_scene_has_a_phrase_of_its_own_and_others_fit_nothing(root: Path) -> None:
    samples, misleading = PhraseSamples(root), 0
    for index in range(12):
        sample = samples[index]
        frame, supervision = sample.frames[0], sample.supervision
        assert not sample.expressions
        assert len(frame) == len(set(frame.names)) > 0
        assert supervision.exhaustive == frozenset(frame.names)
        assert not supervision.absent & set(frame.names)
        assert frame.masks is not None
        misleading += len(supervision.absent)
    assert misleading > 0
    again = PhraseSamples(root)[3].frames[0]
    assert again.names == samples[3].frames[0].names
    assert np.array_equal(again.boxes, samples[3].frames[0].boxes)
