"""Samples with expressions that are true of one object among others like it, or of none."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.random import Generator

from glee.data.corpus.backdrop import Backdrop, draw_backdrop, usable
from glee.data.corpus.choice import Choice
from glee.data.corpus.colors import PALETTE
from glee.data.corpus.compose import Arrangement, arrange, draw_size, finish
from glee.data.corpus.draws import chance, generator
from glee.data.corpus.kinship import Kinship
from glee.data.corpus.packs import Cutout, read_backgrounds, read_cutouts
from glee.data.corpus.photos import read_masks
from glee.data.corpus.pictures import Pictures
from glee.data.corpus.referring import Referred, mislead, refer
from glee.data.corpus.scenes import EXPRESSIONS, PHOTO_EXPRESSIONS, PHRASES
from glee.data.corpus.things import things_of_photo, things_of_scene
from glee.data.corpus.words import COCO_NAMES, SCENERY
from glee.data.schema import BadSampleError, Frame, Sample, Supervision

TRIES = 30
"""Scenes, or photos, tried for a sample before it counts as bad."""

SAME_NAME = (0.2, 0.4, 0.25, 0.15)
"""Chances of one to four objects of the name that is described."""

OTHERS = (0.2, 0.3, 0.3, 0.2)
"""Chances of none to three objects of other names."""

TINTED = 0.6
"""Share of what may have any colour that is given one."""

ANY_COLOR = ("vehicle", "furniture", "tool", "musical instrument", "ball", "lamp")
"""Parents of what exists in all colours, so that a photo of it may be tinted."""

MISLEADING = 4
"""Phrases of a scene that fit none of its objects, at most."""

LEAST_AREA = 0.004
"""What an object must at least cover of a photo to be described."""


class ExpressionSamples:
    """Composed scenes, of whose objects one is described so that no other can be meant."""

    def __init__(
        self,
        root: Path,
        *,
        seed: int = 0,
        length: int = 100_000,
        misleading: float = 0.0,
        allow_missing: bool = False,
    ) -> None:
        """Read the index of the packs.

        root           the folder with the packs `cutouts` and `backgrounds`
        misleading     share of samples whose expressions fit nothing, and which have no objects
        allow_missing  do with the cut-outs that are there

        Raises MissingPackError for what is missing, ValueError for a share outside 0..1.
        """
        _check_share(misleading)
        every = read_cutouts(root, allow_missing=allow_missing)
        rows = [row for row in every if not row.held_out]
        self._choice, self._kinship = Choice(rows), Kinship(rows)
        self._pictures, self._backgrounds = Pictures(root), usable(read_backgrounds(root))
        self._seed, self._length, self._misleading = seed, length, misleading

    @property
    def names(self) -> tuple[str, ...]:
        """All names that a scene may show."""
        return self._kinship.names

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < self._length:
            raise IndexError(f"index must lie in 0..{self._length - 1}, got {index}")
        rng = generator(self._seed, EXPRESSIONS, index)
        misleading = chance(rng, self._misleading)
        for _ in range(TRIES):
            arrangement, backdrop = self.draw(rng)
            if referred := self._refer(arrangement, backdrop, rng, misleading=misleading):
                labels = [row.name for row in arrangement.rows]
                frame = finish(arrangement, backdrop, labels, rng)
                return _sample(f"expression {index}", frame, referred)
        raise BadSampleError(f"expression {index}: no description found in {TRIES} scenes")

    def draw(self, rng: Generator) -> tuple[Arrangement, Backdrop]:
        """Return objects, of which some share a name, and what is behind them."""
        rows = self._draw_rows(rng)
        arrangement = arrange(
            self._pictures, rows, size := draw_size(rng), rng, tints=_draw_tints(rows, rng)
        )
        return arrangement, draw_backdrop(self._pictures, self._backgrounds, size, rng)

    def describe_each(
        self, arrangement: Arrangement, backdrop: Backdrop, rng: Generator
    ) -> tuple[dict[int, str], frozenset[str]]:
        """Return phrases that mean one object each, by its row, and some that mean none."""
        things = things_of_scene(arrangement, self._kinship)
        unsayable = SCENERY if backdrop.scenery else frozenset()
        phrases: dict[int, str] = {}
        for row in range(len(things)):
            found = refer(things, [row], unsayable, rng)
            if found and found.rows == (row,):
                phrases[row] = found.expressions[int(rng.integers(len(found.expressions)))]
        names = [row.name for row in arrangement.rows]
        known = self._kinship.coverage(names, names, scenery=backdrop.scenery) - set(names)
        absent: set[str] = set()
        for _ in range(MISLEADING if phrases else 0):
            wrong = mislead(things, sorted(known), unsayable, rng)
            absent |= set(wrong.expressions[:1]) if wrong else set()
        return phrases, frozenset(absent - set(phrases.values()))

    def _refer(
        self, arrangement: Arrangement, backdrop: Backdrop, rng: Generator, *, misleading: bool
    ) -> Referred | None:
        if not arrangement.rows:
            return None
        things = things_of_scene(arrangement, self._kinship)
        unsayable = SCENERY if backdrop.scenery else frozenset()
        names = [row.name for row in arrangement.rows]
        if misleading:
            known = self._kinship.coverage(names, names, scenery=backdrop.scenery) - set(names)
            rivals = self._kinship.rivals(names, known)
            absent = rivals if rivals and chance(rng, 0.5) else sorted(known)
            return mislead(things, absent, unsayable, rng)
        # What there are several of first: to tell them apart is what is to be learnt.
        order = sorted(rng.permutation(len(names)).tolist(), key=lambda n: -names.count(names[n]))
        return refer(things, order, unsayable, rng)

    def _draw_rows(self, rng: Generator) -> list[Cutout]:
        """Draw objects of one name, and some of names that cannot be taken for it."""
        first = self._choice.draw(rng)
        count = int(rng.choice(len(SAME_NAME), p=SAME_NAME))
        rows = [first, *(self._choice.draw_named(first.name, rng) for _ in range(count))]
        for _ in range(int(rng.choice(len(OTHERS), p=OTHERS))):
            other = self._choice.draw(rng)
            if all(other.name not in self._kinship.related(row.name) for row in rows):
                rows.append(other)
        return rows


class PhraseSamples:
    """Composed scenes, of whose objects each is named by a description that means it alone.

    They teach as `ExpressionSamples`, but all objects of all images of a batch at once, and each
    description also what it does not mean.
    """

    def __init__(
        self, root: Path, *, seed: int = 0, length: int = 100_000, allow_missing: bool = False
    ) -> None:
        """Read the index of the packs; see `ExpressionSamples`."""
        self._scenes = ExpressionSamples(root, seed=seed, allow_missing=allow_missing)
        self._seed, self._length = seed, length

    @property
    def names(self) -> tuple[str, ...]:
        """All names that a scene may show; a prompt has none of them, only phrases."""
        return self._scenes.names

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < self._length:
            raise IndexError(f"index must lie in 0..{self._length - 1}, got {index}")
        rng = generator(self._seed, PHRASES, index)
        for _ in range(TRIES):
            arrangement, backdrop = self._scenes.draw(rng)
            phrases, absent = self._scenes.describe_each(arrangement, backdrop, rng)
            if phrases:
                labels = [row.name for row in arrangement.rows]
                frame = _keep(finish(arrangement, backdrop, labels, rng), sorted(phrases))
                named = replace(frame, names=tuple(phrases[row] for row in sorted(phrases)))
                supervision = Supervision(
                    masks=frame.masks is not None,
                    exhaustive=frozenset(phrases.values()),
                    absent=absent,
                )
                return Sample(key=f"phrases {index}", frames=(named,), supervision=supervision)
        raise BadSampleError(f"phrases {index}: no description found in {TRIES} scenes")


class PhotoExpressions:
    """Photos of COCO with masks, of whose objects one is described by name, place or size."""

    def __init__(
        self, root: Path, *, seed: int = 0, length: int = 10_000, misleading: float = 0.0
    ) -> None:
        """Read the photos of the split `train`.

        misleading  share of samples whose expressions fit nothing

        Raises MissingPackError without the pack `coco_photos`, ValueError for a share outside 0..1.
        """
        _check_share(misleading)
        self._photos, self._kinship = read_masks(root), Kinship(())
        self._seed, self._length, self._misleading = seed, length, misleading

    @property
    def names(self) -> tuple[str, ...]:
        """All names that a photo may show."""
        return COCO_NAMES

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < self._length:
            raise IndexError(f"index must lie in 0..{self._length - 1}, got {index}")
        rng = generator(self._seed, PHOTO_EXPRESSIONS, index)
        misleading = chance(rng, self._misleading)
        for _ in range(TRIES):
            photo = self._photos[int(rng.integers(len(self._photos)))]
            frame, partial = photo.frames[0], photo.supervision.partial
            things = things_of_photo(frame, self._kinship, partial)
            if misleading:
                shown = {word for name in frame.names for word in self._kinship.alike(name)}
                absent = [word for word in COCO_NAMES if word not in shown | partial]
                referred = mislead(things, absent, partial, rng) if things else None
            else:
                order = [
                    n for n in rng.permutation(len(things)).tolist() if things[n].area > LEAST_AREA
                ]
                referred = refer(things, order, partial, rng)
            if referred:
                return _sample(f"{photo.key}, expression {index}", frame, referred)
        raise BadSampleError(f"expression {index}: no description found in {TRIES} photos")


def _check_share(misleading: float) -> None:
    if not 0 <= misleading <= 1:
        raise ValueError(f"misleading must be a share in 0..1, got {misleading}")


def _draw_tints(rows: Sequence[Cutout], rng: Generator) -> list[str | None]:
    colors = list(PALETTE)
    order = rng.permutation(len(colors)).tolist()
    return [
        colors[order[n % len(order)]]
        if (row.kind != "photo" or row.parent in ANY_COLOR) and chance(rng, TINTED)
        else None
        for n, row in enumerate(rows)
    ]


def _sample(key: str, frame: Frame, referred: Referred) -> Sample:
    """Return a sample of those objects of an image that the expressions mean."""
    supervision = Supervision(masks=frame.masks is not None)
    return Sample(
        key=key,
        frames=(_keep(frame, referred.rows),),
        expressions=referred.expressions,
        supervision=supervision,
    )


def _keep(frame: Frame, rows: Sequence[int]) -> Frame:
    """Return a frame with some of its objects only."""
    return replace(
        frame,
        boxes=frame.boxes[np.array(rows, dtype=np.int64)],
        names=tuple(frame.names[n] for n in rows),
        masks=None if frame.masks is None else tuple(frame.masks[n] for n in rows),
        track_ids=None,
    )
