"""Prompts: every way to say what to look for, and every mistake in saying it."""

import dataclasses
import json
import re
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from glee.prompts import (
    BoxMark,
    MaskMark,
    PointMark,
    Prompts,
    ScribbleMark,
    clean_expression,
)


def bar(dtype: Any = bool) -> np.ndarray:
    mask = np.zeros((4, 6), dtype)
    mask[1, 2:5] = 1
    return mask


def test_names_are_kept_in_order_without_the_spaces_around_them() -> None:
    prompts = Prompts(categories=["dog", " traffic light ", "Table Tennis "])

    assert prompts.categories == ("dog", "traffic light", "Table Tennis")
    assert prompts.names == prompts.categories


def test_one_expression_is_a_list_of_one() -> None:
    one = Prompts(expression="the dog on the left")

    assert one == Prompts(expression=["the dog on the left"])
    assert one.names == one.expressions == ("the dog on the left",)


def test_expressions_may_repeat_since_each_is_answered_for_itself() -> None:
    assert Prompts(expression=["a dog", "a dog"]).names == ("a dog", "a dog")


def test_marks_alone_find_objects_named_object() -> None:
    assert Prompts(points=[(1, 2)]).names == ("object",)


def test_marks_go_with_text() -> None:
    prompts = Prompts(categories=["dog"], boxes=[(1, 2, 3, 4)])

    assert prompts.names == ("dog",)
    assert prompts.marks == (BoxMark((1.0, 2.0, 3.0, 4.0)),)


def test_marks_come_as_points_boxes_scribbles_masks() -> None:
    prompts = Prompts(
        masks=[bar()], scribbles=[[(0, 0)], bar()], boxes=[(1, 2, 3, 4)], points=[(5, 6)]
    )

    kinds = [type(mark) for mark in prompts.marks]
    assert kinds == [PointMark, BoxMark, ScribbleMark, ScribbleMark, MaskMark]


def test_every_top_level_entry_of_points_is_one_object() -> None:
    prompts = Prompts(points=[(120, 85), [(1, 2), (3, 4)], [(5, 6)]], point_labels=[1, [0, 1], [1]])

    assert prompts.marks == (
        PointMark(((120.0, 85.0),), (1,)),
        PointMark(((1.0, 2.0), (3.0, 4.0)), (0, 1)),
        PointMark(((5.0, 6.0),), (1,)),
    )


def test_points_without_labels_are_all_kept() -> None:
    (mark,) = Prompts(points=[[(1, 2), (3, 4)]]).marks

    assert mark == PointMark(((1.0, 2.0), (3.0, 4.0)), (1, 1))


@pytest.mark.parametrize("convert", [np.array, torch.tensor, tuple, list])
def test_arrays_tensors_and_lists_of_coordinates_mean_the_same(convert: Any) -> None:
    clicks, boxes = [[[1.5, 2.0], [3.0, 4.0]]], [[1.0, 2.0, 3.0, 4.0]]
    line = [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]

    prompts = Prompts(
        points=convert(clicks),
        point_labels=convert([[1, 0]]),
        boxes=convert(boxes),
        scribbles=[convert(line)],
    )

    assert prompts.marks == (
        PointMark(((1.5, 2.0), (3.0, 4.0)), (1, 0)),
        BoxMark((1.0, 2.0, 3.0, 4.0)),
        ScribbleMark(((0.0, 1.0), (2.0, 3.0), (4.0, 5.0))),
    )


def test_numbers_of_numpy_and_torch_may_stand_in_lists() -> None:
    prompts = Prompts(points=[(np.float32(1.5), torch.tensor(2))])

    assert prompts == Prompts(points=[(1.5, 2)])


@pytest.mark.parametrize(
    "masks",
    [
        bar()[None],
        [bar(np.uint8)],
        [255 * bar(np.uint8)],
        [bar(np.float32)],
        torch.tensor(bar())[None],
        [torch.tensor(bar()).bfloat16()],
        [Image.fromarray(255 * bar(np.uint8))],
        [Image.fromarray(255 * bar(np.uint8)).convert("1")],
    ],
)
def test_masks_of_all_kinds_mean_the_same(masks: Any) -> None:
    assert Prompts(masks=masks) == Prompts(masks=[bar()])
    assert Prompts(scribbles=masks) == Prompts(scribbles=[bar()])


def test_a_mask_is_a_copy_that_nobody_can_change() -> None:
    given_mask = bar()
    (mark,) = Prompts(masks=[given_mask]).marks
    given_mask[:] = True

    assert isinstance(mark, MaskMark)
    np.testing.assert_array_equal(mark.mask, bar())
    with pytest.raises(ValueError, match="read-only"):
        mark.mask[0, 0] = True


def test_a_bool_array_two_pixels_wide_is_a_mask_and_not_a_line() -> None:
    (mark,) = Prompts(scribbles=[np.ones((3, 2), dtype=bool)]).marks

    assert isinstance(mark, ScribbleMark)
    np.testing.assert_array_equal(np.asarray(mark.stroke), np.ones((3, 2), dtype=bool))


def test_equal_prompts_are_equal_keys() -> None:
    def build() -> Prompts:
        return Prompts(
            categories=["a"], points=[(1, 2)], scribbles=[[(1, 2)], bar()], masks=[bar()]
        )

    assert {build(): "found"}[build()] == "found"


def test_marks_of_other_pixels_or_kinds_differ() -> None:
    line, drawn, mask = [(1, 2)], bar(), bar().T

    assert Prompts(scribbles=[line]) != Prompts(scribbles=[drawn])
    assert Prompts(scribbles=[drawn]) != Prompts(masks=[drawn])
    assert Prompts(masks=[drawn]) != Prompts(masks=[mask])


def test_prompts_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Prompts(categories=["dog"]).categories = ("cat",)  # type: ignore[misc]


@pytest.mark.parametrize("value", [["dog", "cat"], ("dog", "cat"), np.array(["dog", "cat"])])
def test_a_list_of_names_is_short_for_categories(value: Any) -> None:
    assert Prompts.coerce(value) == Prompts(categories=["dog", "cat"])


def test_prompts_are_coerced_to_themselves() -> None:
    prompts = Prompts(expression="the dog")

    assert Prompts.coerce(prompts) is prompts


def test_a_single_string_is_not_guessed_to_be_a_name() -> None:
    message = "prompts is the string 'dog'; write ['dog'] for a name, or Prompts(expression='dog')"
    with pytest.raises(TypeError, match=re.escape(message)):
        Prompts.coerce("dog")


NO_PROMPT = "no prompt given; use categories, expression, points, boxes, scribbles or masks"
ONE_OBJECT = (
    "points[1] has no point with label 1; every entry is one object, so put its points in one "
    "list: points=[[(120, 85), (300, 40)]], point_labels=[[1, 0]]"
)
MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({}, NO_PROMPT),
    ({"categories": [], "points": np.zeros((0, 2))}, NO_PROMPT),
    (
        {"categories": ["dog"], "expression": "a dog"},
        "categories and expression were both given; use categories to find every object of each "
        "name, or expression to find the one object that it describes",
    ),
    ({"categories": ["dog", "  "]}, "categories[1] is empty ('  ')"),
    ({"categories": ["dog", "a", "b", " dog"]}, "categories[3] repeats categories[0] ('dog')"),
    ({"expression": ""}, "expression[0] is empty ('')"),
    ({"expression": "?!"}, "expression '?!' has no word in it"),
    (
        {"points": [(1, 2), (3, 4), (5, 6)], "point_labels": [1, 1]},
        "points has 3 rows but point_labels has 2; give one label (1 keep, 0 exclude) per point",
    ),
    (
        {"points": [[(1, 2), (3, 4)]], "point_labels": [1]},
        "points[0] has 2 rows but point_labels[0] has 1; give one label",
    ),
    ({"point_labels": [1]}, "points has 0 rows but point_labels has 1"),
    ({"points": [(1, 2), (3, 4)], "point_labels": [1, 0]}, ONE_OBJECT),
    (
        {"points": [(1, 2)], "point_labels": [2]},
        "point_labels[0] must be 1 (keep) or 0 (exclude), got [2]",
    ),
    (
        {"points": (120, 85)},
        "points[0] must be (x, y), got 120; every entry is one object, in a list also if there is "
        "only one: [(x, y)]",
    ),
    ({"points": [(1, 2, 3)]}, "points[0] must be (x, y), got [1, 2, 3]"),
    ({"points": [[(1, 2), (3, "4")]]}, "points[0][1] must be (x, y), got [3, '4']"),
    ({"points": [[]]}, "points[0] must be (x, y), got []"),
    ({"points": [(1, float("nan"))]}, "points[0] must be finite, got [1, nan]"),
    ({"boxes": [(1, 2, 3, float("inf"))]}, "boxes[0] must be finite"),
    ({"boxes": (1, 2, 3, 4)}, "boxes[0] must be (x1, y1, x2, y2), got 1"),
    (
        {"boxes": [(1, 2, 3, 4), (50, 20, 30, 40)]},
        "boxes[1] must have x1 < x2 and y1 < y2, got (50, 20, 30, 40); boxes are corners, not "
        "width and height",
    ),
    ({"scribbles": [[]]}, "scribbles[0] must be a mask [H, W] or a list of (x, y), got []"),
    (
        {"scribbles": [(1, 2), (3, 4)]},
        "scribbles[0] must be a mask [H, W] or a list of (x, y), got [1, 2]; every entry is one "
        "object: scribbles=[[(120, 85), (140, 90)]]",
    ),
    ({"scribbles": [[(1, 2), (3,)]]}, "scribbles[0][1] must be (x, y), got [3]"),
    ({"masks": bar()}, "masks[0] must be a mask [H, W], got [6]"),
    (
        {"masks": [bar(), 0 * bar()]},
        "masks[1] has no True pixel; mark at least one pixel of the object",
    ),
    (
        {"masks": [bar(np.float32) / 2]},
        "masks[0] must hold 0 and 1, or 0 and 255, got values from 0.0 to 0.5; compare first, "
        "such as mask > 0.5",
    ),
    ({"masks": [np.array([[1, 255]])]}, "masks[0] must hold 0 and 1, or 0 and 255"),
    ({"masks": [np.array([[1.0, np.nan]])]}, "masks[0] must hold 0 and 1, or 0 and 255"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_a_wrong_value_is_named_and_explained(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Prompts(**arguments)


WRONG_TYPES: list[tuple[dict[str, Any], str]] = [
    (
        {"categories": "dog, cat"},
        "categories must be a list of names, got the string 'dog, cat'; "
        "write categories=['dog', 'cat']",
    ),
    ({"categories": {"dog"}}, "categories must be a list of strings, got set"),
    ({"categories": ["dog", 3]}, "categories[1] must be a string, got 3"),
    ({"expression": 3}, "expression must be a list of strings, got int"),
    ({"points": "1,2"}, "points must be a list with one entry per object, got '1,2'"),
    ({"points": [(1, 2)], "point_labels": 1}, "point_labels must be a list with one entry"),
    (
        {"masks": ["mask.png"]},
        "masks[0] must be a numpy array, torch tensor or PIL image [H, W], got str",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG_TYPES)
def test_a_wrong_type_is_named_and_explained(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        Prompts(**arguments)


EXAMPLES = [
    Prompts(categories=["dog", "traffic light"]),
    Prompts(expression=["the dog on the left", "its ball"]),
    Prompts(points=[(1.5, 2), [(3, 4), (5, 6)]], point_labels=[1, [0, 1]]),
    Prompts(categories=["dog"], boxes=[(1, 2, 3.25, 4)]),
    Prompts(scribbles=[bar(), [(1, 2), (3, 4)]], masks=[bar(), bar().T]),
]


@pytest.mark.parametrize("prompts", EXAMPLES)
def test_json_brings_prompts_back(prompts: Prompts) -> None:
    assert Prompts.from_json(json.loads(json.dumps(prompts.to_json()))) == prompts


def test_json_is_what_the_constructor_takes() -> None:
    assert Prompts(categories=["dog"], boxes=[(1, 2, 3, 4)]).to_json() == {
        "categories": ["dog"],
        "boxes": [[1.0, 2.0, 3.0, 4.0]],
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"category": ["dog"]}, "unknown prompt category; choose from categories, expression,"),
        ({"masks": [{"size": [4, 6]}]}, 'masks[0] must be run lengths {"size": [H, W], "counts"'),
        ({"masks": [{"size": 4, "counts": "0"}]}, "masks[0] must be run lengths"),
        ({"masks": [{"size": [-4, 6], "counts": "0"}]}, "masks[0] must be run lengths"),
        ({"categories": ["dog", "dog"]}, "categories[1] repeats categories[0] ('dog')"),
    ],
)
def test_mistakes_in_json_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Prompts.from_json(values)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The dog, on the left!", "the dog on the left"),
        ("girl's T-shirt/top", "girls t shirt top"),
        ('a "big" (red) *car*#:;?', "a big red car"),
        ("Émile_2", "émile_2"),
    ],
)
def test_expressions_are_cleaned_as_in_training(text: str, expected: str) -> None:
    assert clean_expression(text) == expected


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once = clean_expression(text)

    assert clean_expression(once) == once


def test_several_expressions_beside_marks_are_refused() -> None:
    with pytest.raises(ValueError, match="expression has 2 texts beside marks; give one"):
        Prompts(expression=["a", "b"], points=[(40, 30)])
