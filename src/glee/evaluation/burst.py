"""BURST: HOTA and AP of tracks of masks, over all, the common and the uncommon categories.

Athar et al., "BURST: A Benchmark for Unifying Object Recognition, Segmentation and Tracking in
Video" (arXiv:2209.12118, section 4). Common are the 78 categories that COCO has, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np

from glee.evaluation.arrays import FloatArray, Id, IntArray
from glee.evaluation.average_precision import compute_curves, mean_of_known
from glee.evaluation.burst_json import DISTRACTORS, BurstFrame, BurstVideo
from glee.evaluation.category_tracking import track_categories
from glee.evaluation.federated import Federation, in_incomplete, keep_verified
from glee.evaluation.hota import hota_summary
from glee.evaluation.labelled_video import LabelledFrame, LabelledVideo
from glee.evaluation.objects import Annotations, Catalog, Predictions
from glee.evaluation.overlaps import box_overlaps, mask_overlaps
from glee.evaluation.records import rows_by_id
from glee.evaluation.regions import Masks, Tubes
from glee.evaluation.scores import Scores
from glee.evaluation.subsets import Subset, match_subsets

# fmt: off
COMMON = frozenset({
    4, 13, 34, 35, 36, 41, 45, 58, 60, 78, 79, 81, 91, 95, 99, 118, 126, 133, 139, 154, 174, 185,
    211, 221, 229, 235, 237, 276, 299, 347, 371, 382, 392, 428, 429, 452, 475, 480, 502, 544, 579,
    621, 625, 642, 699, 714, 717, 729, 747, 779, 805, 829, 852, 896, 926, 937, 961, 979, 980, 982,
    993, 1001, 1018, 1038, 1057, 1091, 1097, 1099, 1115, 1117, 1122, 1132, 1135, 1144, 1155, 1162,
    1215, 1229,
})
# fmt: on


def burst_scores(
    truth: Sequence[BurstVideo],
    predictions: Sequence[BurstVideo],
    *,
    compare: Literal["boxes", "masks"] = "boxes",
) -> Scores:
    """Compute HOTA with its parts and AP, each the mean over categories with a true object.

    truth        the annotated videos
    predictions  the predicted tracks, a video for each of `truth`, as read_burst_predictions gives
    compare      what overlaps in HOTA, see `labelled_videos`; in AP it is always masks
    Returns HOTA, DetA, AssA, AP and others over all categories, and as HOTA_common and
    HOTA_uncommon over these groups, in 0..1; NaN for a group without categories.
    """
    categories = _evaluated(truth)
    tracked = track_categories(labelled_videos(truth, predictions, compare=compare))
    precision = track_precision(truth, predictions, categories)
    per_category: dict[Id, Mapping[str, float]] = {
        one: {**hota_summary(tracked[one].hota), "AP": precision[one]} for one in categories
    }
    groups = {
        "": categories,
        "_common": [one for one in categories if one in COMMON],
        "_uncommon": [one for one in categories if one not in COMMON],
    }
    names = ("HOTA", "DetA", "AssA", "DetRe", "AssRe", "DetPr", "AssPr", "LocA", "AP")
    values = {
        f"{name}{group}": mean_of_known(np.array([per_category[one][name] for one in members]))
        for group, members in groups.items()
        for name in names
    }
    return Scores(values, per_category)


def labelled_videos(
    truth: Sequence[BurstVideo],
    predictions: Sequence[BurstVideo],
    *,
    compare: Literal["boxes", "masks"] = "boxes",
) -> list[LabelledVideo]:
    """Compare true and predicted objects frame by frame.

    Predictions in frames without any annotation do not count.

    compare  what overlaps: "boxes" around the masks, as in the official tool, which gives boxes to
             the function that is to compare masks, or "masks", as in the paper
    """
    return [
        LabelledVideo(
            frames=tuple(
                _labelled_frame(frame, found.frames[image], compare)
                for image, frame in video.frames.items()
            ),
            absent=video.absent,
            incomplete=video.incomplete,
        )
        for video, found in zip(truth, predictions, strict=True)
    ]


def _labelled_frame(
    gt: BurstFrame, pred: BurstFrame, compare: Literal["boxes", "masks"]
) -> LabelledFrame:
    if not len(gt.ids):
        pred = pred.take(np.zeros(0, dtype=np.int64))
    single = np.zeros(len(gt.masks), dtype=np.bool_)  # no object stands for a crowd
    match compare:
        case "boxes":
            overlaps = box_overlaps(mask_boxes(pred.masks), mask_boxes(gt.masks), single)
        case "masks":
            overlaps = mask_overlaps(pred.masks.rles(), gt.masks.rles(), single)
        case _:
            raise ValueError(f"compare must be 'boxes' or 'masks', got {compare!r}")
    return LabelledFrame(gt.ids, gt.categories, pred.ids, pred.categories, overlaps.T)


def mask_boxes(masks: Masks) -> FloatArray:
    """Return the box [N, 4] xywh around each mask, in whole pixels."""
    from pycocotools.mask import toBbox  # noqa: PLC0415 - only when masks are compared

    return np.array([toBbox(one) for one in masks.rles()], dtype=np.float64).reshape(-1, 4)


def track_precision(
    truth: Sequence[BurstVideo], predictions: Sequence[BurstVideo], categories: Sequence[int]
) -> dict[Id, float]:
    """Return AP of whole tracks, the mean over overlaps of 0.5 to 0.95, of each category."""
    order = np.argsort([video.name for video in truth], kind="stable")
    truth, predictions = [truth[row] for row in order], [predictions[row] for row in order]
    catalog = Catalog(
        unit_ids=tuple(video.name for video in truth),
        unit_sizes=np.array([video.size for video in truth], dtype=np.int64).reshape(-1, 2),
        unit_lengths=np.array([len(video.frames) for video in truth], dtype=np.int64),
        category_ids=tuple(sorted(categories)),
    )
    annotations = _annotations(truth, catalog)
    federation = Federation(
        absent=_listed([video.absent for video in truth], catalog),
        incomplete=_listed([video.incomplete for video in truth], catalog),
    )
    found = keep_verified(_predictions(predictions, catalog), annotations, federation)
    excused = in_incomplete(found, federation)
    curves = compute_curves(match_subsets(annotations, found, (Subset("all"),), excused=excused))
    columns = enumerate(catalog.category_ids)
    return {one: mean_of_known(curves.precision[0, :, column]) for column, one in columns}


def _evaluated(truth: Sequence[BurstVideo]) -> list[int]:
    frames = chain.from_iterable(video.frames.values() for video in truth)
    return sorted({int(one) for frame in frames for one in frame.categories} - DISTRACTORS)


def _annotations(truth: Sequence[BurstVideo], catalog: Catalog) -> Annotations:
    tracks = _tracks(truth, catalog)
    return Annotations(
        catalog=catalog,
        units=np.array([track.unit for track in tracks], dtype=np.int64),
        categories=_category_rows(tracks, catalog),
        areas=np.zeros(len(tracks)),  # read by no one: all sizes count alike
        crowd=np.zeros(len(tracks), dtype=np.bool_),
        regions=_tubes(tracks, catalog),
    )


def _predictions(videos: Sequence[BurstVideo], catalog: Catalog) -> Predictions:
    tracks = _tracks(videos, catalog)
    return Predictions(
        catalog=catalog,
        units=np.array([track.unit for track in tracks], dtype=np.int64),
        categories=_category_rows(tracks, catalog),
        scores=np.array([np.mean(track.scores) for track in tracks], dtype=np.float64),
        regions=_tubes(tracks, catalog),
    )


@dataclass(frozen=True, slots=True)
class _Track:
    """One track of a video: its mask in each frame, and the scores where it has one."""

    unit: int
    category: int
    masks: list[bytes | None]
    scores: list[float]


def _tracks(videos: Sequence[BurstVideo], catalog: Catalog) -> list[_Track]:
    """Gather the tracks of the catalog's categories, in the order in which they appear.

    A track has the category of its first mask.
    """
    tracks: dict[tuple[int, int], _Track] = {}
    for unit, video in enumerate(videos):
        for number, frame in enumerate(video.frames.values()):
            columns = (
                frame.ids.tolist(),
                frame.categories.tolist(),
                frame.masks.counts,
                frame.scores,
            )
            for track_id, category, mask, score in zip(*columns, strict=True):
                new = _Track(unit, category, [None] * len(video.frames), [])
                track = tracks.setdefault((unit, track_id), new)
                track.masks[number] = mask
                track.scores.append(float(score))
    return [track for track in tracks.values() if track.category in catalog.category_ids]


def _category_rows(tracks: Sequence[_Track], catalog: Catalog) -> IntArray:
    rows = rows_by_id(catalog.category_ids)
    return np.array([rows[track.category] for track in tracks], dtype=np.int64)


def _tubes(tracks: Sequence[_Track], catalog: Catalog) -> Tubes:
    units = np.array([track.unit for track in tracks], dtype=np.int64)
    return Tubes([track.masks for track in tracks], catalog.unit_sizes[units])


def _listed(categories: Sequence[frozenset[int]], catalog: Catalog) -> IntArray:
    """Return (video, category) rows of the categories that a list names in each video."""
    rows = rows_by_id(catalog.category_ids)
    pairs = [(unit, rows[one]) for unit, some in enumerate(categories) for one in some & set(rows)]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)
