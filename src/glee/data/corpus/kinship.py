"""Kinship: which names may be true of the same thing, so that none of them is taught absent."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from glee.data.corpus.packs import Cutout, is_held_out
from glee.data.corpus.words import (
    ALIKE,
    CARRIED,
    COCO_NAMES,
    OPEN_PARENTS,
    SCENERY,
    WIDER,
)


def wider_words(row: Cutout) -> tuple[str, ...]:
    """Return the parent of a cut-out, and wider words than that, the narrowest first."""
    words, word = [], row.parent
    while word is not None and word not in words:
        words.append(word)
        word = WIDER.get(word)
    return tuple(words)


class Kinship:
    """The names of the corpus, and for each those that may be said of what it names.

    names  all that prompts may ask for: names, synonyms and parents of the cut-outs, and COCO's 80
    """

    def __init__(self, rows: Sequence[Cutout], *, held_out: bool = False) -> None:
        """Learn the names of cut-outs, those with held-out words only if told to."""
        self._above: dict[str, set[str]] = defaultdict(set)
        own: dict[str, None] = {}
        parents: dict[str, set[str | None]] = defaultdict(set)
        for row in rows:
            own[row.name] = None
            parents[row.name].add(row.parent)
            self._above[row.name].update(row.synonyms, wider_words(row))
        words = set(own).union(*self._above.values(), COCO_NAMES)
        self.names = tuple(sorted(word for word in words if held_out or not is_held_out(word)))
        self._every = frozenset(self.names)
        self._orphans = frozenset(name for name, of in parents.items() if of == {None})
        for word in words:
            self._above[word].add(_head(word))
        self._below: dict[str, set[str]] = defaultdict(set)
        for word in words:
            for wider in self._above[word]:
                self._below[wider].add(word)
        self._groups: dict[str, set[str]] = defaultdict(set)
        for group in ALIKE:
            for word in group:
                self._groups[word] |= group
        self._known: dict[str, frozenset[str]] = {}

    def related(self, name: str) -> frozenset[str]:
        """Return the names that may be true of, or found on, something of this name; also it."""
        if name not in self._known:
            found = set(self.alike(name))
            for word in (name, *self._above[name]):
                found |= CARRIED.get(word, frozenset())
            self._known[name] = frozenset(found)
        return self._known[name]

    def alike(self, name: str) -> frozenset[str]:
        """Return the names that may be true of something of this name; also it."""
        found = {name} | self._above[name] | self._below[name] | self._groups[name]
        for wider in self._above[name]:
            if wider not in OPEN_PARENTS:  # cases of one animal are no cases of another
                found |= self._below[wider] | self._groups[wider]
        if name in self._orphans:
            found |= OPEN_PARENTS
        return frozenset(found)

    def coverage(
        self, shown: Sequence[str], labels: Sequence[str], *, scenery: bool
    ) -> frozenset[str]:
        """Return the names of which a scene annotates every object.

        shown    own names of the objects
        labels   what the scene calls them
        scenery  whether the background may show what pictures show
        """
        unknown = set(SCENERY) if scenery else set()
        for name, label in zip(shown, labels, strict=True):
            # What is called so is known; all else that it may be called is not.
            unknown |= self.related(name) - {label}
        return self._every - unknown

    def rivals(self, shown: Iterable[str], known: frozenset[str]) -> list[str]:
        """Return names near to what is shown, and known not to be: of one parent with it."""
        wider = {word for name in shown for word in self._above[name] if word in OPEN_PARENTS}
        near = {name for word in wider for name in self._below[word]}
        return sorted((near & known) - set(shown))


def _head(name: str) -> str:
    """Return the last word of a name: a windsor chair is a chair."""
    return name.rsplit(" ", 1)[-1]
