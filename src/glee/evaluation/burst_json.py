"""BURST's JSON: tracks of masks in annotated frames, of ground truth and of predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from glee.evaluation.arrays import FloatArray, IntArray, require_finite
from glee.evaluation.coco_json import Json, part
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
    absent      categories that are verified to be nowhere in it
    incomplete  categories of which some objects may lack an annotation
    """

    name: str
    size: IntArray
    frames: Mapping[str, BurstFrame]
    absent: frozenset[int] = frozenset()
    incomplete: frozenset[int] = frozenset()


def read_burst_truth(data: Json) -> list[BurstVideo]:
    """Read an annotation file; objects of distractor categories are left out.

    Raises ValueError for missing parts and for categories that TAO does not have.
    """
    sequences = part(data, "sequences", "the annotation file")
    return [_read_video(sequence, left_out=DISTRACTORS) for sequence in sequences]


def read_burst_predictions(
    data: Json, truth: Sequence[BurstVideo], *, max_per_frame: int = 300
) -> list[BurstVideo]:
    """Read predictions, one video for each of the ground truth, with the same frames.

    truth          the annotated videos; predictions in other frames are passed over
    max_per_frame  how many of the surest objects of a frame are kept

    Raises ValueError for videos that are not among the annotated ones, come twice or have masks
    of another size, for categories that TAO does not have, for NaN scores and for missing parts.
    """
    videos = [
        _read_video(sequence, left_out=frozenset())
        for sequence in part(data, "sequences", "the predictions")
    ]
    if unknown := {one.name for one in videos} - {one.name for one in truth}:
        raise ValueError(
            f"predictions have video {min(unknown)!r}, which the annotations do not have; "
            "evaluate predictions with the annotations of the same split"
        )
    _check_videos(videos, {one.name: one for one in truth})
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


def _read_video(sequence: Json, *, left_out: frozenset[int]) -> BurstVideo:
    name = f"{part(sequence, 'dataset', 'a sequence')}/{part(sequence, 'seq_name', 'a sequence')}"
    images = part(sequence, "annotated_image_paths", name)
    segmentations = part(sequence, "segmentations", name)
    if len(images) != len(segmentations):
        raise ValueError(
            f"{name} has {len(segmentations)} segmentations for {len(images)} "
            "annotated_image_paths; give one for each frame"
        )
    categories = part(sequence, "track_category_ids", name)
    size = np.array([part(sequence, "height", name), part(sequence, "width", name)], np.int64)
    frames = [_read_frame(objects, categories, size, name) for objects in segmentations]
    return BurstVideo(
        name=name,
        size=size,
        frames={
            image: _merge(frame.take(np.flatnonzero(~np.isin(frame.categories, list(left_out)))))
            for image, frame in zip(images, frames, strict=True)
        },
        absent=frozenset(sequence.get("neg_category_ids", ())),
        incomplete=frozenset(sequence.get("not_exhaustive_category_ids", ())),
    )


def _read_frame(objects: Json, track_categories: Json, size: IntArray, where: str) -> BurstFrame:
    """Read the objects of a frame; one may have another category than its track."""
    categories = [
        one["category_id"] if "category_id" in one else part(track_categories, track, where)
        for track, one in objects.items()
    ]
    if unknown := [one for one in categories if not 1 <= one <= NUM_CATEGORIES]:
        raise ValueError(f"{where} has category {unknown[0]}; TAO's are 1..{NUM_CATEGORIES}")
    scores = np.array([one.get("score", 1.0) for one in objects.values()], dtype=np.float64)
    require_finite(f"score in {where}", scores)
    counts = [part(one, "rle", where).encode("ascii") for one in objects.values()]
    return BurstFrame(
        ids=np.array([int(track) for track in objects], dtype=np.int64),
        categories=np.array(categories, dtype=np.int64),
        masks=Masks(counts, np.tile(size, (len(counts), 1))),
        scores=scores,
    )


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
