"""What nouns mean, for names that a small text encoder has hardly read of."""

import gzip
import re
from functools import cache
from importlib import resources

PLURALS = (("s", ""), ("es", ""), ("ies", "y"), ("ves", "f"), ("ves", "fe"), ("men", "man"))
"""Ends of words that are no singular, and what stands there in it."""

HEAD = re.compile(r"\b(?:of|with|without|in|on|at|by|for|from|to|near)\b")
"""Behind these words stands something else than what is named."""

WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")

SHORTEST = 3
"""Letters; shorter nouns are chemical elements and abbreviations."""


def define(name: str) -> str:
    """Return a name with what it means, "okapi: similar to the giraffe but smaller with ...".

    Of several words the last ones count that the dictionary has, as in "office chair", but none
    behind a preposition. A name that it does not have is returned alone. The meaning is WordNet's
    of a thing that can be seen.
    """
    nouns, words = _nouns(), WORD.findall(HEAD.split(name.lower(), maxsplit=1)[0])
    for first in range(len(words)):
        for noun in _singulars(" ".join(words[first:])):
            if len(noun) >= SHORTEST and noun in nouns:
                return f"{name}: {nouns[noun]}"
    return name


def _singulars(noun: str) -> list[str]:
    """Return a noun as it is, and what it may be the plural of."""
    ends = [noun.removesuffix(end) + other for end, other in PLURALS if noun.endswith(end)]
    return [noun, *ends]


@cache
def _nouns() -> dict[str, str]:
    packed = (resources.files(__package__) / "nouns.txt.gz").read_bytes()
    lines = gzip.decompress(packed).decode().splitlines()
    return dict(line.split("\t", 1) for line in lines)
