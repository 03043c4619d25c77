"""SceneSamples: cut-outs composed into scenes, with exact masks, made when asked for."""

from pathlib import Path

from glee.data.corpus.backdrop import draw_backdrop, usable
from glee.data.corpus.choice import Choice
from glee.data.corpus.compose import arrange, draw_size, finish
from glee.data.corpus.draws import generator
from glee.data.corpus.kinship import Kinship
from glee.data.corpus.naming import name_objects
from glee.data.corpus.packs import read_backgrounds, read_cutouts
from glee.data.corpus.pictures import Pictures
from glee.data.schema import Sample

SCENES, HELD_OUT_SCENES, EXPRESSIONS, PHOTO_EXPRESSIONS, CLIPS, PHRASES = range(6)
"""Numbers that keep the random numbers of the sources apart."""

MOST_OBJECTS = 8


class SceneSamples:
    """Scenes of one to eight cut-outs on a background.

    Sample `index` depends on the seed and on its index only.
    """

    def __init__(
        self,
        root: Path,
        *,
        seed: int = 0,
        length: int = 100_000,
        held_out: bool = False,
        allow_missing: bool = False,
    ) -> None:
        """Read the index of the packs.

        root           the folder with the packs `cutouts` and `backgrounds`
        length         how many scenes there are
        held_out       scenes of names kept out of training, among others; for evaluation only
        allow_missing  do with the cut-outs that are there

        Raises MissingPackError for what is missing.
        """
        every = read_cutouts(root, allow_missing=allow_missing)
        rows = [row for row in every if not row.held_out]
        self._choice = Choice(rows)
        unseen = [row for row in every if row.held_out] if held_out else []
        self._unseen = Choice(unseen) if held_out else None
        self._kinship = Kinship([*rows, *unseen], held_out=held_out)
        self._pictures = Pictures(root)
        self._backgrounds = usable(read_backgrounds(root))
        self._seed = (seed, HELD_OUT_SCENES if held_out else SCENES)
        self._length = length

    @property
    def names(self) -> tuple[str, ...]:
        """All names that a scene may show or be asked for."""
        return self._kinship.names

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < self._length:
            raise IndexError(f"index must lie in 0..{self._length - 1}, got {index}")
        rng = generator(*self._seed, index)
        size = draw_size(rng)
        backdrop = draw_backdrop(self._pictures, self._backgrounds, size, rng)
        count = int(rng.integers(1, MOST_OBJECTS + 1))
        rows = self._choice.draw_several(count, rng)
        if self._unseen is not None:
            rows[0] = self._unseen.draw(rng)
        arrangement = arrange(self._pictures, rows, size, rng)
        naming = name_objects(arrangement.rows, self._kinship, rng, scenery=backdrop.scenery)
        frame = finish(arrangement, backdrop, naming.labels, rng)
        return Sample(key=f"scene {index}", frames=(frame,), supervision=naming.supervision)
