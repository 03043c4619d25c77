"""Videos of DAVIS: the object of the first mask, of a name, or of an expression, in each frame."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from glee import Predictor, Prompts
from glee.evaluation.vos import ObjectScores, object_scores, semi_supervised, vos_scores
from glee.images import load_image
from glee.inference.predictor import EncodedImage
from glee.video.marks import MarkFollower

Mask = NDArray[np.bool_]

Step = Callable[[EncodedImage], Mask]
"""Finds the object of a video in its next frame."""

WAYS = ("mask", "mask refreshed", "name", "expression")

REFRESH_ABOVE = 0.5
"""From this score on "mask refreshed" takes what it has found for what it looks for next."""


@dataclass(frozen=True, slots=True)
class Video:
    """A video with one annotated object.

    frames      image files, in order
    masks       their masks: palette pictures, not 0 on the object
    noun        what the object is called
    expression  what describes it
    """

    name: str
    frames: tuple[Path, ...]
    masks: tuple[Path, ...]
    noun: str
    expression: str

    def every(self, step: int) -> "Video":
        """Return every step-th frame, the first one included."""
        frames, masks = self.frames[::step], self.masks[::step]
        return Video(self.name, frames, masks, self.noun, self.expression)

    def truth(self) -> NDArray[np.uint8]:
        """Return label maps [T, H, W]: 1 on the object, 0 elsewhere."""
        maps = []
        for path in self.masks:
            with Image.open(path) as picture:
                maps.append((np.array(picture) > 0).astype(np.uint8))
        return np.stack(maps)


def read_videos(root: Path) -> list[Video]:
    """Read what the pack `davis_dev` holds."""
    folder = root / "davis_dev"
    if not (folder / "meta.json").is_file():
        raise FileNotFoundError(f"{folder / 'meta.json'} is missing; give the folder with --data")
    videos = []
    for entry in json.loads((folder / "meta.json").read_text(encoding="utf-8"))["sequences"]:
        name, thing = Path(entry["name"]).name, entry["objects"][0]
        frames = tuple(sorted((folder / "frames" / name).glob("*.jpg")))
        masks = tuple(folder / "masks" / name / f"{path.stem}.png" for path in frames)
        videos.append(Video(name, frames, masks, thing["noun"], thing["expression"]))
    return videos


def follow_prompts(predictor: Predictor, prompts: Prompts) -> Step:
    """Return a step that takes the surest object of a name or expression in each frame alone."""

    def step(frame: EncodedImage) -> Mask:
        found = predictor.predict(frame, prompts, threshold=0, max_objects=1)
        return _first(found.masks, frame)

    return step


def follow_mask(
    predictor: Predictor, first: EncodedImage, mask: Mask, *, refresh_above: float | None = None
) -> Step:
    """Return a step that looks for what a mask shows on the first frame.

    refresh_above  as in `MarkFollower`
    """
    follower = MarkFollower(predictor, refresh_above=refresh_above)
    follower.mark(first, Prompts(masks=[mask]))
    return lambda frame: _first(follower.step(frame).masks, frame)


def _first(masks: torch.Tensor | None, frame: EncodedImage) -> Mask:
    if masks is None or not len(masks):
        return np.zeros(frame.geometry.original, dtype=np.bool_)
    return masks[0].cpu().numpy()


def follow(predictor: Predictor, video: Video) -> Mapping[str, NDArray[np.uint8]]:
    """Return label maps [T, H, W] of what is found by each way of asking; 1 on the object.

    Every frame is encoded once for all of them.
    """
    truth = video.truth()
    found = {way: np.zeros_like(truth) for way in WAYS}
    steps: dict[str, Step] = {
        "name": follow_prompts(predictor, Prompts(categories=[video.noun])),
        "expression": follow_prompts(predictor, Prompts(expression=video.expression)),
    }
    for number, frame in enumerate(_encoded(predictor, video)):
        if not number:
            given = truth[0] > 0
            steps["mask"] = follow_mask(predictor, frame, given)
            steps["mask refreshed"] = follow_mask(
                predictor, frame, given, refresh_above=REFRESH_ABOVE
            )
        for way, step in steps.items():
            found[way][number] = step(frame)
    return found


def _encoded(predictor: Predictor, video: Video) -> Iterator[EncodedImage]:
    return (predictor.encode(load_image(path)) for path in video.frames)


def video_values(predictor: Predictor, videos: Sequence[Video]) -> dict[str, float]:
    """Return J&F of each way of asking, and of each video.

    As DAVIS does, the first and the last frame count only where the first mask is not given.
    """
    objects: dict[str, dict[str, ObjectScores]] = {way: {} for way in WAYS}
    for video in videos:
        truth, found = video.truth(), follow(predictor, video)
        for way in WAYS[:2]:
            objects[way][video.name] = semi_supervised(truth, found[way])[0]
        for way in WAYS[2:]:
            objects[way][video.name] = object_scores(truth, found[way], 1)
    values = {"frames": float(sum(len(video.frames) for video in videos))}
    for way, own in objects.items():
        scores = vos_scores(own)
        values[f"{way}: J&F"] = scores["J&F-Mean"]
        for name, one in scores.per_category.items():
            values[f"{way}: {name}"] = (one["J-Mean"] + one["F-Mean"]) / 2
    return values
