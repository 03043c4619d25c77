"""BURST's JSON: tracks of masks in annotated frames, of ground truth and of predictions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from glee.evaluation.arrays import FloatArray, IntArray
from glee.evaluation.mask_json import read_counts, require_filled
from glee.evaluation.records import (
    Json,
    RecordError,
    listed,
    mapped,
    number,
    part,
    shown,
    text,
    whole,
)
from glee.evaluation.regions import Masks

# Categories of TAO that were merged into another, which takes their place.
MERGED = {504: 347, 720: 347, 912: 529, 967: 529, 207: 554, 153: 943, 201: 1175}
# Categories of TAO whose objects are too vague to be told apart; BURST leaves them out.
# fmt: off
DISTRACTORS = frozenset({
    20, 63, 108, 180, 188, 204, 212, 247, 303, 403, 407, 415, 490, 504, 507, 513, 529, 567, 569,
    588, 672, 691, 702, 708, 711, 720, 736, 737, 798, 813, 815, 827, 831, 851, 877, 883, 912, 971,
    976, 1130, 1133, 1134, 1169, 1184, 1220,
})
# fmt: on
NUM_CATEGORIES = 1230


@dataclass(frozen=True, slots=True, eq=False)
class BurstFrame:
    """The objects of one frame.

    ids         [N] int64, tracks, numbered anew in each video
    categories  [N] int64, TAO's ids
    masks       N masks
    scores      [N] float64, 1 for ground truth
    """

    ids: IntArray
    categories: IntArray
    masks: Masks
    scores: FloatArray

    def take(self, rows: IntArray) -> "BurstFrame":
        """Return the objects in `rows`, in that order."""
        return BurstFrame(
            self.ids[rows], self.categories[rows], self.masks.take(rows), self.scores[rows]
        )


@dataclass(frozen=True, slots=True, eq=False)
class BurstVideo:
    """The annotated frames of one video.

    name        dataset and sequence
    size        [2] int64, (height, width) in pixels
    frames      by the names of their images, in time
    unlabelled  names of frames that nobody annotated; None where the file does not tell
    absent      categories that are verified to be nowhere in it
    incomplete  categories of which some objects may lack an annotation
    """

    name: str
    size: IntArray
    frames: Mapping[str, BurstFrame]
    unlabelled: frozenset[str] | None = None
    absent: frozenset[int] = frozenset()
    incomplete: frozenset[int] = frozenset()


def read_burst_truth(data: Json) -> list[BurstVideo]:
    """Read an annotation file; objects of distractor categories are left out.

    Raises ValueError for missing parts and for categories that TAO does not have.
    """
    return [
        _read_video(sequence, f"sequences[{place}]", is_truth=True)
        for place, sequence in enumerate(listed(data, "sequences", "the annotation file"))
    ]


def read_burst_predictions(
    data: Json, truth: Sequence[BurstVideo], *, max_per_frame: int = 300
) -> list[BurstVideo]:
    """Read predictions, one video for each of the ground truth, with the same frames.

    truth          the annotated videos; predictions in frames that nobody annotated are passed over
    max_per_frame  how many of the surest objects of a frame are kept

    Raises ValueError for videos that are not among the annotated ones, come twice or have masks
    of another size, for frames that their video does not have, for categories that TAO does not
    have, for scores that are no finite numbers and for parts that are missing or wrong.
    """
    videos = [
        _read_video(sequence, f"predictions[{place}]", is_truth=False)
        for place, sequence in enumerate(listed(data, "sequences", "the predictions"))
    ]
    if unknown := {one.name for one in videos} - {one.name for one in truth}:
        raise ValueError(
            f"predictions have video {min(unknown)!r}, which the annotations do not have; "
            "evaluate predictions with the annotations of the same split"
        )
    _check_videos(videos, {one.name: one for one in truth})
    _check_frames(videos, {one.name: one for one in truth})
    found = {(one.name, name): frame for one in videos for name, frame in one.frames.items()}
    return [
        replace(
            video,
            frames={
                name: _surest(found.get((video.name, name), _nothing(frame)), max_per_frame)
                for name, frame in video.frames.items()
            },
        )
        for video in truth
    ]


def _check_videos(videos: Sequence[BurstVideo], truth: Mapping[str, BurstVideo]) -> None:
    """Refuse a video that comes twice, and masks of another size than the annotated ones."""
    seen: set[str] = set()
    for video in videos:
        if video.name in seen:
            raise ValueError(f"predictions have video {video.name!r} twice; join its frames")
        seen.add(video.name)
        ours, theirs = video.size.tolist(), truth[video.name].size.tolist()
        if ours != theirs:
            raise ValueError(
                f"predictions for {video.name} have masks of (height, width) {tuple(ours)}, the "
                f"annotations {tuple(theirs)}; resize them to the annotated size"
            )


def _check_frames(videos: Sequence[BurstVideo], truth: Mapping[str, BurstVideo]) -> None:
    """Refuse frames that a video does not have, or that no annotated one is among."""
    for video in videos:
        true = truth[video.name]
        other = [name for name in video.frames if name not in true.frames]
        known = other if true.unlabelled is None else true.unlabelled
        wrong = [name for name in other if name not in known]
        if true.unlabelled is None and len(other) == len(video.frames):
            wrong = other
        if wrong:
            raise ValueError(
                f"predictions for {video.name} have frame {wrong[0]!r}, which the annotations do "
                f"not have; name frames as annotated_image_paths do, such as "
                f"{next(iter(true.frames), '')!r}"
            )


def tell_frames(data: Json, truth: Sequence[BurstVideo]) -> tuple[str, ...]:
    """Return in words what of predictions does not count, and what of them is missing.

    data  predictions that `read_burst_predictions` has read
    """
    true = {one.name: set(one.frames) for one in truth}
    beyond = missing = 0
    for sequence in data["sequences"]:
        frames = set(sequence["annotated_image_paths"])
        annotated = true.pop(f"{sequence['dataset']}/{sequence['seq_name']}")
        beyond += len(frames - annotated)
        missing += len(annotated - frames)
    notes = []
    if true:
        notes.append(f"{len(true)} of {len(truth)} videos have no predictions: nothing found there")
    if beyond:
        notes.append(f"{beyond} predicted frames are not annotated: passed over")
    if missing:
        notes.append(f"{missing} annotated frames of predicted videos are missing: nothing there")
    return tuple(notes)


def tell_categories(data: Json, categories: Iterable[int]) -> tuple[str, ...]:
    """Return in words how many predicted tracks are of categories that cannot count.

    categories  what the annotation file defines
    """
    known = {MERGED.get(one, one) for one in categories}
    other = sum(
        MERGED.get(one, one) not in known
        for sequence in data["sequences"]
        for one in sequence["track_category_ids"].values()
    )
    if not other:
        return ()
    return (
        f"{other} predicted tracks are of categories that the annotation file does not have: "
        "not counted",
    )


def _read_video(sequence: Json, where: str, *, is_truth: bool) -> BurstVideo:
    name = f"{text(sequence, 'dataset', where)}/{text(sequence, 'seq_name', where)}"
    where = f"{where}, {name}"
    images = listed(sequence, "annotated_image_paths", where)
    if not all(isinstance(one, str) for one in images) or len(set(images)) < len(images):
        raise RecordError(where, "must have annotated_image_paths of different names")
    segmentations = listed(sequence, "segmentations", where)
    if len(images) != len(segmentations):
        raise RecordError(
            where,
            f"has {len(segmentations)} segmentations for {len(images)} annotated_image_paths; give "
            "one for each frame",
        )
    categories = mapped(sequence, "track_category_ids", where)
    for track in categories:
        _category(categories, track, f"{where}, track {shown(track)}")
    size = np.array([whole(sequence, one, where, least=0) for one in ("height", "width")], np.int64)
    frames = [
        _read_frame(segmentations, row, categories, size, where) for row in range(len(images))
    ]
    if not is_truth:
        return BurstVideo(name, size, dict(zip(images, map(_merge, frames), strict=True)))
    return BurstVideo(
        name=name,
        size=size,
        frames={
            image: _merge(frame.take(np.flatnonzero(~np.isin(frame.categories, list(DISTRACTORS)))))
            for image, frame in zip(images, frames, strict=True)
        },
        unlabelled=frozenset(sequence["all_image_paths"]) - set(images)
        if "all_image_paths" in sequence
        else None,
        absent=frozenset(sequence.get("neg_category_ids", ())),
        incomplete=frozenset(sequence.get("not_exhaustive_category_ids", ())),
    )


def _read_frame(
    segmentations: Sequence[Json], row: int, track_categories: Json, size: IntArray, where: str
) -> BurstFrame:
    """Read the objects of a frame; one may have another category than its track."""
    where = f"{where}, frame {row}"
    objects = mapped({"segmentations": segmentations[row]}, "segmentations", where)
    places = [f"{where}, track {shown(track)}" for track in objects]
    entries = list(zip(objects, objects.values(), places, strict=True))
    counts = [
        read_counts(part(one, "rle", place), (int(size[0]), int(size[1])), place)
        for _, one, place in entries
    ]
    sizes = np.tile(size, (len(counts), 1))
    require_filled(counts, sizes, places.__getitem__)
    return BurstFrame(
        ids=np.array([_track_number(track, place) for track, _, place in entries], dtype=np.int64),
        categories=np.array(
            [
                _category(one if "category_id" in one else track_categories, track, place)
                for track, one, place in entries
            ],
            dtype=np.int64,
        ),
        masks=Masks(counts, sizes),
        scores=np.array(
            [number({"score": 1.0, **one}, "score", place) for _, one, place in entries]
        ).reshape(-1),
    )


def _track_number(track: str, where: str) -> int:
    if not (track.isascii() and track.isdecimal() and len(track) < len(str(2**53))):
        raise RecordError(where, "must be named by a whole number")
    return int(track)


def _category(values: Json, track: str, where: str) -> int:
    """Return the category of an object, its own or that of its track."""
    found = whole(values, "category_id" if "category_id" in values else track, where)
    if not 1 <= found <= NUM_CATEGORIES:
        raise RecordError(where, f"has category {found}; TAO's are 1..{NUM_CATEGORIES}")
    return found


def _merge(frame: BurstFrame) -> BurstFrame:
    categories = [MERGED.get(one, one) for one in frame.categories.tolist()]
    return replace(frame, categories=np.array(categories, dtype=np.int64))


def _nothing(frame: BurstFrame) -> BurstFrame:
    return frame.take(np.zeros(0, dtype=np.int64))


def _surest(frame: BurstFrame, count: int) -> BurstFrame:
    """Keep the objects with the highest scores; all of them, and their order, if there are few."""
    if len(frame.ids) <= count:
        return frame
    return frame.take(np.argsort(-frame.scores, kind="stable")[:count])
