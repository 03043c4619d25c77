"""Drawn clips on which trackers are tested: who is where in each frame is known exactly."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from glee import Instances
from glee.data.shapes import DrawnFrame, Place, Shape, draw_clip
from glee.evaluation.identity import identity
from glee.evaluation.tracked_video import FrameOverlap, tracked_video
from glee.ops.boxes import pairwise_iou
from glee.ops.masks import mask_to_boxes
from glee.tracking.tracker import Tracker

SIZE = (120, 160)
RED, BLUE, GREEN, WALL = (200, 40, 40), (40, 40, 200), (40, 180, 40), (60, 60, 60)
WIDTH = 64  # of embeddings


def line(
    start: tuple[float, float], step: tuple[float, float], frames: int, radius: float = 10
) -> list[Place | None]:
    """Return places along a straight line, at constant speed."""
    return [(start[0] + step[0] * t, start[1] + step[1] * t, radius) for t in range(frames)]


def crossing() -> list[Shape]:
    """Two objects that look different cross, the square in front of the disc."""
    return [
        Shape("disc", RED, line((20, 40), (3, 1), 40), 0),
        Shape("square", BLUE, line((140, 40), (-3, 1), 40), 1),
    ]


def look_alikes_crossing() -> list[Shape]:
    """Two objects that look the same cross; only their motion tells which is which."""
    return [
        Shape("disc", RED, line((20, 40), (3, 1), 40), 0),
        Shape("disc", RED, line((140, 48), (-3, 0.6), 40), 1),
    ]


def look_alikes_side_by_side() -> list[Shape]:
    """Four objects that look the same move in parallel, hardly a pixel apart."""
    return [Shape("disc", RED, line((15, 20 + 24 * n), (3, 0), 40), n) for n in range(4)]


def occlusion() -> list[Shape]:
    """An object passes behind a wall that is as wide as to hide it for 10 frames."""
    wall = Shape("square", WALL, [(80.0, 60.0, 24.0)] * 60, -1)
    return [
        Shape("disc", RED, line((10, 60), (3, 0), 60), 0),
        Shape("triangle", BLUE, line((150, 20), (-2, 0), 60), 1),
        wall,
    ]


def look_alike_occlusion() -> list[Shape]:
    """Of two objects that look the same, one passes behind a wall while the other is seen."""
    wall = Shape("square", WALL, [(80.0, 60.0, 24.0)] * 50, -1)
    return [
        Shape("disc", RED, line((10, 60), (3, 0), 50), 0),
        Shape("disc", RED, line((150, 100), (-2, 0), 50), 1),
        wall,
    ]


def re_entry() -> list[Shape]:
    """An object leaves to the right and comes back 60 frames later from the left."""
    away: list[Place | None] = [None] * 60
    return [
        Shape("disc", RED, line((100, 40), (4, 0), 25) + away + line((-10, 90), (4, 0), 25), 0),
        Shape("square", BLUE, line((80, 80), (0, 0.2), 110), 1),
        Shape("triangle", GREEN, [*away, *line((150, 20), (-2, 0.5), 50)], 2),
    ]


def scale_change() -> list[Shape]:
    """An object comes nearer until it is ten times as large, another one goes away."""
    grows: list[Place | None] = [(60.0, 60.0, 5 * 1.06**t) for t in range(40)]
    shrinks: list[Place | None] = [(130.0, 30.0 + t / 2, 40 / 1.06**t) for t in range(40)]
    return [Shape("disc", RED, grows, 0), Shape("square", BLUE, shrinks, 1)]


def cut() -> list[Shape]:
    """Another scene with other objects at the same places, and back to the first one."""
    here: list[Place | None] = [*line((40, 60), (1, 0), 20), *[None] * 20]
    return [
        Shape("disc", RED, [*here, *line((110, 30), (1, 0), 20)], 0),
        Shape(
            "square",
            BLUE,
            [*line((100, 60), (0, 1), 20), *[None] * 20, *line((30, 90), (1, 0), 20)],
            1,
        ),
        Shape("disc", GREEN, [*[None] * 20, *line((60, 60), (1, 0), 20), *[None] * 20], 2),
        Shape("triangle", BLUE, [*[None] * 20, *line((100, 80), (0, -1), 20), *[None] * 20], 3),
    ]


def crowd() -> list[Shape]:
    """Twelve objects of three looks move in all directions and hide each other."""
    rng = np.random.default_rng(0)
    looks = [("disc", RED), ("square", BLUE), ("triangle", GREEN)]
    shapes = []
    for n in range(12):
        start, step = rng.uniform(20, 100, 2), rng.uniform(-1.2, 1.2, 2)
        kind, colour = looks[n % 3]
        shapes.append(Shape(kind, colour, line(tuple(start), tuple(step), 60, 8), n))
    return shapes


def looks(shapes: Sequence[Shape], generator: torch.Generator) -> dict[int, Tensor]:
    """Return an embedding for each identity; the same one for those that look the same."""
    distinct = sorted({(one.kind, one.colour) for one in shapes})
    vectors = torch.randn(len(distinct), WIDTH, generator=generator)
    return {one.identity: vectors[distinct.index((one.kind, one.colour))] for one in shapes}


def detections(
    shapes: Sequence[Shape], *, noise: float, seed: int, masks: bool = True
) -> Iterator[tuple[DrawnFrame, Instances]]:
    """Yield each frame and its objects, perfectly found but shuffled, with noisy embeddings."""
    generator = torch.Generator().manual_seed(seed)
    look = looks(shapes, generator)
    for frame in draw_clip(shapes, SIZE):
        order = torch.randperm(len(frame.identities), generator=generator).numpy()
        identities, pixels = frame.identities[order], torch.from_numpy(frame.masks[order])
        clean = (
            torch.stack([look[n] for n in identities.tolist()])
            if len(order)
            else torch.zeros(0, WIDTH)
        )
        yield (
            DrawnFrame(frame.pixels, identities, frame.masks[order]),
            Instances(
                boxes=mask_to_boxes(pixels),
                scores=torch.full((len(order),), 0.9),
                labels=torch.zeros(len(order), dtype=torch.int64),
                names=("thing",),
                image_size=SIZE,
                masks=pixels if masks else None,
                embeddings=clean + noise * torch.randn(clean.shape, generator=generator),
            ),
        )


def idf1(
    shapes: Sequence[Shape], tracker: Tracker, *, noise: float, seed: int, masks: bool = True
) -> float:
    """Return the IDF1 of a tracker on a clip whose objects are found perfectly."""
    frames = []
    for truth, found in detections(shapes, noise=noise, seed=seed, masks=masks):
        tracked = tracker.step(found)
        similarity = pairwise_iou(found.boxes, tracked.boxes).double().numpy()
        frames.append(FrameOverlap(truth.identities, tracked.track_ids.numpy(), similarity))
    return identity(tracked_video(frames)).idf1


def unseen_frames(shapes: Sequence[Shape], identity: int) -> int:
    """Return for how many frames in a row an object is not seen between two times that it is."""
    seen = [n for n, frame in enumerate(draw_clip(shapes, SIZE)) if identity in frame.identities]
    return max(later - earlier for earlier, later in itertools.pairwise(seen)) - 1
