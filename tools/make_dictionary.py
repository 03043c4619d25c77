"""Write what things are called, and what these names mean, from WordNet's nouns.

    python tools/make_dictionary.py data.noun index.noun src/glee/model/text/nouns.txt.gz

data.noun and index.noun are files of WordNet 3.0 (Debian's package wordnet-base has them). Each
line holds a noun, a tab, and the definition of its most common sense among those of things that
can be seen: animals, artifacts, bodies, food, objects, people, plants and substances.
"""

import argparse
import gzip
from collections.abc import Iterable
from pathlib import Path

from glee.files import replacing

SEEN = frozenset({"03", "05", "06", "08", "13", "17", "20", "27"})
"""Numbers of WordNet's files of nouns (lexnames) whose things can be seen."""

PEOPLE = "18"
"""The same of people, which only count where nothing else is called so: a cup or a toaster."""

INSTANCE = " @i "
"""Says that a sense is one person or place, such as a writer called Crane."""

LONGEST = 240
"""Characters of a definition, of which what is behind the last whole word is cut off."""


def read_definitions(lines: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the definition of each sense of a thing that can be seen, by its offset; and people's.

    lines  of data.noun; those of the licence begin with blanks
    """
    things: dict[str, str] = {}
    people: dict[str, str] = {}
    for line in lines:
        if line.startswith(" "):
            continue
        head, _, gloss = line.partition(" | ")
        offset, kind = head.split(" ", 2)[:2]
        if kind in SEEN | {PEOPLE} and INSTANCE not in head:
            own = people if kind == PEOPLE else things
            own[offset] = _shorten(gloss.strip().split('; "')[0])
    return things, people


def define_nouns(lines: Iterable[str], *definitions: dict[str, str]) -> dict[str, str]:
    """Return the definition of each noun's most common sense that has one.

    lines        of index.noun; a noun's senses come in the order of their frequency
    definitions  by their offset; of the first of these that has one
    """
    nouns = {}
    for line in lines:
        if line.startswith(" "):
            continue
        noun, _, count, *rest = line.split()
        senses = rest[len(rest) - int(count) :]
        known = [some[sense] for some in definitions for sense in senses if sense in some]
        if known:
            nouns[noun.replace("_", " ")] = known[0]
    return nouns


def _shorten(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST].rsplit(" ", 1)[0]


def main() -> None:
    """Read the files named on the command line and write the dictionary."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="data.noun")
    parser.add_argument("index", type=Path, help="index.noun")
    parser.add_argument("out", type=Path, help="file to write")
    options = parser.parse_args()
    with options.data.open(encoding="utf-8") as lines:
        definitions = read_definitions(lines)
    with options.index.open(encoding="utf-8") as lines:
        nouns = define_nouns(lines, *definitions)
    if not nouns:
        parser.error(f"{options.data} and {options.index} define no nouns; they must be WordNet's")
    text = "".join(f"{noun}\t{definition}\n" for noun, definition in sorted(nouns.items()))
    with replacing(options.out) as beside:
        beside.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{options.out}: {len(nouns)} nouns, {options.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
