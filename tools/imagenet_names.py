"""Write the names of ImageNet's 1000 classes from the wheel of timm (Apache-2.0; WordNet's words).

    pip download --no-deps timm
    python tools/imagenet_names.py timm-*.whl imagenet_names.txt [--held-out okapi pagoda]
    python tools/imagenet_names.py timm-*.whl imagenet_meanings.txt --definitions data.noun

Each line holds the synonyms of a class, joined by commas, in the order of WordNet's ids, which is
that of the outputs of ImageNet classifiers; with a file of WordNet 3.0, the first of them and what
it means. Classes that name a held-out word are listed. Nothing
of timm is installed or imported.
"""

import argparse
import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from glee.files import replacing

CLASSES = "timm/data/_info/imagenet_synsets.txt"
SYNONYMS = "timm/data/_info/imagenet_synset_to_lemma.txt"
NUM_CLASSES = 1000
LARGEST_TABLE = 8 << 20  # bytes; the tables have less than one million


def class_names(classes: str, synonyms: str) -> list[str]:
    """Return the synonyms of each class, joined by ", ".

    classes   WordNet ids, one a line
    synonyms  lines of an id, a tab, and names joined by ", "; of these and other classes
    Raises ValueError if these are not 1000 rising ids, or if one has no names.
    """
    ids = classes.split()
    if len(ids) != NUM_CLASSES or ids != sorted(set(ids)):
        raise ValueError(
            f"{CLASSES} must hold {NUM_CLASSES} rising ids, got {len(ids)}, "
            f"{len(set(ids))} of them different"
        )
    table = dict(line.split("\t", 1) for line in synonyms.splitlines() if "\t" in line)
    missing = [id_ for id_ in ids if not table.get(id_, "").strip()]
    if missing:
        raise ValueError(f"{SYNONYMS} names {missing[0]} and {len(missing) - 1} others nowhere")
    return [table[id_].strip() for id_ in ids]


def define_classes(classes: str, names: Sequence[str], lines: Iterable[str]) -> list[str]:
    """Return the first synonym of each class and what it means, "okapi: similar to the ...".

    lines  of WordNet's data.noun
    Raises ValueError for a class that it does not define.
    """
    glosses = {line.split(" ", 1)[0]: line.partition(" | ")[2] for line in lines}
    meanings = []
    for number, name in zip(classes.split(), names, strict=True):
        gloss = glosses.get(number[1:], "").split('; "')[0].strip()
        if not gloss:
            raise ValueError(f"the file of WordNet does not define {number} ({name})")
        meanings.append(f"{name.split(',')[0].strip()}: {gloss}")
    return meanings


def naming(names: Iterable[str], words: Iterable[str]) -> list[int]:
    """Return the indices of the names that have one of some words, also in the plural."""
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})s?\b", re.IGNORECASE)
    return [index for index, name in enumerate(names) if pattern.search(name)]


def _read(wheel: zipfile.ZipFile, name: str) -> str:
    size = wheel.getinfo(name).file_size
    if size > LARGEST_TABLE:
        raise ValueError(f"{name} has {size} bytes, more than the {LARGEST_TABLE} expected at most")
    return wheel.read(name).decode()


def main() -> None:
    """Read the wheel named on the command line and write the list."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("wheel", type=Path, help="timm-*.whl")
    parser.add_argument("out", type=Path, help="text file to write, a class a line")
    parser.add_argument("--held-out", nargs="+", default=[], metavar="WORD")
    parser.add_argument("--definitions", type=Path, metavar="FILE", help="data.noun of WordNet 3.0")
    options = parser.parse_args()
    with zipfile.ZipFile(options.wheel) as wheel:
        classes = _read(wheel, CLASSES)
        names = class_names(classes, _read(wheel, SYNONYMS))
    if options.definitions is not None:
        with options.definitions.open(encoding="utf-8") as lines:
            names = define_classes(classes, names, lines)
    with replacing(options.out) as beside:
        beside.write_text("\n".join(names) + "\n", encoding="utf-8")
    print(f"{options.out}: {len(names)} classes")
    for index in naming(names, options.held_out) if options.held_out else []:
        print(f"held out: {index} {names[index]}")


if __name__ == "__main__":
    main()
