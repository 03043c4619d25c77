"""ClipSamples: cut-outs moving over a background, with exact masks and tracks in every frame."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from numpy.random import Generator
from PIL import Image

from glee.data.corpus.backdrop import PLAIN_SHARE, usable
from glee.data.corpus.choice import Choice
from glee.data.corpus.compose import draw_pose, draw_size
from glee.data.corpus.draws import chance, generator
from glee.data.corpus.kinship import Kinship
from glee.data.corpus.layers import Layer, Pose, Size, place, seen_masks, seen_pixels
from glee.data.corpus.looks import paint, photograph, relight, texture
from glee.data.corpus.motion import Camera, Motion, draw_camera, draw_motion
from glee.data.corpus.naming import name_objects
from glee.data.corpus.packs import Cutout, read_backgrounds, read_cutouts
from glee.data.corpus.pictures import Pictures
from glee.data.corpus.scenes import CLIPS
from glee.data.schema import Frame, Sample

FRAMES = (8, 16)
"""Range of the number of frames."""

MOST_OBJECTS = 6

SEEN_PIXELS = 16
"""An object of which fewer pixels are seen is not in a frame at all."""

MEETING_SHARE = 0.4
"""Share of clips in which the second object goes the way of the first, backwards."""

TURN_SHARE = 0.7
"""Share of the renders seen from several sides that turn, and by how many turns at most."""
MOST_TURNS = 0.6
VIEWS = 6
"""Directions that a model must be seen from to turn."""


class ClipSamples:
    """Clips of 8 to 16 frames; a frame is made when asked for."""

    def __init__(
        self, root: Path, *, seed: int = 0, length: int = 100_000, allow_missing: bool = False
    ) -> None:
        """Read the index of the packs.

        root           the folder with the packs `cutouts` and `backgrounds`
        allow_missing  do with the cut-outs that are there

        Raises MissingPackError for what is missing.
        """
        every = read_cutouts(root, allow_missing=allow_missing)
        rows = [row for row in every if not row.held_out]
        self._choice, self._kinship, self._views = Choice(rows), Kinship(rows), _group_views(rows)
        self._pictures, self._backgrounds = Pictures(root), usable(read_backgrounds(root))
        self._seed, self._length = seed, length

    @property
    def names(self) -> tuple[str, ...]:
        """All names that a clip may show or be asked for."""
        return self._kinship.names

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < self._length:
            raise IndexError(f"index must lie in 0..{self._length - 1}, got {index}")
        rng = generator(self._seed, CLIPS, index)
        size = draw_size(rng)
        rows = self._choice.draw_several(int(rng.integers(1, MOST_OBJECTS + 1)), rng)
        actors = self._draw_actors(rows, size, rng)
        scenery = bool(self._backgrounds) and not chance(rng, PLAIN_SHARE)
        naming = name_objects(rows, self._kinship, rng, scenery=scenery)
        frames = ClipFrames(
            pictures=self._pictures,
            actors=actors,
            labels=naming.labels,
            size=size,
            length=int(rng.integers(FRAMES[0], FRAMES[1] + 1)),
            camera=draw_camera(size, rng),
            backdrop=self._draw_backdrop(size, rng, scenery=scenery),
            place=(rng.random(), rng.random(), rng.uniform(0.7, 1.0)),
            seed=(self._seed, CLIPS, index),
        )
        return Sample(key=f"clip {index}", frames=frames, supervision=naming.supervision)

    def _draw_backdrop(self, size: Size, rng: Generator, *, scenery: bool) -> Image.Image:
        if not scenery:
            return texture((2 * size[0], 2 * size[1]), rng)
        return self._pictures.background(
            self._backgrounds[int(rng.integers(len(self._backgrounds)))]
        )

    def _draw_actors(
        self, rows: Sequence[Cutout], size: Size, rng: Generator
    ) -> tuple["Actor", ...]:
        actors: list[Actor] = []
        for row in rows:
            pose = draw_pose((row.width, row.height), size, rng, crowd=len(rows))
            motion = draw_motion(pose, size, rng)
            if len(actors) == 1 and chance(rng, MEETING_SHARE):
                aside = rng.normal(0, 0.25 * pose.side, 2)
                motion = actors[0].motion.backwards((float(aside[0]), float(aside[1])))
                motion = replace(motion, sides=(pose.side, pose.side))
            views: tuple[Cutout, ...] = (row,)
            turns = 0.0
            around = self._views.get((row.name, row.model, row.pitch), ())
            if len(around) >= VIEWS and chance(rng, TURN_SHARE):
                first = around.index(row)
                views = (*around[first:], *around[:first])
                turns = rng.uniform(-MOST_TURNS, MOST_TURNS)
            soften = rng.uniform(0.5, 1.0) if chance(rng, 0.6) else 0.0
            actors.append(Actor(views, turns, motion, soften))
        return tuple(actors)


@dataclass(frozen=True, slots=True)
class Actor:
    """An object of a clip.

    views   its picture, or pictures of it from all sides in turn
    turns   how often it turns about itself in the clip
    motion  its way
    soften  how far its border is blurred, in pixels
    """

    views: tuple[Cutout, ...]
    turns: float
    motion: Motion
    soften: float

    def view(self, share: float) -> Cutout:
        """Return the picture of it when a share 0..1 of the clip is over."""
        return self.views[math.floor(share * self.turns * len(self.views)) % len(self.views)]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClipFrames:
    """The frames of a clip, made when asked for.

    actors    the objects, the last one on top; their tracks are numbered from 1
    labels    what they are called
    size      (height, width) of the frames
    length    their number
    camera    what they show
    backdrop  the picture behind
    place     where in it the clip lies, across and down, and how much of it is used, in 0..1
    seed      what is random about the looks of the clip
    """

    pictures: Pictures
    actors: tuple[Actor, ...]
    labels: tuple[str, ...]
    size: Size
    length: int
    camera: Camera
    backdrop: Image.Image
    place: tuple[float, float, float]
    seed: tuple[int, ...]

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Frame:
        if not 0 <= index < self.length:
            raise IndexError(f"frame must lie in 0..{self.length - 1}, got {index}")
        share = index / max(self.length - 1, 1)
        shown, layers = self._layers(share)
        canvas = paint(self._background(share), layers, generator(*self.seed), shadows=False)
        masks, boxes = seen_masks(layers, self.size)
        return Frame(
            image=photograph(canvas, generator(*self.seed, 1)),
            size=self.size,
            boxes=boxes,
            names=tuple(self.labels[n] for n in shown),
            masks=masks,
            track_ids=tuple(n + 1 for n in shown),
        )

    def _layers(self, share: float) -> tuple[list[int], list[Layer]]:
        """Return the rows of the actors that are seen, and their layers."""
        shown, layers = list(range(len(self.actors))), []
        for number, actor in enumerate(self.actors):
            pose = self.camera.sees(actor.motion.at(share), share, self.size)
            layers.append(self._layer(actor, actor.view(share), pose, number))
        while shown:
            seen = seen_pixels(layers, self.size)
            kept = [n for n, count in enumerate(seen.tolist()) if count >= SEEN_PIXELS]
            if len(kept) == len(shown):
                break
            shown, layers = [shown[n] for n in kept], [layers[n] for n in kept]
        return shown, layers

    def _layer(self, actor: Actor, row: Cutout, pose: Pose, number: int) -> Layer:
        layer = place(self.pictures.cutout(row), pose, self.size, soften=actor.soften)
        if not layer.solid.size:
            return layer
        return replace(layer, pixels=relight(layer.pixels, generator(*self.seed, 2, number)))

    def _background(self, share: float) -> Image.Image:
        """Return what the camera sees of the backdrop, as large as a frame."""
        windows = [
            self.camera.window(n / max(self.length - 1, 1), self.size) for n in range(self.length)
        ]
        left, top = (min(window[n] for window in windows) for n in (0, 1))
        right, bottom = (max(window[n] for window in windows) for n in (2, 3))
        across, down, used = self.place
        width, height = self.backdrop.size
        scale = used * min(width / (right - left), height / (bottom - top))
        x = across * (width - scale * (right - left)) - scale * left
        y = down * (height - scale * (bottom - top)) - scale * top
        own = self.camera.window(share, self.size)
        part = (x + scale * own[0], y + scale * own[1], x + scale * own[2], y + scale * own[3])
        part = (max(part[0], 0), max(part[1], 0), min(part[2], width), min(part[3], height))
        return self.backdrop.resize(
            (self.size[1], self.size[0]), Image.Resampling.BILINEAR, box=part, reducing_gap=2.0
        )


_Model = tuple[str, str | None, float]


def _group_views(rows: Sequence[Cutout]) -> dict[_Model, tuple[Cutout, ...]]:
    """Return the pictures of each model from one height, in the order of their directions."""
    groups: dict[_Model, list[Cutout]] = defaultdict(list)
    for row in rows:
        if row.model is not None:
            groups[row.name, row.model, row.pitch].append(row)
    return {key: tuple(sorted(own, key=lambda row: row.yaw)) for key, own in groups.items()}
