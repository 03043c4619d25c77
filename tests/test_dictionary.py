"""Names are defined by WordNet's words for things that can be seen."""

import pytest

from glee.model.text.dictionary import define
from make_dictionary import LONGEST, define_nouns, read_definitions

DATA = """\
  1 This software and database is being provided to you
00001 05 n 01 crane 0 001 @ 00009 n 0000 | large long-necked wading bird; "a crane flew"
00002 06 n 01 crane 0 001 @ 00009 n 0000 | lifts and moves heavy objects
00003 18 n 01 Crane 0 001 @i 00009 n 0000 | United States writer
00006 18 n 01 cup 0 001 @ 00009 n 0000 | one who bleeds patients
00007 06 n 01 cup 0 001 @ 00009 n 0000 | a small open container
00008 18 n 01 baker 0 001 @ 00009 n 0000 | someone who bakes
00004 09 n 01 idea 0 001 @ 00009 n 0000 | the content of cognition
""".splitlines()

INDEX = """\
  1 This software and database is being provided to you
crane n 3 2 @ ~ 3 1 00003 00002 00001
traffic_crane n 1 1 @ 1 0 00002
idea n 1 1 @ 1 0 00004
cup n 2 1 @ 2 0 00006 00007
baker n 1 1 @ 1 0 00008
""".splitlines()


def test_a_noun_gets_its_most_common_sense_of_a_thing_that_can_be_seen() -> None:
    nouns = define_nouns(INDEX, *read_definitions(DATA))

    assert nouns == {
        "crane": "lifts and moves heavy objects",
        "traffic crane": "lifts and moves heavy objects",
        "cup": "a small open container",
        "baker": "someone who bakes",
    }


def test_examples_are_no_part_of_a_definition_and_long_ones_end_at_a_word() -> None:
    long = f"00005 05 n 01 okapi 0 000 | {'word ' * 100}"

    definitions, _ = read_definitions([*DATA, long])

    assert definitions["00001"] == "large long-necked wading bird"
    assert len(definitions["00005"]) <= LONGEST
    assert definitions["00005"].endswith("word")


@pytest.mark.parametrize("name", ["okapi", "Okapi", "okapis"])
def test_a_name_is_returned_as_it_came_with_what_it_means(name: str) -> None:
    meaning = "similar to the giraffe but smaller with much shorter neck and stripe on the legs"

    assert define(name) == f"{name}: {meaning}"


def test_of_several_words_the_last_that_are_known_count() -> None:
    assert define("my old wheelchair") == define("wheelchair").replace(
        "wheelchair", "my old wheelchair", 1
    )
    assert "teddy bear:" in define("teddy bear")
    assert define("teddy bear").split(":")[1] != define("bear").split(":")[1]


@pytest.mark.parametrize("name", ["xyzzyx", "", "  ", "glorp snurf"])
def test_an_unknown_name_stays_alone(name: str) -> None:
    assert define(name) == name


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        ("vases", "vase"),
        ("planes", "plane"),
        ("buses", "bus"),
        ("berries", "berry"),
        ("wolves", "wolf"),
        ("knives", "knife"),
        ("fishermen", "fisherman"),
    ],
)
def test_plurals_mean_what_their_singular_does(plural: str, singular: str) -> None:
    assert define(plural) == define(singular).replace(singular, plural, 1)
    assert define(plural) != plural


@pytest.mark.parametrize(
    ("name", "head"),
    [("bottle of water", "bottle"), ("dog,", "dog"), ("aerosol_can", "aerosol can")],
)
def test_what_is_named_counts_and_nothing_else(name: str, head: str) -> None:
    assert define(name).removeprefix(name) == define(head).removeprefix(head)
    assert define(name) != name


def test_what_stands_behind_a_preposition_is_not_meant() -> None:
    assert define("in red") == "in red"
