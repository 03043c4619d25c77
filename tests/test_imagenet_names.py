import pytest

from imagenet_names import class_names, define_classes, naming

IDS = [f"n{number:08}" for number in range(1000)]
TABLE = "\n".join(f"{id_}\tthing {id_}, it" for id_ in reversed([*IDS, "n99999999"]))


def test_names_come_in_the_order_of_the_ids_without_those_of_other_classes() -> None:
    names = class_names("\n".join(IDS) + "\n", TABLE)

    assert len(names) == 1000
    assert names[:2] == ["thing n00000000, it", "thing n00000001, it"]


@pytest.mark.parametrize("ids", [IDS[:-1], [IDS[1], IDS[0], *IDS[2:]], [IDS[0], *IDS[:-1]]])
def test_lists_that_are_not_a_thousand_rising_ids_are_refused(ids: list[str]) -> None:
    with pytest.raises(ValueError, match="must hold 1000 rising ids"):
        class_names("\n".join(ids), TABLE)


def test_a_class_without_names_is_refused() -> None:
    with pytest.raises(ValueError, match="names n00000007 and 0 others nowhere"):
        class_names("\n".join(IDS), TABLE.replace("thing n00000007, it", ""))


def test_words_are_found_whole_in_any_case_and_number() -> None:
    names = ["porcupine, hedgehog", "Saxophones", "hedgehog cactus", "sax"]

    assert naming(names, ["hedgehog", "saxophone"]) == [0, 1, 2]
    assert naming(["hedgehogged"], ["hedgehog"]) == []


def test_classes_are_defined_by_the_sense_that_their_id_names() -> None:
    lines = [
        '02012849 05 n 01 crane 0 000 | large long-necked wading bird; "a crane flew"',
        "03126707 06 n 01 crane 0 000 | lifts and moves heavy objects",
    ]
    classes = "n02012849\nn03126707"

    assert define_classes(classes, ["crane, bird", "crane"], lines) == [
        "crane: large long-necked wading bird",
        "crane: lifts and moves heavy objects",
    ]
    with pytest.raises(ValueError, match=r"does not define n03126707 \(crane\)"):
        define_classes(classes, ["crane, bird", "crane"], lines[:1])
