"""Objects that are given by their masks: DAVIS 2017, MOSE and YouTube-VOS."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glee.data.readers.davis import read_davis, read_mose
from glee.data.readers.mask_folders import read_index_picture
from glee.evaluation.arrays import Id
from glee.evaluation.benchmark import Benchmark, Json, Rows, Scored
from glee.evaluation.benchmarks.detection import percent
from glee.evaluation.benchmarks.source import Source, load_json, other_version
from glee.evaluation.encoder import Encoder
from glee.evaluation.label_maps import (
    LabelMaps,
    label_row,
    read_label_folders,
    row_labels,
)
from glee.evaluation.protocol import Protocol, choose
from glee.evaluation.records import RecordError, shown, text
from glee.evaluation.submissions import write_label_zip
from glee.evaluation.vos import (
    VOID,
    ObjectScores,
    after_first_frame,
    semi_supervised,
    vos_scores,
    youtube_vos_scores,
)
from glee.prompts import Prompts
from glee.video.marks import MarkFollower

SWITCHES = ("shortest",)
NAMES = ("davis", "mose", "ytvos")
OFFICIAL = {
    "davis": ("DAVIS 2017 val", 30),
    "mose": ("MOSE val", 311),
    "ytvos": ("YouTube-VOS 2018 val", 474),
}
"""The official sets, and how many videos they have; YouTube-VOS 2019 has 507."""

YOUTUBE_VOS = ("ytbvos18/val", "ytbvos18/valid", "YouTubeVOS/valid")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Video:
    """One video.

    name    of its folder
    images  the folder of JPEG files
    masks   the folder of PNG files: of all frames, or only of those in which objects appear
    frames  names of all frames, in time
    later   objects that appear after the first frame are marked where they appear
    """

    name: str
    images: Path
    masks: Path
    frames: tuple[str, ...]
    later: bool = False

    @property
    def is_annotated(self) -> bool:
        """Whether all of its frames have masks."""
        return all((self.masks / f"{name}.png").is_file() for name in self.frames)


def video_objects(source: Source, name: str) -> Benchmark:
    """Open one data set: J and F of objects that are given by their masks.

    DAVIS gives the masks of the first frame (arXiv:1704.00675, "Semi-supervised"), MOSE and
    YouTube-VOS those of the frame in which each object appears. Where only these have masks, as in
    sets that a server scores, there are no numbers, but a submission.
    """
    videos = {one.name: one for one in _open(source, name)}
    choice = choose(Protocol(), SWITCHES, source.switches)
    categories = _categories(source, name)
    is_annotated = all(one.is_annotated for one in videos.values())
    official, count = OFFICIAL[name]
    submission = (f"{name}.zip", partial(write_label_zip, root="Annotations"))
    if name == "mose":
        submission = (f"{name}.zip", partial(write_label_zip, root=""))
    return Benchmark(
        name=name,
        unit="videos",
        keys=tuple(sorted(videos)),
        choice=choice,
        files=tuple(_first_mask(videos[key]) for key in sorted(videos)),
        predict=lambda encoder, key: [follow_marks(encoder, videos[str(key)])],
        key_of=lambda row: row["video"],
        score=partial(_score, videos, categories) if is_annotated else None,
        submission=None if name == "davis" else submission,
        read=read_label_folders,
        image=lambda key: videos[str(key)].images / f"{videos[str(key)].frames[0]}.jpg",
        count=lambda row: len(row["objects"]),
        notes=other_version(official, {"videos": videos}, {"videos": count}),
    )


def follow_marks(encoder: Encoder, video: Video) -> Json:
    """Return the label maps of one video.

    Objects are marked by their masks on the first frame, or on that in which they appear, and keep
    these there.
    """
    follower = MarkFollower(encoder.predictor, exclusive=True)
    known: set[int] = set()
    maps: list[NDArray[np.uint8]] = []
    for place, name in enumerate(video.frames):
        image = encoder.encode(video.images / f"{name}.jpg")
        is_given = place == 0 or video.later
        given = _new_objects(video.masks / f"{name}.png", known) if is_given else {}
        if given:
            masks = list(given.values())
            follower.mark(image, Prompts(masks=masks), list(given))
            known |= set(given)
        labels = np.zeros(image.geometry.original, np.uint8)
        if known:
            found = follower.step(image)
            assert found.masks is not None
            assert found.track_ids is not None
            for number, mask in zip(found.track_ids.tolist(), found.masks.cpu(), strict=True):
                labels[mask.numpy()] = number
        for number, pixels in given.items():
            labels[pixels] = number
        maps.append(labels)
    return label_row(video.name, video.frames, np.stack(maps))


def _new_objects(path: Path, known: set[int]) -> dict[int, NDArray[np.bool_]]:
    """Return the masks of objects that were not seen before, by their numbers."""
    if not path.is_file():
        return {}
    picture = read_index_picture(path)
    numbers = [int(one) for one in np.unique(picture) if one not in (0, VOID)]
    return {one: picture == one for one in numbers if one not in known}


def _open(source: Source, name: str) -> Iterator[Video]:
    match name:
        case "davis":
            root = source.folder("DAVIS", "DAVIS2017", ".", annotated=True)
            folders = read_davis(root, split="val")
        case "mose":
            root = source.folder("mose/valid", "mose/val", "MOSE/valid", annotated=True)
            folders = read_mose(root)
        case _:
            folders = read_mose(source.folder(*YOUTUBE_VOS, annotated=True))
    for clip in folders.clips:
        images = folders.images / clip.name
        masks = folders.annotations / clip.name
        frames = sorted(path.stem for path in images.glob("*.jpg"))
        if not frames and name == "davis" and not source.needs_images:
            frames = sorted(path.stem for path in masks.glob("*.png"))  # of all frames
        if not frames:
            raise FileNotFoundError(f"{images} holds no JPEG files, by which frames are known")
        yield Video(
            name=clip.name,
            images=images,
            masks=masks,
            frames=tuple(frames),
            later=name != "davis",
        )


def _first_mask(video: Video) -> Path:
    files = sorted(video.masks.glob("*.png"))
    if not files:
        raise FileNotFoundError(f"{video.masks} holds no masks; the first frame's are needed")
    return files[0]


def _categories(source: Source, name: str) -> Mapping[str, Any] | None:
    """Return the videos of YouTube-VOS' meta.json, which tells the classes of the objects."""
    if name != "ytvos":
        return None
    split = source.folder(*YOUTUBE_VOS, annotated=True)
    seen_file = split.with_name("train") / "meta.json"
    seen = None
    if seen_file.is_file():
        videos = load_json(seen_file)["videos"].values()
        seen = {one["category"] for video in videos for one in video["objects"].values()}
    return {"videos": load_json(split / "meta.json")["videos"], "seen": seen}


def _score(
    videos: Mapping[str, Video],
    categories: Mapping[str, Any] | None,
    rows: Rows,
    keys: Sequence[Id],
) -> Scored:
    """Compute J and F of every object, and their means."""
    objects: dict[str, ObjectScores] = {}
    notes: list[str] = []
    by_video = rows_by_video(rows, videos)
    for key in keys:
        gt, found = compare_maps(videos[str(key)], by_video.get(str(key)), notes)
        for one in _objects(gt, found, categories):
            objects[f"{key}/{one.gt}"] = one
    if categories is None:
        scores = vos_scores(objects)
        means = {"J&F": "J&F-Mean", "J": "J-Mean", "F": "F-Mean"}
    else:
        seen = {key: one for key, one in objects.items() if _is_seen(key, categories)}
        unseen = {key: one for key, one in objects.items() if key not in seen}
        scores = youtube_vos_scores(seen, unseen)
        means = {
            **{"G": "G", "J seen": "J_seen", "F seen": "F_seen"},
            **{"J unseen": "J_unseen", "F unseen": "F_unseen"},
        }
        if categories["seen"] is None:
            notes.append("no train/meta.json beside: every class counts as seen in training")
    metrics = tuple(percent(name, scores[key]) for name, key in means.items())
    return Scored(metrics=metrics, tables={"mask": scores}, notes=tuple(notes))


def _objects(
    gt: LabelMaps, found: LabelMaps, categories: Mapping[str, Any] | None
) -> list[ObjectScores]:
    if categories is None:
        return semi_supervised(gt, found)
    numbers = [int(one) for one in np.unique(gt[:-1]) if one not in (0, VOID)]
    return [after_first_frame(gt, found, one) for one in numbers]


def _is_seen(key: str, categories: Mapping[str, Any]) -> bool:
    """Return whether the class of an object, "video/number", is one of the training set."""
    video, _, number = key.rpartition("/")
    category = categories["videos"][video]["objects"][number]["category"]
    return categories["seen"] is None or category in categories["seen"]


def rows_by_video(rows: Rows, videos: Mapping[str, Any]) -> dict[str, Json]:
    """Return entries by video; raise RecordError for a video that is unknown or there twice."""
    found: dict[str, Json] = {}
    for place, row in enumerate(rows()):
        where = f"predictions[{place}]"
        name = text(row, "video", where)
        if name not in videos:
            raise RecordError(
                where,
                f"has video {shown(repr(name))}, which is not among the {len(videos)} of the data "
                "set; evaluate predictions with the annotations of the same split",
            )
        if name in found:
            raise RecordError(where, f"has video {name!r} for the second time; give each once")
        found[name] = row
    return found


def compare_maps(video: Video, row: Json | None, notes: list[str]) -> tuple[LabelMaps, LabelMaps]:
    """Return the true and the predicted label maps of a video.

    notes  where it is said if frames, or the whole video, have no predictions
    """
    gt = np.stack([read_index_picture(video.masks / f"{name}.png") for name in video.frames])
    if row is None:
        notes.append(f"video {video.name} has no predictions: nothing found there")
        return gt, np.zeros_like(gt)
    size = (gt.shape[1], gt.shape[2])
    labels, missing = row_labels(row, video.frames, size)
    if missing:
        notes.append(
            f"video {video.name} lacks {missing} of {len(video.frames)} frames: nothing found there"
        )
    return gt, labels
