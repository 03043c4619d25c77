"""What nouns mean, for names that a small text encoder has hardly read of."""

import gzip
from functools import cache
from importlib import resources

PLURALS = (("ies", "y"), ("es", ""), ("s", ""))
"""Ends of words that are no singular, and what stands there in it."""


def define(name: str) -> str:
    """Return a name with what it means, "okapi: similar to the giraffe but smaller with ...".

    Of several words the last ones count that the dictionary has, as in "office chair". A name that
    it does not have is returned alone. It is WordNet's of things that can be seen.
    """
    nouns, words = _nouns(), name.lower().split()
    for first in range(len(words)):
        for noun in _singulars(" ".join(words[first:])):
            if noun in nouns:
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
